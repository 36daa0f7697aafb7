# What a plain request and a batch of transitions cost in round trips and statements, exactly. Relays in front of
# the databases write down each trip; see tests/harness/relay.c.

load harness/helpers
load harness/service

# `counted` has the databases; its worker stands still. Its calls stay in each state for minutes. `asking` is a
# pool of one responder that reaches the databases through the relays.
setup_file() {
	local settings=(TIME_SCALE=0.01 MAX_CPS_PER_KEY=1000 MAX_CONCURRENT_CALLS_PER_KEY=1000)
	! quirk starts-processes || return 0
	start_instance counted "${settings[@]}"
	hold_component worker
	export TRIPS=$BATS_FILE_TMPDIR POSTGRES_RELAY REDIS_RELAY
	POSTGRES_RELAY=$(free_port) REDIS_RELAY=$(free_port)
	relay postgres "$POSTGRES_RELAY" .s.PGSQL.5432
	relay redis "$REDIS_RELAY" redis.sock
	start_instance asking "${settings[@]}" PARTS=api RESPONDERS=1 POSTGRES_HOST=127.0.0.1 \
		POSTGRES_PORT="$POSTGRES_RELAY" REDIS_HOST=127.0.0.1 REDIS_PORT="$REDIS_RELAY"
}

setup() {
	skip_by_quirk starts-processes # which have connections of their own, however many
	use asking
	fresh_key
	create_call # the responder is connected now, and knows the key
	empty_trips
}

teardown() {
	[[ ! ${worker:-} ]] || end_worker
}

relay() {
	: >"$TRIPS/$1"
	setpriv --pdeathsig KILL -- "$MCS_ROOT/build/${MCS_BUILD:-release}/tests/relay" 127.0.0.1 "$2" "$MCS_VAR/run/$3" \
		"$TRIPS/$1" >"$TRIPS/$1.out" 3>&- 4>&- &
	disown
	wait_until 60 grep -q ready "$TRIPS/$1.out"
}

# --- what the relays have written down ------------------------------------------------------------

empty_trips() {
	: >"$TRIPS/redis"
	: >"$TRIPS/postgres"
}

# The trips to a database since then, "COUNT STATEMENTS…" for each kind of them; a script is SCRIPT.
trips_to() { sed -E 's/\b[0-9a-f]{8}\b/SCRIPT/g' "$TRIPS/$1" | sort | uniq -c | sed 's/^ *//'; }

# Fails unless the only responder has made these trips for what it was asked, and none since.
trips_are() {
	KEY='' api GET /health # it is through with the requests before this one
	expect 200
	same "$(trips_to redis)" "$1"
	same "$(trips_to postgres)" "${2:-}"
}

# --- requests -------------------------------------------------------------------------------------

@test "GET of a live call: one command in one trip to Redis, none to PostgreSQL" {
	local i
	for i in {1..10}; do
		api GET "/calls/$call_id"
		expect 200
	done
	trips_are '10 MGET'
}

@test "POST: one script in one trip to Redis, one statement in one trip to PostgreSQL" {
	local i
	for i in {1..10}; do create_call; done
	trips_are '10 SCRIPT' '10 call_insert'
}

@test "a POST whose body is refused: no trip" {
	local i
	for i in {1..10}; do
		post /calls '{"from": "+1"}'
		expect 400
	done
	trips_are ''
}

# --- the worker -----------------------------------------------------------------------------------

# Starts a worker that reaches the databases through the relays; its wake-ups are a connection of their own.
start_worker() {
	(
		use counted
		exec_in_instance POSTGRES_HOST=127.0.0.1 POSTGRES_PORT="$POSTGRES_RELAY" REDIS_HOST=127.0.0.1 \
			REDIS_PORT="$REDIS_RELAY" "$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-worker"
	) 2>"$BATS_TEST_TMPDIR/worker.log" 3>&- &
	worker=$!
}

end_worker() {
	kill -s CONT "$worker"
	kill -s TERM "$worker"
	wait "$worker"
}

# What a worker does by the clock, beside the calls: it says which Redis it uses, audits, removes old calls.
by_the_clock='redis_use|calls_open|calls_retire|INFO'

worker_trips_to() { trips_to "$1" | grep -vE "^[0-9]+ ($by_the_clock)\$" || :; }

# The trips to Redis that are claims: a script a shard.
claims() { grep -cE '^([0-9a-f]{8})( \1){15}$' "$TRIPS/redis" || :; }
has_claimed_again() { (($(claims) > $1)); }

# Lets the calls with these ids, which are in one shard, enter their second state at once.
make_due() {
	local id shard
	shard=$(live_key call "$1")
	for id; do live ZADD "${shard%call:*}due" XX 0 "$id advance 1" >/dev/null; done
}

are_ringing() { [[ $(sql "SELECT count(*) FROM calls WHERE api_key = '$KEY' AND status = 'RINGING'") == "$1" ]]; }

@test "a batch of transitions: a claim, one statement in one trip to PostgreSQL, one pipeline to Redis" {
	local before ids=("$call_id")
	start_worker
	wait_until 60 has_claimed_again 0
	while ((${#ids[@]} < 10)); do
		create_call
		ids+=("$call_id")
	done
	kill -s STOP "$worker"
	use counted
	make_due "${ids[@]}"
	empty_trips
	kill -s CONT "$worker"
	wait_until 60 are_ringing 10
	before=$(claims)
	wait_until 60 has_claimed_again "$((before + 1))" # the batch before them is over
	same "$(worker_trips_to postgres)" '1 calls_advance'
	same "$(worker_trips_to redis | grep -vE "^[0-9]+ SCRIPT( SCRIPT){15}\$")" "1 SCRIPT$(printf ' SCRIPT%.0s' {1..9})"
}
