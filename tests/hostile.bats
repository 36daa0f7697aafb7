# Raw bytes, broken and hostile clients, by REST and by WebSocket, through the web server and at
# wsd's own socket: each gets what it deserves, and nobody else notices.

load harness/helpers
load harness/service

# A call that stands still for ever: a row that only the database knows.
still_call=019a0000-0000-7000-8000-00000000abcd

# The other calls of this instance stay in each state for minutes, unless `play` is called.
setup_file() {
	start_instance hostile TIME_SCALE=0.01 LOG_LEVEL=debug WSD_MAX_CONNECTIONS=12000
	insert_call id="$still_call"
	# Clients that wsd will drop, after 10 s or after the second ping, come first.
	start_crowd half 300 60
	start_crowd silent 300 60
	start_crowd deaf 20 150
	start_crowd idle 20 150
}

start_crowd() {
	"$MCS_ROOT/build/${MCS_BUILD:-release}/tests/load" crowd "$@" \
		"unix:$MCS_VAR/run/wsd.sock:/ws?call_id=$still_call" >"$BATS_FILE_TMPDIR/$1" 3>&- 4>&- &
	wait_until 60 grep -q ready "$BATS_FILE_TMPDIR/$1"
}

setup() {
	use hostile
	fresh_key
	LOAD=$MCS_ROOT/build/${MCS_BUILD:-release}/tests/load
	wsd_socket=$MCS_VAR/run/wsd.sock
	target="/ws?call_id=$still_call"
	direct=unix:$wsd_socket:$target
	proxied=ws://127.0.0.1:$PORT$target
	# Under sanitizers everything is heavier: fewer clients, no bounds of memory.
	scale=1
	[[ ${MCS_BUILD:-release} != asan ]] || scale=5
}

teardown() {
	local number
	for number in "${crowds[@]}"; do kill "$number" 2>/dev/null || :; done
}

crowds=()

# --- what the cases need --------------------------------------------------------------------------

# Shows a measurement, also when all is well.
figure() { echo "# $*" >&3; }

# Sends a text with printf's escapes to wsd's socket, or with $1 = web to the web server; sets
# `output`. It ends soon after the first response (or, with --count N, the Nth).
send_raw() {
	local where=unix:$wsd_socket
	[[ $1 != web ]] || where=ws://127.0.0.1:$PORT
	shift
	# shellcheck disable=SC2059
	output=$(printf "$1" | "$WSCAT" --plain --timeout 60 --count 1 "${@:2}" "$where")
}

# The status codes in `output`, in order.
codes() { grep -ao 'HTTP/1\.[01] [0-9][0-9]*' <<<"$output" | cut -d' ' -f2 | paste -sd,; }

# Starts a crowd and waits until all of it is there; sets `crowd` to what it prints.
gather() {
	crowd=$BATS_TEST_TMPDIR/crowd.$RANDOM
	nice "$LOAD" crowd "$@" >"$crowd" 2>&1 3>&- &
	crowds+=($!)
	wait_until 60 grep -q '^ready' "$crowd"
	nowhere 'not let in' "$crowd"
}

# Waits for the end of the last crowd; sets `fate` to its report.
disperse() {
	wait "${crowds[-1]}"
	fate=$(tail -n 1 "$crowd")
	figure "$fate"
}

# Lets every call of the instance enter its next state at once.
play() {
	local key
	for key in $(live --scan --pattern 'mcs:2:{*}:due'); do
		live EVAL "for _, m in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
			redis.call('ZADD', KEYS[1], 0, m) end" 1 "$key" >/dev/null
	done
}

# Subscribes to 20 fresh calls through the web server, plays two states of each, and fails unless all 40 events
# come. Shows how late they were.
hear_events() {
	local urls=() ids=() pair i
	for pair in {1..10}; do
		fresh_key
		for i in 1 2; do
			create_call
			ids+=("$call_id")
			urls+=("ws://127.0.0.1:$PORT/ws?call_id=$call_id")
		done
	done
	local out=$BATS_TEST_TMPDIR/late.$RANDOM
	"$LOAD" late 40 120 "${urls[@]}" >"$out" 3>&- &
	local late=$!
	wait_until 60 grep -q ready "$out"
	play
	wait_until 60 have_entered 2 "${ids[@]}"
	play
	wait "$late"
	figure "$1: $(tail -n 1 "$out")"
}

# Whether all these calls wait for the end of that state.
have_entered() {
	[[ $(live EVAL 'local n = 0
		for i = 0, 15 do for _, id in ipairs(ARGV) do
			n = n + (redis.call("ZSCORE", string.format("mcs:2:{%x}:due", i), id .. " advance " .. KEYS[1]) and 1 or 0)
		end end
		return n' 1 "$@") == $(($# - 1)) ]]
}

rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$(component_pid wsd)/status"; }

connections() { ss -xH state connected "src $wsd_socket" | wc -l; }

# Fails, showing it, if the text is in one of the files or folders.
nowhere() {
	local text=$1
	shift
	if grep -rnawE -e "$text" "$@" >&2; then return 1; fi
}

# --- the WebSocket's bytes ------------------------------------------------------------------------

@test "600 clients that say nothing, or half a request, keep no event from others" {
	hear_events 'beside 600 half-open ones'
}

@test "frames as RFC 6455 has them, at wsd: in one piece and byte by byte" {
	"$WSCAT" --cases "$direct"
	"$WSCAT" --cases --bytewise "$direct"
}

@test "frames as RFC 6455 has them, through the web server: in one piece and byte by byte" {
	"$WSCAT" --cases "$proxied"
	"$WSCAT" --cases --bytewise "$proxied"
}

# --- handshakes -----------------------------------------------------------------------------------

key='Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
version='Sec-WebSocket-Version: 13\r\n'
upgrade='Upgrade: websocket\r\nConnection: Upgrade\r\n'

# Lines of: status, blank, request (with $target, $upgrade…); each answered so, and then hung up on.
expect_statuses() {
	local where=$1 wanted request
	while read -r wanted request; do
		request=${request//TARGET/$target} request=${request//KEY/$key}
		request=${request//VERSION/$version} request=${request//UPGRADE/$upgrade}
		send_raw "$where" "$request" --count 0
		same "$(codes) $(tail -n 1 <<<"$output")" "$wanted ! eof" ||
			{ printf 'the request was: %s\nanswer: %s\n' "$request" "$output" >&2 && return 1; }
	done
}

@test "bad handshakes are refused with the right status, and the connection ends" {
	expect_statuses wsd <<-'END'
		426 GET TARGET HTTP/1.1\r\nHost: h\r\n\r\n
		426 GET TARGET HTTP/1.1\r\nHost: h\r\nUPGRADEKEY\r\n
		426 GET TARGET HTTP/1.1\r\nHost: h\r\nUPGRADEKEYSec-WebSocket-Version: 12\r\n\r\n
		426 GET TARGET HTTP/1.1\r\nHost: h\r\nUPGRADEKEYSec-WebSocket-Version: 13, 8\r\n\r\n
		426 GET TARGET HTTP/1.1\r\nHost: h\r\nUPGRADEKEYVERSIONVERSION\r\n
		426 GET TARGET HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nKEYVERSION\r\n
		426 GET TARGET HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nKEYVERSION\r\n
		426 GET TARGET HTTP/1.0\r\nUPGRADEKEYVERSION\r\n
		400 GET TARGET HTTP/1.1\r\nHost: h\r\nUPGRADEVERSION\r\n
		400 GET TARGET HTTP/1.1\r\nHost: h\r\nUPGRADEVERSIONKEYKEY\r\n
		400 GET TARGET HTTP/1.1\r\nHost: h\r\nUPGRADEVERSIONSec-WebSocket-Key: short\r\n\r\n
		400 GET TARGET HTTP/1.1\r\nHost: h\r\nUPGRADEKEYVERSIONContent-Length: 4\r\n\r\nbody
		400 GET TARGET HTTP/1.1\r\nHost: h\r\nUPGRADEKEYVERSIONTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n
		400 GET TARGET HTTP/1.1\r\nHost: h\r\nUPGRADEKEYVERSIONOrigin: a\r\nOrigin: b\r\n\r\n
		400 GET TARGET HTTP/1.1\r\nX : y\r\nUPGRADEKEYVERSION\r\n
		400 GET TARGET HTTP/1.1\r\n folded\r\nUPGRADEKEYVERSION\r\n
		400 GET TARGET\001 HTTP/1.1\r\nUPGRADEKEYVERSION\r\n
		400 GET TARGET\000x HTTP/1.1\r\nUPGRADEKEYVERSION\r\n
		400 GET TARGET HTTP/2.0\r\nUPGRADEKEYVERSION\r\n
		400 \026\003\001\002\000\001\000\001\374\r\n\r\n
		400 \r\n\r\n
		404 GET /ws/../ws?call_id=x HTTP/1.1\r\nUPGRADEKEYVERSION\r\n
		404 GET //ws?call_id=x HTTP/1.1\r\nUPGRADEKEYVERSION\r\n
		404 GET /ws%%00?call_id=x HTTP/1.1\r\nUPGRADEKEYVERSION\r\n
		404 GET /ws?call_id=%%00 HTTP/1.1\r\nUPGRADEKEYVERSION\r\n
		404 GET /ws?call_id='OR'1'='1 HTTP/1.1\r\nUPGRADEKEYVERSION\r\n
		405 POST TARGET HTTP/1.1\r\nUPGRADEKEYVERSION\r\n
		405 OPTIONS TARGET HTTP/1.1\r\nUPGRADEKEYVERSION\r\n
	END
}

@test "a wrong version is told the right one, also through the web server" {
	local where
	for where in wsd web; do
		send_raw "$where" "GET $target HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}Sec-WebSocket-Version: 8\r\n\r\n"
		same "$(codes)" 426
		match "${output,,}" $'\nsec-websocket-version: 13\r'
	done
}

@test "an oversize handshake is 431" {
	local filler
	printf -v filler '%*s' 18000 ''
	send_raw wsd "GET $target HTTP/1.1\r\nX-Filler: ${filler// /x}\r\n$upgrade$key$version\r\n"
	same "$(codes)" 431
	printf -v filler '%*s' 20000 ''
	send_raw web "GET $target HTTP/1.1\r\nHost: h\r\nX-Filler: ${filler// /x}\r\n$upgrade$key$version\r\n"
	quirk long-header-400 && same "$(codes)" 400 || same "$(codes)" 431
}

@test "what is pipelined behind a handshake is taken for frames, never for a request" {
	local good="GET $target HTTP/1.1\r\nHost: h\r\n$upgrade$key$version\r\n"
	send_raw wsd "${good}GET /health HTTP/1.1\r\nHost: h\r\n\r\n"
	same "$(codes)" 101
	match "$(tail -c 20 <<<"$output" | od -An -tx1 | tr -d ' \n')" '880203ea'
	send_raw wsd "GET /ws/no HTTP/1.1\r\nHost: h\r\n\r\n$good"
	same "$(codes)" 404
	# A whole client in one packet, down to its close.
	send_raw wsd "$good\x88\x82\x00\x00\x00\x00\x03\xe8"
	same "$(codes)" 101
	match "$(tail -c 20 <<<"$output" | od -An -tx1 | tr -d ' \n')" '880203e8'
}

@test "a handshake byte by byte is a handshake" {
	send_raw wsd "GET $target HTTP/1.1\r\nHost: h\r\n$upgrade$key$version\r\n\x88\x80\x00\x00\x00\x00" --bytewise
	same "$(codes)" 101
	match "$output" '"type":"connected"'
	send_raw web "GET $target HTTP/1.1\r\nHost: h\r\n$upgrade$key$version\r\n\x88\x80\x00\x00\x00\x00" --bytewise
	same "$(codes)" 101
}

@test "WSD_ORIGINS: pages of other origins are 403 before the upgrade; requests without Origin get in" {
	local wsd socket=$BATS_TEST_TMPDIR/wsd2.sock origin
	exec_in_instance WSD_LISTEN="$socket" WSD_ORIGINS='https://a.example, http://localhost:8080' \
		"$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-wsd" 2>"$BATS_TEST_TMPDIR/wsd2.log" 3>&- &
	wsd=$!
	crowds+=("$wsd")
	wait_until 60 test -S "$socket"
	for origin in https://b.example null '' https://a.example.evil https://xa.example http://a.example \
		https://a.example:444 'https://a.example, http://localhost:8080' "https://a.example/"; do
		run "$WSCAT" --count 2 --origin "$origin" "unix:$socket:$target"
		same "$output" $'! http 403\n{"error":"Forbidden","message":"Origin not allowed"}'
	done
	for origin in https://a.example http://localhost:8080; do
		run "$WSCAT" --count 2 --origin "$origin" "unix:$socket:$target"
		match "$output" '"type":"connected"'
	done
	run "$WSCAT" --count 2 "unix:$socket:$target"
	match "$output" '"type":"connected"'
	# Without the setting everybody gets in.
	run "$WSCAT" --count 2 --origin https://b.example "$direct"
	match "$output" '"type":"connected"'
	kill -TERM "$wsd"
	wait "$wsd"
}

# --- many of them ---------------------------------------------------------------------------------

@test "half requests and silent clients were dropped after 10 s" {
	local kind
	for kind in silent half; do
		wait_until 60 grep -q open= "$BATS_FILE_TMPDIR/$kind"
		figure "$kind: $(tail -n 1 "$BATS_FILE_TMPDIR/$kind")"
		match "$(tail -n 1 "$BATS_FILE_TMPDIR/$kind")" \
			'^open=0 gone=300 first_s=(9\.9|[1-9][0-9]\.[0-9]) '
	done
}

@test "10,000 idle subscribers cost little memory and keep no event from others" {
	local before count=$((10000 / scale)) all
	hear_events 'before'
	before=$(rss_kb)
	gather idle "$count" 2.5 "$direct"
	all=$(rss_kb)
	figure "$(((all - before) * 1024 / count)) bytes each, $all KiB in all"
	hear_events "beside $count idle ones"
	(((all - before) * 1024 / count < 2000 || scale > 1))
	disperse
	match "$fate" "^open=$count gone=0"
	wait_until 60 no_more_than 100 connections
	figure "wsd holds $(($(rss_kb) - before)) KiB more afterwards"
	(($(rss_kb) - before < (all - before) / 2 + 4000 || scale > 1))
}

no_more_than() { (($("$2") <= $1)); }

@test "clients that never read what they ask for hold little memory" {
	local before held
	before=$(rss_kb)
	gather deaf 100 2.5 "$direct"
	hear_events 'beside 100 that ping and never read'
	held=$(($(rss_kb) - before))
	figure "wsd holds $held KiB more"
	((held < 100 * 40 + 4000 || scale > 1))
	disperse
	match "$fate" '^open=100 gone=0'
	gather deaf 20 1 "$proxied"
	disperse
	(($(rss_kb) - before < 100 * 40 + 4000 || scale > 1))
}

@test "floods of pings, long messages and endless fragments keep no event from others, and no memory" {
	local before kind where files
	before=$(rss_kb)
	for where in "$direct" "$proxied"; do
		files=()
		for kind in pings texts fragments; do
			gather "$kind" 10 2.5 "$where"
			files+=("$crowd")
		done
		hear_events "beside 30 that flood at ${where%%:*}"
		wait "${crowds[@]}"
		for crowd in "${files[@]}"; do
			figure "$(tail -n 1 "$crowd")"
			match "$(tail -n 1 "$crowd")" '^open=10 gone=0'
		done
	done
	figure "wsd holds $(($(rss_kb) - before)) KiB more"
	(($(rss_kb) - before < 16000 || scale > 1))
}

# Each holds a connection of lighttpd, and nothing of ours, until its request is whole. lighttpd lets in
# half as many as it may have descriptors.
@test "9,400 clients that send a byte a second of their head or body: others are served" {
	skip_by_quirk thread-a-connection
	local i count=$((4700 / scale))
	gather slow-head "$count" 10 "ws://127.0.0.1:$PORT"
	gather slow-body "$count" 8 "ws://127.0.0.1:$PORT"
	gather drip 50 3 "$proxied"
	for i in {1..20}; do
		api GET /health
		expect 200
	done
	hear_events "beside $((2 * count)) slow requests"
	wait "${crowds[@]}"
	for crowd in "$BATS_TEST_TMPDIR"/crowd.*; do
		figure "$(tail -n 1 "$crowd")"
		match "$(tail -n 1 "$crowd")" ' gone=0 '
	done
}

@test "10,000 clients that begin a request and send no more are cut off after 40 s, and others served again" {
	local begin=$SECONDS
	gather half 5000 150 "ws://127.0.0.1:$PORT" # these stay for longer than the next request may take
	gather half 5000 150 "ws://127.0.0.1:$PORT"
	api GET /health --max-time 120
	expect 200
	figure "the next request waited for $((SECONDS - begin)) s"
	create_call
}

@test "a client that never reads, or answers no ping, was dropped when the next ping was due" {
	local kind
	for kind in deaf idle; do
		wait_until 120 grep -q open= "$BATS_FILE_TMPDIR/$kind"
		figure "$kind: $(tail -n 1 "$BATS_FILE_TMPDIR/$kind")"
		match "$(tail -n 1 "$BATS_FILE_TMPDIR/$kind")" '^open=0 gone=20 first_s=(49|[5-9][0-9])\.[0-9] '
	done
}

# --- requests -------------------------------------------------------------------------------------

calls_before() { rows=$(sql 'SELECT count(*) FROM calls'); }
# Fails unless that many calls were created since.
calls_created() { same "$(sql 'SELECT count(*) FROM calls')" "$((rows + $1))"; }

@test "no request is smuggled: lengths that contradict each other create nothing but one answer" {
	local post="POST /calls HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer $KEY\r\nContent-Type: application/json\r\n"
	local call='{"from":"+1","to":"+2"}' inner created=0
	inner="${post}Content-Length: 23\r\n\r\n$call"
	calls_before
	send_raw web "${post}Content-Length: 23\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n$inner"
	match "$(codes)" '^400'
	! quirk lengths-unjudged || created=$((created + 1))
	send_raw web "${post}Content-Length: 0\r\nContent-Length: ${#inner}\r\n\r\n$inner"
	match "$(codes)" '^400'
	! quirk first-length || created=$((created + 1))
	send_raw web "${post}Content-Length: 23, 23\r\n\r\n$call"
	if quirk same-lengths; then
		match "$(codes)" '^201$'
		created=$((created + 1))
	else
		match "$(codes)" '^400'
	fi
	send_raw web "${post}Content-Length: +23\r\n\r\n$call"
	match "$(codes)" '^400'
	send_raw web "${post}Content-Length: -1\r\n\r\n$call"
	match "$(codes)" '^4'
	send_raw web "${post}Content-Length: 99999999999999999999\r\n\r\n$call"
	match "$(codes)" '^4'
	send_raw web "${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"
	match "$(codes)" '^[45]'
	send_raw web "${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n$call\r\n0\r\n\r\n"
	match "$(codes)" '^400'
	send_raw web "${post}Transfer-Encoding: chunked\r\n\r\n17\r\n${call}XX0\r\n\r\n"
	if quirk broken-chunks; then
		match "$(codes)" '^201'
		created=$((created + 1))
	else
		match "$(codes)" '^400'
	fi
	send_raw web "${post}Transfer-Encoding : chunked\r\nContent-Length: 23\r\n\r\n$call"
	match "$(codes)" '^400'
	calls_created "$created"
}

@test "what follows a body is the next request, and nothing else" {
	local post="POST /calls HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer $KEY\r\nContent-Type: application/json\r\n"
	local call='{"from":"+1","to":"+2"}'
	calls_before
	send_raw web "${post}Transfer-Encoding: chunked\r\n\r\n17;x=y\r\n$call\r\n0\r\n\r\nrubbish\r\n\r\n" --count "$(quirk chunked-unread && echo 1 || echo 2)"
	match "$(codes)" "$(quirk chunked-unread && echo '^400' || echo '^201,400$')"
	send_raw web "${post}Content-Length: 23\r\n\r\n${call}GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" --count 2
	same "$(codes)" 201,200
	calls_created "$(quirk chunked-unread && echo 1 || echo 2)"
}

@test "a body that looks like FastCGI records is a body" {
	# BEGIN_REQUEST, PARAMS and STDIN of a forged request, at several offsets.
	local record='\x01\x01\x00\x01\x00\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00'
	record+='\x01\x04\x00\x01\x00\x17\x00\x00\x0e\x07REQUEST_METHODDELETE!\x01\x04\x00\x01\x00\x00\x00\x00\x01\x05\x00\x01\x00\x00\x00\x00'
	local offset filler length path
	calls_before
	for path in /calls /nothing /health; do
		for offset in 0 1 7 8 64 8184 8192 65528; do
			printf -v filler '%*s' "$offset" ''
			length=$(($(printf "$record" | wc -c) + offset))
			send_raw web "POST $path HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer $KEY\r\nContent-Type: application/json\r\nContent-Length: $length\r\nConnection: close\r\n\r\n$filler$record"
			match "$(codes)" '^(400|404|405|413)$'
		done
	done
	api GET /health
	expect 200
	calls_created 0
}

@test "a body that is cut short does nothing" {
	calls_before
	send_raw web "POST /calls HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer $KEY\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n{\"from\":\"+1\",\"to\":\"+2\"}" --timeout 0.3
	send_raw web "POST /calls HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer $KEY\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n{\"from\":\"+1\",\"to\":\"+2\"}\r\n" --timeout 0.3
	calls_created 0
}

@test "paths with NUL, dots, doubled or escaped slashes lead nowhere" {
	local path
	for path in '/%00' '/calls%00' '/health%00' '/health%0a' '/%zz' '/calls%'; do
		api GET "$path"
		match "$status_code" '^40[04]$'
	done
	for path in /../health /./health /x/../health //health /health// /health/. /health/.. \
		/%2e%2e/health /%2e/health /x/%2e%2e/health '/%2fhealth' '/calls/..%2f..%2fhealth' \
		'/calls/../../../etc/passwd' '/health%2f..' '/x%2f..%2fhealth' '/\..\health' '/health;x'; do
		api GET "$path"
		! quirk dot-segments-400 || [[ $status_code != 400 || $path != *@(..|%2e)* ]] || continue
		expect 404 || { echo "the path was $path" >&2 && return 1; }
	done
	api GET '/%68ealth?x=%00&y=../..'
	expect 200
}

@test "huge heads are refused, whatever is huge about them" {
	local filler i many=''
	printf -v filler '%*s' 20000 ''
	filler=${filler// /x}
	local refused=431
	! quirk long-header-400 && ! quirk long-header-200 || refused=400
	if ! quirk long-header-200; then
		send_raw web "GET /health HTTP/1.1\r\nHost: h\r\nX: $filler\r\n\r\n"
		same "$(codes)" "$refused"
		send_raw web "GET /$filler HTTP/1.1\r\nHost: h\r\n\r\n"
		match "$(codes)" '^4(14|31)$'
	fi
	for i in {1..2000}; do many+="X$i: y\r\n"; done
	! quirk many-headers || refused=400
	send_raw web "GET /health HTTP/1.1\r\nHost: h\r\n$many\r\n"
	same "$(codes)" "$refused"
	send_raw web "GET /health HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${filler:0:8000}\r\nConnection: close\r\n\r\n"
	same "$(codes)" 200
	KEY='' api GET /calls/x -H "Authorization: Bearer ${filler:0:8000}"
	expect 401
}

@test "a poisoned Host or X-Forwarded header gets into no answer" {
	local host
	create_call '{"from":"+1","to":"+2"}'
	for host in 'evil.example/x' 'a b' 'h"onload=' "h'><script>" 'h:99999999' 'u:p@evil.example' '[::1' \
		'h\r\nX-Injected: 1'; do
		fresh_key
		send_raw web "POST /calls HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer $KEY\r\nContent-Type: application/json\r\nContent-Length: 23\r\nConnection: close\r\n\r\n{\"from\":\"+1\",\"to\":\"+2\"}"
		match "$(codes)" '^(201|400)$'
		printf '%s' "$output" >"$BATS_TEST_TMPDIR/answer"
		nowhere 'evil|onload|script|h:99999999|X-Injected' "$BATS_TEST_TMPDIR/answer"
	done
	fresh_key
	post /calls '{"from":"+1","to":"+2"}' -H 'X-Forwarded-Host: evil.example' -H 'X-Forwarded-For: 6.6.6.6' \
		-H 'X-Forwarded-Proto: gopher' -H 'Forwarded: host=evil.example;proto=gopher' -H 'X-Host: evil.example' \
		-H 'X-Original-URL: /metrics' -H 'X-Rewrite-URL: /metrics' -H 'X-HTTP-Method-Override: DELETE' \
		-H 'Proxy: http://evil.example'
	expect 201
	nowhere 'evil|gopher|6\.6\.6\.6' "$headers" "$BATS_TEST_TMPDIR/body"
	match "$(json .websocket_url)" "^ws://127.0.0.1:$PORT/ws"
}

@test "nothing of a client gets into a header or a statement unescaped" {
	local text
	for text in '/calls/%0d%0aX-Injected:%201' '/calls/%27;DROP%20TABLE%20calls;--' '/x%22%3e%3cscript%3e'; do
		api GET "$text"
		match "$status_code" '^40[04]$'
		[[ ! $(header X-Injected) ]]
		jq -e .message <<<"$body" >/dev/null
	done
	api GET /health -H $'Origin: https://a"b\\c'
	expect 200
	create_call "{\"from\":\"+1\",\"to\":\"+2\",\"metadata\":{\"x\":\"'); DROP TABLE calls; --\"}}"
	api GET "/calls/$call_id"
	same "$(json .metadata.x)" "'); DROP TABLE calls; --"
}

# --- secrets --------------------------------------------------------------------------------------

@test "no API key gets into a log or an answer, whatever goes wrong" {
	local good wrong=wrong-key-4711 path text
	fresh_key
	good=$KEY
	create_call
	api GET "/calls/$call_id"
	for text in "Bearer $good x" "bearer,$good" "Basic $good" "$good" "Bearer $good,$good" "Bearer $wrong" "Bearer  $good"; do
		KEY='' api POST /calls -H "Authorization: $text" -H 'Content-Type: application/json' -d '{}'
		match "$status_code" '^40[01]$'
		[[ $body != *"$good"* && $body != *"$wrong"* ]]
	done
	for text in '{' '{"from":1}' '[]'; do post /calls "$text"; done
	for path in /nothing /calls/x; do api GET "$path"; done
	api DELETE /calls
	burst 30
	send_raw web "GET /health HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer $good\r\nBad Header\r\n\r\n" --timeout 0.5
	send_raw web "POST /calls HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer $good\r\nContent-Length: 10\r\n\r\n{" --timeout 0.2
	"$WSCAT" --count 1 --header "Authorization: Bearer $good" "$proxied"
	# The database refuses the row, and says which; it is away; so is Redis.
	fresh_key
	local refused=$KEY
	sql "ALTER TABLE calls ADD CONSTRAINT hostile CHECK (from_number <> '+666') NOT VALID"
	post /calls '{"from": "+666", "to": "+2"}'
	sql 'ALTER TABLE calls DROP CONSTRAINT hostile'
	expect 503
	kill -STOP "$(component_pid redis)"
	post /calls '{"from": "+1", "to": "+2"}'
	kill -CONT "$(component_pid redis)"
	expect 503
	wait_until 60 is_ready
	for text in "$good" "$refused" "$wrong"; do
		nowhere "$text" "$MCS_VAR/log" "$(instances_folder)/hostile.out"
	done
}
