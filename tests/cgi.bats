# The responder as a plain CGI program: one request from the environment and standard input.

load harness/helpers
load harness/service

setup() {
	use fast
	fresh_key
}

# Runs the program as a web server would: VAR=value words, perhaps "--" and arguments, the body on standard
# input. Sets cgi_status, cgi_headers and body.
cgi() {
	local reply=$BATS_TEST_TMPDIR/reply variables=()
	while (($#)) && [[ $1 != -- ]]; do
		variables+=("$1")
		shift
	done
	(exec_in_instance GATEWAY_INTERFACE=CGI/1.1 SERVER_PROTOCOL=HTTP/1.1 "${variables[@]}" \
		"$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-responder" "${@:2}") >"$reply" 2>"$BATS_TEST_TMPDIR/err" || {
		cat "$BATS_TEST_TMPDIR/err"
		return 1
	}
	same "$(grep -v ' request\.refused ' "$BATS_TEST_TMPDIR/err")" '' || return
	sed -n '/^\r$/q; s/^Status: \([0-9]*\).*/\1/p' "$reply" >"$BATS_TEST_TMPDIR/status"
	cgi_status=$(<"$BATS_TEST_TMPDIR/status")
	headers=$BATS_TEST_TMPDIR/headers
	sed '/^\r$/q' "$reply" >"$headers"
	body=$(sed '1,/^\r$/d' "$reply")
}

@test "GET /health" {
	cgi REQUEST_METHOD=GET REQUEST_URI=/health </dev/null
	same "$cgi_status" 200
	same "$(header Content-Type)" application/json
	same "$(header Content-Length)" $((${#body} + 1)) # the newline, which the shell cuts off
	match "$body" '^\{"status":"healthy",'
}

@test "POST /calls creates a call, which is played like any other" {
	local text='{"from": "+1", "to": "+2", "metadata": {"x": "é"}}'
	cgi REQUEST_METHOD=POST REQUEST_URI=/calls CONTENT_TYPE=application/json \
		CONTENT_LENGTH="$(LC_ALL=C && echo ${#text})" HTTP_HOST=calls.example.com \
		HTTP_AUTHORIZATION="Bearer $KEY" <<<"$text"
	same "$cgi_status" 201
	call_id=$(json .call_id)
	same "$(json .websocket_url)" "ws://calls.example.com/ws?call_id=$call_id"
	wait_until 60 has_recording
	same "$(json .metadata.x)" é
}

@test "behind TLS the WebSocket's scheme is wss" {
	local words
	for words in HTTPS=on REQUEST_SCHEME=https; do
		cgi REQUEST_METHOD=POST REQUEST_URI=/calls CONTENT_TYPE=application/json CONTENT_LENGTH=26 \
			HTTP_HOST=calls.example.com HTTP_AUTHORIZATION="Bearer $KEY" "$words" \
			<<<'{"from": "+1", "to": "+2"}'
		same "$cgi_status" 201
		match "$(json .websocket_url)" '^wss://calls\.example\.com/ws'
	done
}

@test "a Host that cannot be one, or none: localhost and the port stand in the URL" {
	local host
	for host in 'evil"host' '' 'a/b' 'user@evil' 'a:b' ':80' '[::1' 'a b' "$(printf 'x%.0s' {1..300})"; do
		fresh_key
		cgi REQUEST_METHOD=POST REQUEST_URI=/calls CONTENT_TYPE=application/json CONTENT_LENGTH=26 \
			HTTP_HOST="$host" HTTP_AUTHORIZATION="Bearer $KEY" <<<'{"from": "+1", "to": "+2"}'
		same "$cgi_status" 201
		same "$(json .websocket_url)" "ws://localhost:$PORT/ws?call_id=$(json .call_id)"
	done
}

@test "the limits are those of the pool" {
	burst 2
	hold_window
	cgi REQUEST_METHOD=POST REQUEST_URI=/calls CONTENT_TYPE=application/json CONTENT_LENGTH=26 \
		HTTP_AUTHORIZATION="Bearer $KEY" <<<'{"from": "+1", "to": "+2"}'
	same "$cgi_status" 429
	match "$(header Retry-After)" '^[1-9][0-9]*$'
}

@test "a query without '=', which CGI passes as arguments, is ignored" {
	local argument
	for argument in --help --version x; do
		cgi REQUEST_METHOD=GET REQUEST_URI="/health?$argument" QUERY_STRING="$argument" -- "$argument" </dev/null
		same "$cgi_status" 200
	done
}

@test "an unknown route is 404" {
	cgi REQUEST_METHOD=GET REQUEST_URI=/nope </dev/null
	same "$cgi_status" 404
	same "$body" '{"error":"Not Found","message":"Route GET /nope not found"}'
	match "$(<"$BATS_TEST_TMPDIR/err")" ' info responder request\.refused method=GET path="/nope" status=404 reason="Route GET /nope not found"$'
}

@test "a body that was cut short is 400 and counts nothing" {
	local length
	for length in 27 1000 65536; do
		cgi REQUEST_METHOD=POST REQUEST_URI=/calls CONTENT_TYPE=application/json \
			CONTENT_LENGTH="$length" HTTP_AUTHORIZATION="Bearer $KEY" < <(printf '{"from": "+1", "to": "+2"}')
		same "$cgi_status" 400
		same "$(json .message)" 'Request body was cut short'
	done
	burst_at_limit 4
}

@test "of the body no more is taken than was announced" {
	cgi REQUEST_METHOD=POST REQUEST_URI=/calls CONTENT_TYPE=application/json CONTENT_LENGTH=26 \
		HTTP_AUTHORIZATION="Bearer $KEY" <<<'{"from": "+1", "to": "+2"}}}}}}} and what follows'
	same "$cgi_status" 201
}

@test "a length that is absent, empty or negative means no body" {
	local length
	for length in '' -1 x; do
		cgi REQUEST_METHOD=POST REQUEST_URI=/calls CONTENT_TYPE=application/json \
			CONTENT_LENGTH="$length" HTTP_AUTHORIZATION="Bearer $KEY" <<<'{"from": "+1", "to": "+2"}'
		same "$cgi_status" 400
		same "$(json .message)" 'Request body is not valid JSON'
	done
}

@test "HEAD has no body" {
	cgi REQUEST_METHOD=HEAD REQUEST_URI=/health </dev/null
	same "$cgi_status" 200
	same "$body" ''
	(($(header Content-Length) > 20))
}

@test "a mounted program cuts its BASE_PATH off" {
	cgi BASE_PATH=/cgi-bin/mcs REQUEST_METHOD=GET REQUEST_URI='/cgi-bin/mcs/health?x=1' </dev/null
	same "$cgi_status" 200
	cgi BASE_PATH=/cgi-bin/mcs REQUEST_METHOD=GET REQUEST_URI=/health </dev/null
	same "$cgi_status" 404
}
