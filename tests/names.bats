# Databases by name: resolvers that hang, several addresses of which not all answer, names that move.

load harness/helpers
load harness/service

# The instance `names` uses the databases of `fast` over relays at 127.0.0.3 and ::1 (127.0.0.5 where there
# is no IPv6); nobody answers at 127.0.0.2, and nobody listens at 127.0.0.4.
setup_file() {
	use fast
	export SERVERS=$MCS_VAR/run DB_PORT REDIS_PORT NAMES
	NAMES=$(instances_folder)/resolver
	mkdir -p -m 755 "$NAMES"
	cp "$MCS_ROOT/build/${MCS_BUILD:-release}/tests/names.so" "$NAMES/"
	DB_PORT=$(free_port) REDIS_PORT=$(free_port)
	relay silent-db 127.0.0.2 "$DB_PORT"
	relay silent-redis 127.0.0.2 "$REDIS_PORT"
	relays 127.0.0.3
	both_are 127.0.0.2 127.0.0.3
	start_instance names PARTS=wsd,api RESPONDERS=1 TIME_SCALE=20 POSTGRES_HOST=db.test POSTGRES_PORT="$DB_PORT" REDIS_HOST=redis.test REDIS_PORT="$REDIS_PORT" \
		LD_PRELOAD="$NAMES/names.so" NAMES_FILE="$NAMES/file" \
		ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"
}

setup() {
	use names
	fresh_key
}

# Starts a relay; one of that name ends, and its connections are cut.
relay() {
	local name=$1
	shift
	end_relay "$name"
	setpriv --pdeathsig KILL -- "$MCS_ROOT/build/${MCS_BUILD:-release}/tests/relay" "$@" >"$NAMES/$name.out" 3>&- &
	disown
	echo $! >"$NAMES/$name.pid"
	wait_until 60 grep -q ready "$NAMES/$name.out"
}

end_relay() {
	[[ -e $NAMES/$1.pid ]] || return 0
	kill -s KILL "$(<"$NAMES/$1.pid")" 2>/dev/null || : # it ends with the test that started it
	rm "$NAMES/$1.pid"
}

# Both databases at that address; every connection is cut.
relays() {
	relay db "$1" "$DB_PORT" "$SERVERS/.s.PGSQL.5432"
	relay redis "$1" "$REDIS_PORT" "$SERVERS/redis.sock"
}

both_are() {
	printf '%s\n' "db.test $*" "redis.test $*" >"$NAMES/new"
	chmod 644 "$NAMES/new"
	mv "$NAMES/new" "$NAMES/file"
}

another_address() { has_ipv6 && echo ::1 || echo 127.0.0.5; }

# A call can be made and read, and watched from Redis and from PostgreSQL.
works() {
	wait_until 60 is_ready
	create_call
	api GET "/calls/$call_id"
	expect 200
	wait_until 60 can_be_watched
	wait_until 60 has_recording
	forget_in_redis
	wait_until 60 can_be_watched
}

# Not by forget_live: that asks the Redis of the instance in use.
forget_in_redis() {
	redis-cli -s "$SERVERS/redis.sock" EVAL "return redis.call('DEL', unpack(KEYS))" 1 \
		"$(redis-cli -s "$SERVERS/redis.sock" --scan --pattern "mcs:2:{*}:call:$call_id")"
}

can_be_watched() { watch "$call_id" --count 2 >"$BATS_TEST_TMPDIR/watched"; }

@test "the first address of both databases is silent from the start: the second serves" {
	works
}

@test "a name that moves is followed, and what is silent there costs its share of the time only" {
	relays 127.0.0.3
	both_are 127.0.0.4 127.0.0.2 127.0.0.3
	works
	both_are 127.0.0.2 "$(another_address)"
	relays "$(another_address)"
	works
	both_are 127.0.0.3
	relays 127.0.0.3
	works
}

@test "while names cannot be resolved the last addresses serve; where those are gone, everybody is answered" {
	both_are hang
	relays 127.0.0.3
	works
	end_relay db
	end_relay redis
	wait_until 60 is_away
	post /calls '{"from": "+1234567890", "to": "+0987654321"}'
	expect 503
	run watch 0190aaaa-bbbb-7ccc-8ddd-0000000000a5
	match "$output" '^! http 503'
	run "$WSCAT" --timeout 30 "ws://127.0.0.1:$PORT/ws"
	match "$output" '^! close 1008 '
	api GET /health
	expect 200
	both_are "$(another_address)"
	relays "$(another_address)"
	works
}

is_away() {
	api GET /ready
	[[ $status_code == 503 ]]
}
