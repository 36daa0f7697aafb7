# shellcheck shell=bash
# POST /calls with nothing else going on (the worker is held), beside a responder that only admits and
# inserts, and beside what Redis and PostgreSQL do of that without any web server.

# Our statement as pgbench wants it: parameters are values, the id is made of a random number.
make_insert_script() {
	echo '\set r random(0, 281474976710655)'
	sed -e '/^--/d' -e "s/\\\$11\\b/:client_id + 1/; s/\\\$10\\b/$1/g" \
		-e "s/\\\$1\\b/(to_char(now(), '\"01a20472-\"MISS\"-7\"MS\"-8abc-\"') || lpad(to_hex(:r::bigint), 12, '0'))/g" \
		-e "s/\\\$2\\b/'+1234567890'/; s/\\\$3\\b/'+0987654321'/; s/\\\$4\\b/'{\"test\": true}'/" \
		-e "s/\\\$5\\b/'bench-floor'/; s/\\\$7\\b/'ANSWERED'/; s/\\\$8\\b/'{1500,4000,3000,2500}'/" \
		-e "s/\\\$9\\b/0/; s/\\\$6\\b/(extract(epoch FROM now()) * 1000)/" "$root/sql/queries/call_insert.sql"
	echo ';'
}

# Our admission for redis-benchmark, which puts random digits for __rand_int__.
run_admissions() {
	local sha run_id
	sha=$(live SCRIPT LOAD "$(expand_script admit)")
	run_id=$(live INFO server | sed -n 's/^run_id:\([0-9a-f]*\).*/\1/p')
	redis-benchmark -s "$MCS_VAR/run/redis.sock" -c "$1" -n "$2" -r 1000000000 --csv EVALSHA "$sha" 6 \
		'mcs:2:{0}:ready' 'mcs:2:{0}:clock' 'mcs:2:{0}:call:01a20472-6b23-7506-9539-__rand_int__' \
		'mcs:2:{0}:slots:bench' 'mcs:2:{0}:window:bench' 'mcs:2:{0}:due' "$run_id" \
		'01a20472-6b23-7506-9539-__rand_int__' 1000000 1000000 \
		'01a20472-6b23-7506-9539-__rand_int__ advance 1' 2000000 12000000 \
		'ANSWERED 1500,4000,3000,2500 0 WAITING 0 0 +1234567890 +0987654321 bench - {}' '' |
		awk -F'","' 'END { print $2 }'
}

bench_post() {
	local repeats seconds connections counts=(1 16 64 256) epoch i rates=() script
	repeats=$(quick 1 11) seconds=$(quick 1 2)
	! quick || counts=(16)
	bench_instance main
	hold_component worker
	start_floors
	for connections in "${counts[@]}"; do
		compare "$repeats" "$seconds" "$connections" \
			"admission and insert|floor d|$floors/floor/post|201|post|$key_list" \
			"POST /calls|ours|$BASE/calls|201|post|$key_list"
	done
	epoch=$(sql 'SELECT epoch FROM live_state')
	script=$MCS_TEST_DIR/insert.sql
	make_insert_script "$epoch" >"$script"
	for ((i = 0; i < repeats; i++)); do
		rates+=("$("${psql_client%psql}pgbench" -n -M prepared -c 4 -j 1 -T "$seconds" -f "$script" \
			"${POSTGRES_AT[@]}" -U mcs mock_communications | sed -n 's/^tps = \([0-9.]*\).*/\1/p')")
	done
	record 'the insert, pgbench, 4 clients' 'floor e' 'inserts/s' "${rates[@]}"
	rates=()
	for ((i = 0; i < repeats; i++)); do
		rates+=("$(run_admissions 4 "$(quick 2000 50000)")")
	done
	record 'the admission, redis-benchmark, 4' 'floor e' 'admissions/s' "${rates[@]}"
	end_instance main
}
