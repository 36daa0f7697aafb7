# shellcheck shell=bash
# What one worker can do, with calls that lie ready in the record: transitions as fast as they go, how
# late they are at 5,500 a second with 110,000 live calls, uploads at 5,500 a second.

drained() {
	local count rates=() i
	count=$(quick 5000 300000)
	for ((i = 0; i < $(quick 1 3); i++)); do
		bench_instance drain
		drain "$count" "$(quick 12 60)"
		rates+=("$rate")
		end_instance drain
	done
	record 'transitions, 300000 waiting' ours 'moves/s' "${rates[@]}"
}

# trips_of_batch COUNT: what so many jobs that are due cost one worker in round trips, from the claim to
# the last reply. The claims after that, which get nothing, do not count.
trips_of_batch() {
	local count=$1 due=12 tracer listener claims redis postgres
	bench_instance batch
	preload "$count" "$due" 0 queued
	lateness "$count" $((due + 30)) 2 >"$MCS_TEST_DIR/late" &
	listener=$!
	hold_until_due "$due"
	strace -f -e trace=sendto,recvfrom,write,read -s 120 -o "$MCS_TEST_DIR/strace" -p "$(component_pid worker)" 2>/dev/null &
	tracer=$!
	# Held for two seconds the worker would stop the calls' clock: see hold_until_due.
	wait_until 1 are_traced "$(component_pid worker)" || die 'this machine is too busy to count round trips'
	release_component worker
	wait "$listener"
	kill -INT "$tracer"
	wait "$tracer"
	(($(jq .moved "$MCS_TEST_DIR/late") == count)) || die "of $count calls moved $(jq .moved "$MCS_TEST_DIR/late")"
	read -r claims redis postgres < <(trips "$MCS_TEST_DIR/strace" | awk '
		$1 == "postgres" { postgres++; claimed = claims; next }
		!claim { claim = $0 } # the first script is one
		$0 == claim { claims++; next }
		{ redis++ }
		END { print claimed + 0, redis + 0, postgres + 0 }')
	((claims && redis && postgres)) || die "a batch of $count: its round trips were not seen"
	record "a batch of $count: claims" ours trips "$claims"
	record "a batch of $count: to PostgreSQL" ours trips "$postgres"
	record "a batch of $count: to Redis" ours trips "$redis"
	end_instance batch
}

bench_worker() {
	local i rate late under_way
	local -A values=()
	drained
	trips_of_batch 1
	trips_of_batch 100
	trips_of_batch 1000
	note() { values[$1]+="$2 "; }
	for ((i = 0; i < $(quick 1 3); i++)); do
		bench_instance paced
		paced queued 5500 # all 110,000 are live before and after
		note moved "$(jq .moved_rate <<<"$late")"
		note p50 "$(jq .p50_ms <<<"$late")"
		note p99 "$(jq .p99_ms <<<"$late")"
		note most "$(jq .max_ms <<<"$late")"
		end_instance paced
		bench_instance paced
		paced upload 5500
		note uploads "$(jq .final_rate <<<"$late")"
		note under_way "$under_way"
		end_instance paced
	done
	# shellcheck disable=SC2086
	{
		record 'transitions, paced' ours 'moves/s' ${values[moved]}
		record 'transitions, paced: lateness p50' ours ms ${values[p50]}
		record 'transitions, paced: lateness p99' ours ms ${values[p99]}
		record 'transitions, paced: lateness, most' ours ms ${values[most]}
		record 'uploads of 3 s that end' ours 'uploads/s' ${values[uploads]}
		record 'uploads of 3 s under way' ours 'uploads' ${values[under_way]}
	}
}
