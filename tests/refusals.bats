# A database that answers, and refuses: what is refused is said, what was promised goes on.

load harness/helpers
load harness/service

setup_file() { start_instance refusing TIME_SCALE=20 MAX_CPS_PER_KEY=1000 MAX_CONCURRENT_CALLS_PER_KEY=1000; }

setup() {
	use refusing
	fresh_key
	wait_until 60 is_ready
}

# Whatever a case has set, so that the next one finds a Redis that takes everything.
teardown() {
	use refusing
	live SCRIPT KILL >/dev/null
	live CONFIG SET maxmemory 0 min-replicas-to-write 0 >/dev/null
	live REPLICAOF NO ONE >/dev/null
	live ACL SETUSER default '~*' '&*' +@all >/dev/null
}

# --- Redis ----------------------------------------------------------------------------------------

@test "SCRIPT FLUSH: the next calls are created nevertheless, and play to their end" {
	live SCRIPT FLUSH >/dev/null
	create_call
	local first=$call_id
	for _ in {1..20}; do
		live SCRIPT FLUSH >/dev/null
		create_call
		api GET /metrics
		expect 200
	done
	wait_until 60 has_recording
	call_id=$first
	wait_until 60 has_recording
	wait_until 60 no_slots "$KEY"
	same "$(log_of worker | grep NOSCRIPT)" ''
}

# Expects that a creation is refused for this reason, that /ready says the same, and that all is well when
# a command has put it right.
is_refused() {
	local refusal=$1 before
	shift
	before=$(sql 'SELECT count(*) FROM calls')
	post /calls '{"from": "+1", "to": "+2"}'
	expect_error 503 "The call was not created: $refusal refuses it"
	match "$(header Retry-After)" '^[1-9][0-9]*$'
	wait_until 60 is_not_ready_for "$refusal"
	expect_error 503 "Not ready; missing: $refusal"
	same "$(sql 'SELECT count(*) FROM calls')" "$before"
	"$@"
	wait_until 60 is_ready
	create_call
	wait_until 60 has_recording
	wait_until 60 no_slots "$KEY"
}

is_not_ready_for() {
	api GET /ready
	[[ $(json .message) == *"$1"* ]]
}

@test "Redis is full: POST says so and creates nothing, /ready too" {
	live CONFIG SET maxmemory 1
	is_refused 'Redis (OOM: its memory is full)' live CONFIG SET maxmemory 0
}

@test "Redis has too few replicas: POST says so and creates nothing, /ready too" {
	live CONFIG SET min-replicas-to-write 1
	is_refused 'Redis (NOREPLICAS: it has too few replicas)' live CONFIG SET min-replicas-to-write 0
}

@test "Redis is a replica: POST says so and creates nothing, /ready too" {
	live REPLICAOF 127.0.0.1 1
	is_refused 'Redis (READONLY: it is a read-only replica)' live REPLICAOF NO ONE
}

@test "Redis is busy with somebody else's script: POST says so and creates nothing, /ready too" {
	live CONFIG SET busy-reply-threshold 1
	live EVAL 'while true do end' 0 >"$BATS_TEST_TMPDIR/script" 2>&1 3>&- &
	wait_until 60 is_busy
	is_refused 'Redis (BUSY: it is running a script of another client)' live SCRIPT KILL
	live CONFIG SET busy-reply-threshold 5000
}

is_busy() { [[ $(live GET x) == BUSY* ]]; }

@test "Redis denies what a call needs, first or last: POST says so and creates nothing, /ready too" {
	local denied
	for denied in -set -zadd -evalsha -time; do
		live ACL SETUSER default "$denied"
		is_refused 'Redis (NOPERM: its user lacks a permission)' live ACL SETUSER default +@all
	done
	same "$(sql "SELECT count(*) FROM calls WHERE api_key = '$KEY'")" 4
}

@test "Redis denies the channels of events: /ready says so, and wsd says so once and waits" {
	local begin=${EPOCHREALTIME//[.,]/}
	live CONFIG RESETSTAT
	live ACL SETUSER default resetchannels
	wait_until 60 is_not_ready_for 'Redis (NOPERM: its user lacks a permission)'
	wait_until 60 subscriptions_were_refused
	((${EPOCHREALTIME//[.,]/} - begin > 1000000)) # 0.1 + 0.2 + 0.4 + 0.8 s and more
	same "$(log_of wsd | grep -c 'redis.lost.*NOPERM')" 1
	live ACL SETUSER default '&*'
	wait_until 60 is_ready
	create_call
	match "$(watch "$call_id")" '"status":"COMPLETED"'
}

subscriptions_were_refused() {
	local count
	count=$(live INFO commandstats | sed -n 's/^cmdstat_subscribe:.*rejected_calls=\([0-9]*\).*/\1/p')
	((count >= 5))
}

@test "calls that are live when Redis becomes full go on to their end" {
	local metadata i ids=()
	metadata=$(printf '%060000d' 0)
	live CONFIG SET maxmemory $(($(live INFO memory | sed -n 's/^used_memory:\([0-9]*\).*/\1/p') + 2000000))
	for i in {1..100}; do
		post /calls "{\"from\": \"+1\", \"to\": \"+2\", \"metadata\": {\"x\": \"$metadata\"}}"
		[[ $status_code == 201 ]] || break
		ids+=("$(json .call_id)")
	done
	expect_error 503 'The call was not created: Redis (OOM: its memory is full) refuses it'
	echo "${#ids[@]} calls fitted"
	live CONFIG SET maxmemory 1
	create_nothing
	wait_until 60 nothing_moves
	wait_until 60 no_slots "$KEY"
	same "$(sql "SELECT count(*) FROM calls WHERE api_key = '$KEY' AND upload_status = 'COMPLETED'")" "${#ids[@]}"
	create_nothing
}

create_nothing() {
	post /calls '{"from": "+1", "to": "+2"}'
	expect_error 503 'The call was not created: Redis (OOM: its memory is full) refuses it'
}

@test "a full Redis that was flushed stays closed, and says why, until there is room for what is live" {
	create_call
	live CONFIG SET maxmemory 1
	live FLUSHALL
	create_nothing
	wait_until 60 is_not_ready_for 'Redis (OOM: its memory is full)'
	live CONFIG SET maxmemory 0
	wait_until 60 is_ready
	wait_until 60 has_recording
}

@test "a Redis user with the rights that docs/scaling.md names, and no other, is enough" {
	local rights
	read -ra rights < <(sed -n 's/^ACL SETUSER mcs on >PASSWORD //p' "$MCS_ROOT/docs/scaling.md")
	start_instance acl TIME_SCALE=20 REDIS_USERNAME=svc REDIS_PASSWORD='a "b' # of a private Redis
	fresh_key
	match "$(live GET x)" NOAUTH # nor may the default user do anything
	same "$(mcs redis ACL WHOAMI)" svc
	mcs redis ACL SETUSER admin on nopass '~*' '&*' +@all
	live --user admin --pass x ACL SETUSER svc resetkeys resetchannels -@all "${rights[@]}"
	live --user admin --pass x FLUSHALL # the rebuild needs its rights, too
	wait_until 60 is_ready
	create_call
	match "$(watch "$call_id&after=0")" '"status":"COMPLETED"'
	wait_until 60 has_recording
	same "$(cat "$MCS_VAR"/log/*.log | grep NOPERM)" ''
	run mcs run PORT="$(free_port)" MCS_VAR="$(instances_folder)/acl2" POSTGRES_HOST="$MCS_VAR/run" \
		REDIS_HOST="$MCS_VAR/run/redis.sock" REDIS_USERNAME=other REDIS_PASSWORD=x
	[[ $status != 0 ]]
	match "$output" 'cannot use Redis \(.*REDIS_USERNAME=other'
	stop_instance acl
}

# --- PostgreSQL -----------------------------------------------------------------------------------

@test "PostgreSQL is read-only: POST says so and creates nothing, /ready too" {
	sql "ALTER ROLE mcs SET default_transaction_read_only = on"
	cut_postgres
	is_refused 'PostgreSQL (25006: it is read-only)' write_again
}

cut_postgres() {
	sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()
		AND application_name LIKE 'mcs-%'" >/dev/null
}

write_again() {
	sql "SET transaction_read_only = off; ALTER ROLE mcs RESET default_transaction_read_only"
	cut_postgres
}

@test "the role may not insert: POST says so and creates nothing, /ready too" {
	sql 'REVOKE INSERT ON calls FROM mcs'
	fresh_key
	post /calls '{"from": "+1", "to": "+2"}'
	expect 503
	[[ ! $(live_key window "$KEY") ]] # it was admitted, and taken back
	is_refused 'PostgreSQL (42501: the role lacks a right)' sql 'GRANT INSERT ON calls TO mcs'
}

# By the superuser: no ordinary way leads from one encoding to another.
set_encoding() {
	"$psql_client" -qAtX -v ON_ERROR_STOP=1 "${POSTGRES_AT[@]}" -U postgres -d mock_communications -c \
		"UPDATE pg_database SET encoding = pg_char_to_encoding('$1') WHERE datname = 'mock_communications'"
	cut_postgres
}

@test "a database that is not UTF8: /ready says so, and so does a POST with what it cannot hold" {
	set_encoding SQL_ASCII
	wait_until 60 is_not_ready_for 'PostgreSQL (its encoding is not UTF8)'
	post /calls '{"from": "+1", "to": "+2", "metadata": {"x": "\u00e9"}}'
	expect 503
	match "$(json .message)" '^The call was not created: PostgreSQL \(.*\) refuses it$'
	set_encoding UTF8
	wait_until 60 is_ready
}
