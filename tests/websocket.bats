# The WebSocket: a subscriber of a call gets each of its events, once and in order, and its end.

load harness/helpers
load harness/service

# The calls of the instance `still` stay in each state for minutes; see move_on.
setup_file() { start_instance still TIME_SCALE=0.01 MAX_CPS_PER_KEY=1000 MAX_CONCURRENT_CALLS_PER_KEY=1000; }

setup() {
	use fast
	fresh_key
}

# Lets the call, which is in that state, enter the next one at once.
move_on() {
	local key
	key=$(live_key call "$call_id")
	live ZADD "${key%call:*}due" XX 0 "$call_id advance $1" >/dev/null
}

# The "status seq" pairs of the events in $output, and what else was said.
events() { sed -n '/^{"call_id"/p' <<<"$output" | jq -r '"\(.status) \(.seq)"' | paste -sd,; }
others() { sed '/^{"call_id"/d' <<<"$output"; }

# Fails unless $output tells the whole rest of the call $call_id from its present state on.
tells_to_the_end() {
	match "$(events)" '^(QUEUED 1,)?(RINGING 2,)?((UN)?ANSWERED 3,)?(COMPLETED 4,)?COMPLETED 5$' || return
	same "$(others)" "{\"type\":\"connected\",\"call_id\":\"$call_id\",\"message\":\"Connected to call updates\"}
! close 1000 Call finished"
}

@test "the first message says that one is connected, the second is the current state" {
	use still
	create_call
	run watch "$call_id" --count 2
	same "$status" 0
	same "${lines[0]}" \
		"{\"type\":\"connected\",\"call_id\":\"$call_id\",\"message\":\"Connected to call updates\"}"
	match "${lines[1]}" \
		"^\{\"call_id\":\"$call_id\",\"status\":\"QUEUED\",\"timestamp\":\"$iso_time\",\"seq\":1\}\$"
}

@test "every state comes, then the recording's URL, then close 1000" {
	create_call
	run watch "$call_id&after=0"
	same "$status" 0
	tells_to_the_end
	match "$(events)" '^QUEUED 1,RINGING 2,(UN)?ANSWERED 3,COMPLETED 4,COMPLETED 5$'
	same "$(sed -n '/"seq":5/p' <<<"$output" | jq -r .recording_url)" \
		"https://mock-recordings-bucket.s3.us-east-1.amazonaws.com/recordings/$call_id.mp3"
}

@test "the messages agree with the history in the row, to the millisecond" {
	create_call
	run watch "$call_id"
	tells_to_the_end
	local at
	at=$(sql "SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')
		FROM calls, unnest(entered_at || updated_at::timestamptz) AS t WHERE id = '$call_id' ORDER BY t")
	# A subscriber that came late has seen the end of the history only.
	local told
	told=$(sed -n '/^{"call_id"/p' <<<"$output" | jq -r .timestamp)
	same "$told" "$(tail -n "$(wc -l <<<"$told")" <<<"$at")"
	api GET "/calls/$call_id"
	same "$(json .updated_at)" "$(tail -n 1 <<<"$at")"
}

@test "a late subscriber gets the current state at once" {
	create_call
	wait_until 60 has_status COMPLETED
	wait_until 60 has_recording
	run watch "$call_id"
	same "$status" 0
	same "$(events)" 'COMPLETED 5'
	tells_to_the_end
}

# The `outcome` of each event in $output, - where there is none.
outcomes() { sed -n '/^{"call_id"/p' <<<"$output" | jq -r '.outcome // "-"' | paste -sd,; }

@test "after=0: every event of a call that is over, and how it ended; GET says it, too" {
	create_call
	wait_until 60 has_recording
	local outcome
	outcome=$(json .outcome)
	run watch "$call_id&after=0"
	same "$status" 0
	same "$(events)" "QUEUED 1,RINGING 2,${outcome^^} 3,COMPLETED 4,COMPLETED 5"
	same "$(outcomes)" "-,-,-,$outcome,$outcome"
	tells_to_the_end
	run watch "$call_id"
	same "$(outcomes)" "$outcome"
}

@test "an after that is no number of events is 400 before the upgrade" {
	create_call
	local after
	for after in x -1 1.5 1000001 99999999999999999999 '' 0x1; do
		run watch "$call_id&after=$after"
		same "$output" '! http 400
{"error":"Bad Request","message":"after must be the seq of an event, or 0"}'
	done
}

@test "of the subprotocols that a client offers the first is chosen, as the original does" {
	create_call
	run watch "$call_id" --count 1 --head --header 'Sec-WebSocket-Protocol: mcs, other'
	same "$status" 0
	match "${output,,}" $'sec-websocket-protocol: mcs(\r|\n|$)'
	run watch "$call_id" --count 1 --head
	[[ ${output,,} != *sec-websocket-protocol* ]]
	run watch "$call_id" --header 'Sec-WebSocket-Protocol: a b'
	match "$output" '^! http 400'
}

@test "a call that Redis has forgotten is read from PostgreSQL" {
	create_call
	wait_until 60 has_recording
	forget_live
	run watch "$call_id"
	same "$(events)" 'COMPLETED 5'
	tells_to_the_end
}

@test "two subscribers of one call get the same" {
	create_call
	watch "$call_id&after=0" >"$BATS_TEST_TMPDIR/first" 3>&- &
	local first=$!
	run watch "$call_id&after=0"
	wait "$first"
	tells_to_the_end
	same "$(sed -n '/"seq":[345]/p' <"$BATS_TEST_TMPDIR/first")" "$(sed -n '/"seq":[345]/p' <<<"$output")"
}

@test "a call's id in capitals is the same call" {
	create_call
	run watch "${call_id^^}"
	tells_to_the_end
}

@test "many subscribers of many calls at once each get their own call to its end" {
	local i ids=() subscribers=()
	for i in {1..10}; do
		((i % 2)) || fresh_key
		create_call
		ids+=("$call_id")
		watch "$call_id" >"$BATS_TEST_TMPDIR/$call_id" 3>&- &
		subscribers+=($!)
	done
	for i in "${subscribers[@]}"; do wait "$i"; done
	for call_id in "${ids[@]}"; do
		output=$(<"$BATS_TEST_TMPDIR/$call_id")
		same "$(sed -n '/^{/p' <<<"$output" | jq -r .call_id | sort -u)" "$call_id"
		tells_to_the_end
	done
}

# --- what is refused ------------------------------------------------------------------------------

@test "without call_id the WebSocket is closed with 1008" {
	local query
	for query in '' '?' '?call_id=' '?other=1'; do
		run "$WSCAT" "ws://127.0.0.1:$PORT/ws$query"
		same "$output" '! close 1008 Missing call_id'
	done
}

@test "an unknown call is 404 before the upgrade" {
	local id
	for id in 019a0000-0000-7000-8000-000000000000 nonsense 550e8400-e29b-41d4-a716-446655440000; do
		run watch "$id"
		same "$output" "! http 404
{\"error\":\"Not Found\",\"message\":\"Call not found\"}"
	done
}

@test "a plain GET on /ws is 426" {
	api GET '/ws?call_id=019a0000-0000-7000-8000-000000000000'
	expect_error 426 'WebSocket endpoint: send an Upgrade request (version 13)'
	quirk hop-by-hop || same "$(header Upgrade)" websocket
	same "$(header Sec-WebSocket-Version)" 13
}

@test "only the path /ws is the WebSocket, with or without a slash at its end" {
	local path
	for path in /ws/x /wsx /x/ws /ws%2f; do
		run "$WSCAT" "ws://127.0.0.1:$PORT$path?call_id=019a0000-0000-7000-8000-000000000000"
		match "$output" '^! http 404'
	done
}

@test "no API key is asked for, and a wrong one is not looked at" {
	create_call
	run watch "$call_id" --header 'Authorization: Bearer wrong' --origin https://anywhere.example
	tells_to_the_end
}

# --- what clients send ----------------------------------------------------------------------------

@test "what a client sends is ignored, a ping is answered" {
	use still
	create_call
	watch "$call_id" --send hello --send '{"a":1}' --raw 898500000000686c6c6f6f --pongs >"$BATS_TEST_TMPDIR/out" 3>&- &
	wait_until 60 grep -q '! pong hlloo' "$BATS_TEST_TMPDIR/out"
	move_on 1
	wait_until 60 grep -q '"seq":2' "$BATS_TEST_TMPDIR/out"
	kill "$!"
}

@test "a client that sends garbage is closed with 1002, and the others go on" {
	use still
	create_call
	watch "$call_id" --timeout 600 >"$BATS_TEST_TMPDIR/good" 3>&- &
	local good=$! garbage
	wait_until 60 grep -q '"seq":1' "$BATS_TEST_TMPDIR/good"
	# not masked; reserved bits; an unknown opcode; a long ping; a continuation of nothing
	for garbage in 810548656c6c6f f18000000000 8b8000000000 89fe00ff00000000 808000000000; do
		run "$WSCAT" --raw "$garbage" "ws://127.0.0.1:$PORT/ws?call_id=$call_id"
		match "$output" '! close 1002'
	done
	move_on 1
	wait_until 60 grep -q '"seq":2' "$BATS_TEST_TMPDIR/good"
	kill "$good"
	wait "$good" || :
	same "$(grep '^!' "$BATS_TEST_TMPDIR/good")" ''
}

@test "text that is no UTF-8 is closed with 1007, a message that is too large with 1009" {
	use still
	create_call
	run watch "$call_id" --raw 818100000000ff
	match "$output" '! close 1007'
	run watch "$call_id" --raw 82ff7fffffffffffffff00000000
	match "$output" '! close 1009'
}

@test "a client that closes gets its close back" {
	use still
	create_call
	run watch "$call_id" --raw 88820000000003e8
	match "$output" '! close 1000$'
}

# --- several of them ------------------------------------------------------------------------------

@test "several wsds and workers at once: each subscriber gets all, each state is entered once" {
	local wsd worker i subscribers=() socket=$MCS_VAR/run/wsd2.sock
	exec_in_instance WSD_LISTEN="$socket" \
		"$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-wsd" 2>"$BATS_TEST_TMPDIR/wsd2.log" 3>&- &
	wsd=$!
	exec_in_instance "$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-worker" \
		2>"$BATS_TEST_TMPDIR/worker2.log" 3>&- &
	worker=$!
	wait_until 60 test -S "$socket"
	wait_until 60 grep -q worker.start "$BATS_TEST_TMPDIR/worker2.log"
	for i in {1..12}; do
		((i % 2)) || fresh_key
		create_call
		if ((i % 2)); then
			watch "$call_id"
		else
			"$WSCAT" --timeout 60 "unix:$socket:/ws?call_id=$call_id"
		fi >"$BATS_TEST_TMPDIR/watch.$call_id" 3>&- &
		subscribers+=($!)
	done
	for i in "${subscribers[@]}"; do wait "$i"; done
	local file
	for file in "$BATS_TEST_TMPDIR"/watch.*; do
		call_id=${file##*.}
		output=$(<"$file")
		tells_to_the_end
		same "$({ log_of worker; cat "$BATS_TEST_TMPDIR/worker2.log"; } | grep "id=$call_id " |
			grep -o 'call.advance id=[^ ]* seq=[0-9]' | sed 's/.*=//' | sort | paste -sd,)" 2,3,4
		same "$(sql "SELECT status || seq FROM calls WHERE id = '$call_id'")" COMPLETED5
	done
	wait_until 60 second_worker_plays
	kill -TERM "$wsd" "$worker"
	wait "$wsd"
	wait "$worker"
	grep -q 'worker.stop' "$BATS_TEST_TMPDIR/worker2.log"
	[[ ! -e $socket ]]
}

# Both workers play; creates more calls for the second one if it had none yet.
second_worker_plays() {
	grep -q 'worker call.advance' "$BATS_TEST_TMPDIR/worker2.log" && return
	fresh_key && create_call
	return 1
}

@test "a wsd that is told to stop closes its subscribers with 1001" {
	use still
	create_call
	local wsd subscriber
	exec_in_instance WSD_LISTEN="$BATS_TEST_TMPDIR/wsd2.sock" \
		"$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-wsd" 2>"$BATS_TEST_TMPDIR/wsd2.log" 3>&- &
	wsd=$!
	wait_until 60 test -S "$BATS_TEST_TMPDIR/wsd2.sock"
	"$WSCAT" --timeout 60 "unix:$BATS_TEST_TMPDIR/wsd2.sock:/ws?call_id=$call_id" \
		>"$BATS_TEST_TMPDIR/out" 3>&- &
	subscriber=$!
	wait_until 60 grep -q '"seq":1' "$BATS_TEST_TMPDIR/out"
	kill -TERM "$wsd"
	wait "$wsd"
	wait "$subscriber"
	match "$(<"$BATS_TEST_TMPDIR/out")" '! close 1001 Server is shutting down'
}

@test "a client in the middle of a handshake when wsd is told to stop gets a 503" {
	use still
	create_call
	local wsd port half waiting reply request="GET /ws?call_id=$call_id HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	local rest='Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
	port=$(free_port)
	exec_in_instance WSD_LISTEN="127.0.0.1:$port" "$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-wsd" 2>"$BATS_TEST_TMPDIR/wsd2.log" 3>&- &
	wsd=$!
	wait_until 60 grep -q wsd.start "$BATS_TEST_TMPDIR/wsd2.log"
	exec {half}<>"/dev/tcp/127.0.0.1/$port"
	printf '%b' "$request" >&"$half"
	wait_until 60 are_read "$port" 1
	kill -STOP "$wsd"
	exec {waiting}<>"/dev/tcp/127.0.0.1/$port" # nobody accepts it now
	printf '%b' "$request$rest" >&"$waiting"
	kill -TERM "$wsd"
	kill -CONT "$wsd"
	wait_until 60 grep -q wsd.stop "$BATS_TEST_TMPDIR/wsd2.log"
	printf '%b' "$rest" >&"$half"
	read -r -t 60 reply <&"$half"
	match "$reply" '^HTTP/1\.1 503 '
	read -r -t 60 reply <&"$waiting"
	match "$reply" '^HTTP/1\.1 503 '
	exec {half}>&- {waiting}>&-
	wait "$wsd"
}

# Whether so many connections to that port have nothing left that was not read.
are_read() { (($(ss -tnH state established "sport = :$1" | awk '$1 == 0' | wc -l) == $2)); }

@test "a wsd that is full answers 503, and lets clients in again when one has left" {
	use still
	create_call
	local wsd subscriber
	exec_in_instance WSD_LISTEN="$BATS_TEST_TMPDIR/wsd2.sock" WSD_MAX_CONNECTIONS=1 \
		"$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-wsd" 2>"$BATS_TEST_TMPDIR/wsd2.log" 3>&- &
	wsd=$!
	wait_until 60 test -S "$BATS_TEST_TMPDIR/wsd2.sock"
	"$WSCAT" --timeout 60 "unix:$BATS_TEST_TMPDIR/wsd2.sock:/ws?call_id=$call_id" \
		>"$BATS_TEST_TMPDIR/out" 3>&- &
	subscriber=$!
	wait_until 60 grep -q '"seq":1' "$BATS_TEST_TMPDIR/out"
	run "$WSCAT" "unix:$BATS_TEST_TMPDIR/wsd2.sock:/ws?call_id=$call_id"
	match "$output" '^! http 503'
	kill "$subscriber"
	wait "$subscriber" || :
	wait_until 60 gets_in "$BATS_TEST_TMPDIR/wsd2.sock"
	kill -TERM "$wsd"
	wait "$wsd"
}

gets_in() { "$WSCAT" --count 2 "unix:$1:/ws?call_id=$call_id" >/dev/null; }

wsd_peak_kb() { awk '$1 == "VmHWM:" { print $2 }' "/proc/$(component_pid wsd)/status"; }

@test "watching 240 calls at once whose metadata writes out to 2.8 MB each costs wsd little memory" {
	[[ ! ${MCS_TEST_DOCKER:-} ]] || skip "looks into wsd's process"
	local before grown ids=019a0000-0000-7000-8000-00000f00 told
	insert_calls 240 id:="('$ids' || lpad(n::text, 4, '0'))::uuid" api_key="$KEY" status=COMPLETED \
		recording_url=https://x/y.mp3 \
		metadata:="(SELECT jsonb_build_object('n', jsonb_agg(1e308::numeric)) FROM generate_series(1, 10915))"
	before=$(wsd_peak_kb)
	told=$(curl -q -sS --noproxy '*' -N -Z --parallel-immediate --parallel-max 240 --max-time 120 --http1.1 \
		-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \
		-H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "$BASE/ws?call_id=$ids[0001-0240]" |
		grep -a -o '"seq":5' | wc -l)
	grown=$(($(wsd_peak_kb) - before))
	sql "DELETE FROM calls WHERE api_key = '$KEY'"
	same "$told" 240
	((grown < 30000)) || { echo "wsd grew by $grown kB" && false; }
}
