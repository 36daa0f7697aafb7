# ./mcs restart, and stopping each program: no request fails, and no subscriber misses an event.

load harness/helpers
load harness/service
load faults/account

setup_file() {
	start_instance rolling TIME_SCALE=8 MAX_CPS_PER_KEY=12 MAX_CONCURRENT_CALLS_PER_KEY=12
}

setup() {
	use rolling
	log=$BATS_TEST_TMPDIR/load.log
}

# Starts the load, and returns when there is enough of it.
start_load() {
	take_keys 6
	setpriv --pdeathsig KILL -- "$MCS_ROOT/build/${MCS_BUILD:-release}/tests/load" traffic 127.0.0.1 "$PORT" "$log" 600 60 200 60 \
		"${keys[@]}" >"$BATS_TEST_TMPDIR/totals" 3>&- 4>&- &
	load_pid=$!
	wait_until 60 load_is_on "$log"
}

# Ends it, and accounts; arguments as account() takes them.
end_load() {
	kill -s TERM "$load_pid"
	wait "$load_pid"
	cat "$BATS_TEST_TMPDIR/totals"
	wait_until 60 all_ended
	account "$log" "$@"
}

total() { jq -r ".$1" "$BATS_TEST_TMPDIR/totals"; }

# Without the parent of a pool that is a component of its own: that becomes the new program in its old process.
components_of_service() {
	for component in wsd worker; do component_pid "$component"; done
	pool_pids | if [[ $(component_pid pool) ]]; then tail -n +2; else cat; fi
}

@test "a restart under load: everything is new, no request fails, subscribers come back and miss nothing" {
	local before after
	before=$(components_of_service)
	start_load
	mcs restart
	end_load
	after=$(components_of_service)
	quirk starts-processes || same "$(wc -w <<<"$after")" "$(wc -w <<<"$before")"
	(($(wc -w <<<"$after") >= $(quirk starts-processes && echo 2 || echo 6)))
	same "$(sort <<<"$before"$'\n'"$after" | uniq -d)" ''
	same "$(total no_answer) $(total other) $(total unavailable)" '0 0 0'
	(($(total cuts) > 0))
}

@test "a request that is under way when a restart begins is answered" {
	local socket before restart reply
	fresh_key
	before=$(component_pid wsd)
	exec {socket}<>"/dev/tcp/127.0.0.1/$PORT"
	printf 'POST /calls HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 23\r\nConnection: close\r\n\r\n{"from":"+1",' \
		"$KEY" >&"$socket"
	wait_until 60 is_read "$PORT"
	mcs restart 3>&- &
	restart=$!
	wait_until 60 is_another wsd "$before" # the web server was told to restart before that
	printf '"to":"+2"}' >&"$socket"
	read -r -t 60 reply <&"$socket"
	exec {socket}>&-
	match "$reply" '^HTTP/1\.1 201 '
	wait "$restart"
}

# Whether the connection to that port, the only one, has nothing left that was not read.
is_read() { same "$(ss -tnH state established "sport = :$1" | awk '{ print $1 }')" 0; } 2>/dev/null

@test "three restarts in a row under load" {
	start_load
	mcs restart
	mcs restart
	mcs restart
	end_load
	same "$(total no_answer) $(total other) $(total unavailable)" '0 0 0'
}

@test "a worker that is told to stop finishes its batch, and so does each other program" {
	local name before excuse=()
	! quirk gateway-502 || excuse=(also=502 in_hand=1000)
	start_load
	for name in worker wsd; do
		before=$(component_pid "$name")
		kill -s TERM "$before"
		wait_until 60 is_replaced "$name" "$before"
	done
	# The pool's children, one after the other; the parent replaces them.
	for before in $(quirk starts-processes || pool_pids | tail -n +2); do
		kill -s TERM "$before"
		wait_until 60 are_gone "$before"
	done
	end_load "${excuse[@]}"
	same "$(total no_answer) $(total other) $(total unavailable)" '0 0 0'
}

# Whether there is another process of the component; marks in the load's log, for `excuse`, when that was not yet so.
is_replaced() {
	kill -s USR1 "$load_pid"
	is_another "$@"
}


@test "a subscriber that reconnects says what it has, and gets what it missed" {
	fresh_key
	create_call
	wait_until 60 has_recording
	"$WSCAT" --timeout 30 "ws://127.0.0.1:$PORT/ws?call_id=$call_id&after=2" >"$BATS_TEST_TMPDIR/out"
	same "$(sed -n '/^{"call_id"/p' "$BATS_TEST_TMPDIR/out" | jq -r .seq | paste -sd,)" 3,4,5
	"$WSCAT" --timeout 30 "ws://127.0.0.1:$PORT/ws?after=5&call_id=$call_id" >"$BATS_TEST_TMPDIR/out"
	same "$(grep -c '^{"call_id"' "$BATS_TEST_TMPDIR/out")" 0
	grep -q '^! close 1000' "$BATS_TEST_TMPDIR/out"
}

@test "./mcs restart says so when nothing runs" {
	MCS_VAR=$BATS_TEST_TMPDIR/none run mcs restart
	same "$status" 1
	match "$output" 'not running in'
}

# A tree of its own, with what was built: its build can be taken away.
make_tree() {
	local tree=$1 path
	mkdir -p "$tree/build"
	for path in "$MCS_ROOT"/*; do
		[[ $path == */build ]] || ln -s "$path" "$tree/"
	done
	rm "$tree/mcs"
	cp "$MCS_ROOT/mcs" "$tree/"
	cp -a "$MCS_ROOT/build/${MCS_BUILD:-release}" "$tree/build/"
}

refused_restart() {
	local before
	before=$(<"$MCS_VAR/components")
	run mcs restart
	same "$status" 1
	match "$output" "$1"
	same "$(<"$MCS_VAR/components")" "$before"
	kill -0 "$(component_pid worker)"
	[[ ! $(find "$MCS_VAR/bin" -name '.new*') ]]
}

@test "a restart that cannot succeed is refused with a line, and the service goes on" {
	local servers=$MCS_VAR/run tree=$BATS_TEST_TMPDIR/tree at build=build/${MCS_BUILD:-release}
	chmod 755 "$BATS_TEST_TMPDIR"
	make_tree "$tree"
	MCS_ROOT=$tree start_instance treed POSTGRES_HOST="$servers" REDIS_HOST="$servers/redis.sock" PARTS=worker
	mv "$tree/$build" "$tree/$build.gone"
	refused_restart '^mcs: not restarted: cannot use .*/mcs-responder: .*No such file'
	# A program that does not start.
	mkdir -p "$tree/$build"
	cp "$tree/$build.gone"/mcs-* "$tree/$build/"
	truncate -s 10000 "$tree/$build/mcs-worker"
	refused_restart '^mcs: not restarted: cannot use .*/mcs-worker: .'
	rm -r "${tree:?}/$build"
	mv "$tree/$build.gone" "$tree/$build"
	run mcs restart
	same "$status" 0
	stop_instance treed
}

@test "a restart when the disk is full is refused with a line, and the service goes on" {
	local servers=$MCS_VAR/run
	small_disk=$(instances_folder)/small
	mkdir "$small_disk"
	mount -t tmpfs -o size=16m,mode=711 tmpfs "$small_disk" 2>/dev/null || skip 'cannot mount a small file system'
	start_instance small POSTGRES_HOST="$servers" REDIS_HOST="$servers/redis.sock" PARTS=worker
	dd if=/dev/zero of="$MCS_VAR/bin/filler" bs=4k 2>/dev/null || :
	refused_restart '^mcs: not restarted: cannot write to .* \(is the disk full\?\)'
	truncate -s -65536 "$MCS_VAR/bin/filler"
	refused_restart '^mcs: not restarted: cannot use .*/mcs-.*: .*No space left on device'
	rm "$MCS_VAR/bin/filler"
	run mcs restart
	same "$status" 0
	stop_instance small
}

teardown() {
	[[ ! ${small_disk:-} ]] || umount -l "$small_disk" 2>/dev/null || :
}
