# What is another thing behind each web server: TCP instead of unix sockets, TLS, responders that do not
# answer, clients that do not read, and a web server that is killed.

load harness/helpers
load harness/service

# Makes a call over $1 (http or https) at port $2 of $3 (127.0.0.1), which is in the URL of its WebSocket.
call_through() {
	local scheme=$1 port=$2 host=${3:-127.0.0.1}
	KEY=demo-key
	BASE=$scheme://$host:$port
	post /calls '{"from": "+1", "to": "+2"}' --insecure
	expect 201
	call_id=$(json .call_id)
	same "$(json .websocket_url)" "${scheme/http/ws}://$host:$port/ws?call_id=$call_id"
}

# Whether the instance in use can be reached at these addresses and a WebSocket through the first, and at no other
# of the three.
reached_at() {
	local address
	for address in 127.0.0.1 '[::1]' 127.0.0.9; do
		if [[ " $* " == *" $address "* ]]; then
			BASE=http://$address:$PORT wait_until 60 is_ready || return
		else
			! curl -q -s -o /dev/null --noproxy '*' --max-time 10 "http://$address:$PORT/health" || return
		fi
	done
	call_through http "$PORT" "$1"
	match "$("$WSCAT" --timeout 30 "ws://$1:$PORT/ws?call_id=$call_id")" '! close 1000 '
}

@test "localhost, the default, is 127.0.0.1 and ::1" {
	need_ipv6
	use fast
	reached_at '[::1]' 127.0.0.1
	reached_at 127.0.0.1 '[::1]'
}

@test "BIND=::, with the pool and wsd at ::1" {
	need_ipv6
	start_instance six TIME_SCALE=20 BIND=:: WSD_LISTEN="[::1]:$(free_port)" RESPONDER_LISTEN="[::1]:$(free_port)"
	[[ ! $(find "$MCS_VAR/run" -name 'wsd.sock*') ]]
	reached_at '[::1]' 127.0.0.1 127.0.0.9
	stop_instance six
}

@test "BIND=0.0.0.0, with the pool and wsd at every address" {
	start_instance wild TIME_SCALE=20 BIND=0.0.0.0 WSD_LISTEN="[::]:$(free_port)" RESPONDER_LISTEN="0.0.0.0:$(free_port)"
	reached_at 127.0.0.1 127.0.0.9
	stop_instance wild
}

@test "BIND=[::1], with wsd at localhost" {
	need_ipv6
	start_instance bare TIME_SCALE=20 BIND='[::1]' WSD_LISTEN="localhost:$(free_port)"
	reached_at '[::1]'
	stop_instance bare
}

@test "the pool and wsd over TCP instead of unix sockets" {
	local wsd_port pool_port
	wsd_port=$(free_port)
	pool_port=$(free_port)
	start_instance tcp TIME_SCALE=20 WSD_LISTEN="127.0.0.1:$wsd_port" RESPONDER_LISTEN="127.0.0.1:$pool_port"
	[[ ! $(find "$MCS_VAR/run" -name 'wsd.sock*') ]]
	(: <"/dev/tcp/127.0.0.1/$wsd_port")
	if [[ $(component_pid pool) ]]; then
		[[ ! $(find "$MCS_VAR/run" -name 'responder.sock*') ]]
		(: <"/dev/tcp/127.0.0.1/$pool_port")
	fi
	call_through http "$PORT"
	match "$(watch "$call_id")" '! close 1000 '
	# Nor does the kernel's way between the two let slow readers hold the pool.
	create_large_call
	gather_deaf 24
	others_are_served
	let_deaf_go
	stop_instance tcp
}

@test "a client that asks for large replies and never reads them holds no responder" {
	use fast
	fresh_key
	create_large_call
	forget_live
	api GET "/calls/$call_id"
	expect 200
	((${#body} < 65536 + 600))
	gather_deaf 24
	others_are_served
	let_deaf_go
}

# The configuration of the running instance, with the lines for TLS switched on.
switch_tls_on() {
	local tls=$MCS_VAR/tls file
	mkdir "$tls"
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$tls/key.pem" \
		-out "$tls/cert.pem" 2>"$BATS_TEST_TMPDIR/openssl" || { cat "$BATS_TEST_TMPDIR/openssl" && return 1; }
	cat "$tls/cert.pem" "$tls/key.pem" >"$tls/both.pem"
	chmod -R a+rX "$tls"
	while IFS= read -r file; do
		sed -i -e 's|^\([[:blank:]]*\)#tls: |\1|' -e "s|127\.0\.0\.1:3443|127.0.0.1:$1|" -e "s|:3443|:$1|" -e "s|port: 3443|port: $1|" \
			-e "s|/etc/mcs/tls|$tls|g" "$file"
	done < <(grep -rl '#tls:' "$MCS_VAR/etc")
}

@test "TLS: https, and wss in websocket_url" {
	local port before reply
	start_instance tls TIME_SCALE=20
	port=$(free_port)
	switch_tls_on "$port"
	before=$(component_pid api)
	kill -s TERM "$before"
	wait_until 60 is_another api "$before"
	wait_until 60 is_ready
	! has_ipv6 || call_through http "$PORT" '[::1]'
	call_through https "$port"
	api POST /calls --insecure --http2
	expect "$(quirk length-required && echo 411 || echo 415)"
	reply=$(printf 'GET /ws?call_id=%s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n' \
		"$call_id" "$port" | timeout 60 openssl s_client -quiet -ign_eof -connect "127.0.0.1:$port" 2>/dev/null |
		tr -d '\0' || :)
	match "$reply" '^HTTP/1\.1 101 '
	match "$reply" 's3pPLMBiTxaQ9kYGzzhZRbK\+xOo='
	match "$reply" '"Connected to call updates"'
	stop_instance tls
}

# How long a GET /health took, in ms, and its status.
ask_health() {
	local begin=${EPOCHREALTIME//[.,]/}
	status_code=$(curl -q -s -o "$BATS_TEST_TMPDIR/body" -w '%{http_code}' --noproxy '*' --max-time 60 "$BASE/health") || :
	took_ms=$(((${EPOCHREALTIME//[.,]/} - begin) / 1000))
	echo "$status_code after $took_ms ms"
}

@test "responders that hang are 503 or 504 when their time is over, and a pool that is gone is at once" {
	local pids away='^50[34]$' number supervisor hung_ms
	skip_by_quirk process-a-request
	! quirk gateway-502 || away='^50[234]$'
	start_instance stuck
	mapfile -t pids < <(pool_pids)
	for number in "${pids[@]}"; do kill -s STOP "$number"; done
	ask_health
	quirk hang-500 && same "$status_code" 500 || match "$status_code" "$away"
	hung_ms=$took_ms
	for number in "${pids[@]}"; do kill -s CONT "$number"; done
	wait_until 60 is_ready
	if [[ $(component_pid pool) ]]; then
		supervisor=$(<"$MCS_VAR/mcs.pid") # who would start it again
		kill -s STOP "$supervisor"
		mapfile -t pids < <(pool_pids)
		for number in "${pids[@]}"; do kill -s STOP "$number"; done # nobody carries on in another's place
		for number in "${pids[@]}"; do kill -s KILL "$number"; done
		ask_health
		kill -s CONT "$supervisor"
		match "$status_code" "$away"
		((took_ms < hung_ms))
		wait_until 60 is_ready
	fi
	stop_instance stuck
}

@test "a web server that is killed is started again, and no orphan stays" {
	local before pids
	start_instance killed TIME_SCALE=20
	fresh_key
	create_call
	before=$(component_pid api)
	mapfile -t pids < <(pool_pids)
	kill -KILL "$before"
	if quirk binds-itself; then
		# Clients are refused until it is back; the pool, where it is a component, stays.
		wait_until 60 is_another api "$before"
		wait_until 60 is_ready
		quirk starts-processes || same "$(pool_pids)" "$(printf '%s\n' "${pids[@]}")"
	fi
	# Where mcs holds the port, clients that come meanwhile wait, and are not refused.
	api GET "/calls/$call_id"
	expect 200
	quirk binds-itself || await_gone 60 "${pids[@]}"
	wait_until 60 is_another api "$before"
	stop_instance killed
}
