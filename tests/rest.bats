# The REST interface: every endpoint, its fields, headers and errors.

load harness/helpers
load harness/service

setup_file() {
	use fast
	start_instance mounted BASE_PATH=/mock/api CORS_ORIGIN=https://a.example,https://b.example \
		PUBLIC_URL=https://calls.example.com/ci MAX_BODY_BYTES=1000 RESPONDERS=1 TIME_SCALE=20
}

setup() {
	use fast
	KEY=''
}

# --- GET / ----------------------------------------------------------------------------------------

@test "GET / names the service, its version and its endpoints, without a key" {
	api GET /
	expect 200
	same "$(jq -c keys_unsorted <<<"$body")" '["service","version","endpoints"]'
	same "$(json .service)" 'Mock Communications Service'
	same "$(json .version)" "$(sed -n 's/^## \[\([0-9][^]]*\)\].*/\1/p' "$MCS_ROOT/CHANGELOG.md" | head -n 1)"
	same "$(json '[.endpoints[]] | sort | join(", ")')" \
		'GET /calls/{call_id}, GET /health, GET /metrics, GET /ready, GET /ws?call_id={call_id}, POST /calls'
}

# --- GET /health and /ready -----------------------------------------------------------------------

@test "GET /health has the specification's fields, without a key" {
	local before after
	before=$(date +%s)
	api GET /health
	after=$(date +%s)
	expect 200
	match "$body" "^\{\"status\":\"healthy\",\"timestamp\":\"$iso_time\",\"uptime\":[0-9]+\.[0-9]{3}\}\$"
	local at
	at=$(date -d "$(json .timestamp)" +%s)
	((before <= at && at <= after))
}

@test "uptime is the pool's: it grows and is the same for every responder" {
	local begin last
	skip_by_quirk starts-processes
	begin=$EPOCHREALTIME
	api GET /health
	last=$(json .uptime)
	# Responders take turns as they please; many requests at once reach all four of them.
	curl -q -sS --noproxy '*' -Z --parallel-immediate --parallel-max 20 "$BASE/health?n=[1-60]" \
		-o "$BATS_TEST_TMPDIR/#1"
	jq .uptime "$BATS_TEST_TMPDIR"/[1-9]* >"$BATS_TEST_TMPDIR/all"
	awk -v least="$last" -v most="$(plus_passed "$last" "$begin" "$EPOCHREALTIME")" \
		'$1 < least || $1 > most + 0.002 { print $1 " is not within " least " and " most; bad = 1 }
		END { exit bad || NR != 60 }' "$BATS_TEST_TMPDIR/all"
	api GET /health
	awk -v a="$last" -v b="$(json .uptime)" 'BEGIN { exit !(b > a) }'
}

# A number of seconds plus what passed between two times.
plus_passed() { awk -v a="$1" -v b="$2" -v c="$3" 'BEGIN { printf "%.3f", a + c - b }'; }

@test "GET /ready answers 200 when the databases do, without a key" {
	api GET /ready
	expect 200
	match "$body" "^\{\"status\":\"ready\",\"timestamp\":\"$iso_time\"\}\$"
}

# --- POST /calls ----------------------------------------------------------------------------------

@test "POST /calls answers 201 with the specification's fields in its order" {
	local before=$EPOCHSECONDS at
	fresh_key
	post /calls '{"from": "+1234567890", "to": "+0987654321",
		"metadata": {"customer_id": "12345", "campaign": "support"}}'
	expect 201
	match "$body" "^\{\"call_id\":\"($uuid)\",\"status\":\"QUEUED\",\"websocket_url\":\"ws://127.0.0.1:$PORT/ws\?call_id=($uuid)\",\"from\":\"\+1234567890\",\"to\":\"\+0987654321\",\"created_at\":\"$iso_time\"\}\$"
	same "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
	same "$(header Location)" "/calls/${BASH_REMATCH[1]}"
	at=$(date -d "$(json .created_at)" +%s)
	((before <= at && at <= EPOCHSECONDS))
}

@test "ids are UUIDs of version 7" {
	fresh_key
	create_call
	match "$call_id" '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'
}

# --- GET /calls/{id} ------------------------------------------------------------------------------

@test "GET /calls/{id} has the specification's fields in its order" {
	fresh_key
	create_call '{"from": "+1234567890", "to": "+0987654321",
		"metadata": {"customer_id": "12345", "campaign": "support"}}'
	local created
	created=$(json .created_at)
	wait_until 60 has_recording
	match "$body" "^\{\"call_id\":\"$call_id\",\"status\":\"COMPLETED\",\"from\":\"\+1234567890\",\"to\":\"\+0987654321\",\"metadata\":\{.*\},\"recording_url\":\"https://mock-recordings-bucket\.s3\.us-east-1\.amazonaws\.com/recordings/$call_id\.mp3\",\"created_at\":\"$created\",\"updated_at\":\"($iso_time)\",\"outcome\":\"(un)?answered\"\}\$"
	[[ ${BASH_REMATCH[1]} > $created ]]
	same "$(jq -Sc .metadata <<<"$body")" '{"campaign":"support","customer_id":"12345"}'
}

@test "a new call is QUEUED; its recording is null and absent metadata is {}" {
	use mounted
	fresh_key
	hold_component worker
	post /mock/api/calls '{"from": "+1", "to": "+2"}'
	expect 201
	local created
	created=$(json .created_at)
	api GET "/mock/api/calls/$(json .call_id)"
	release_component worker
	expect 200
	same "$(jq -c '[.status, .metadata, .recording_url, .created_at, .updated_at, .outcome]' <<<"$body")" \
		"[\"QUEUED\",{},null,\"$created\",\"$created\",null]"
}

@test "metadata null is as good as absent" {
	fresh_key
	create_call '{"from": "1", "to": "2", "metadata": null}'
	api GET "/calls/$call_id"
	same "$(jq -c .metadata <<<"$body")" '{}'
}

@test "GET /calls/{id} answers alike from Redis and, when that has forgotten it, from PostgreSQL" {
	fresh_key
	create_call '{"from": "+1", "to": "2", "metadata": {"a": 1}}'
	wait_until 60 has_recording
	local from_redis=$body
	forget_live
	api GET "/calls/$call_id"
	expect 200
	same "$(jq -c . <<<"$body")" "$(jq -c . <<<"$from_redis")"
}

@test "a call id in capitals is the same id" {
	fresh_key
	create_call
	api GET "/calls/${call_id^^}"
	expect 200
	same "$(json .call_id)" "$call_id"
}

@test "an id that is no UUID is 400" {
	local message='Invalid call id: expected GET /calls/{call_id} with a UUID' id
	KEY=demo-key
	for id in abc 123 019a0000-0000-7000-8000-00000000000 019a0000-0000-7000-8000-0000000000000 \
		019a0000-0000-7000-8000-00000000000g 019a0000000070008000000000000000 \
		'%7b019a0000-0000-7000-8000-000000000000%7d'; do
		api GET "/calls/$id"
		expect_error 400 "$message"
	done
}

@test "a call that does not exist is 404" {
	KEY=demo-key
	local last
	# Whatever the last digit, which a key's own calls have in common.
	for last in 0{0..9} 0{a..f}; do
		api GET "/calls/019a0000-0000-7000-8000-0000000000$last"
		expect_error 404 'Call not found'
	done
}

@test "a call is shown only to the key that created it" {
	fresh_key
	create_call
	local key list=$BATS_TEST_TMPDIR/list known
	known=$(all_keys)
	for key in ${known//,/ }; do
		printf '%surl = "%s"\noutput = "%s"\nheader = "Authorization: Bearer %s"\n' \
			"${next:-}" "$BASE/calls/$call_id" "$BATS_TEST_TMPDIR/reply.$key" "$key"
		local next=$'next\n'
	done >"$list"
	curl -q -sS --noproxy '*' -Z --parallel-max 20 -K "$list"
	for key in ${known//,/ }; do
		[[ $key != "$KEY" ]] || continue
		printf '%s\n' "$(<"$BATS_TEST_TMPDIR/reply.$key")"
	done | sort | uniq -c >"$BATS_TEST_TMPDIR/all"
	match "$(<"$BATS_TEST_TMPDIR/all")" '^ *501 \{"error":"Not Found","message":"Call not found"\}$'
	same "$(jq -r .call_id "$BATS_TEST_TMPDIR/reply.$KEY")" "$call_id"
	forget_live
	KEY=demo-key api GET "/calls/$call_id"
	expect_error 404 'Call not found'
}

@test "an id tells the shard of its key in its last digit, and its row whose call it is" {
	local digit first id
	fresh_key
	create_call
	digit=${call_id: -1}
	for first in {0..9} {a..f}; do
		id=019a0000-0000-7000-8000-0000001dca${first}${digit}
		insert_call id="$id" api_key="$KEY" status=COMPLETED
		api GET "/calls/$id"
		expect 200
		KEY=demo-key api GET "/calls/$id"
		expect_error 404 'Call not found'
		sql "DELETE FROM calls WHERE id = '$id'"
	done
}

# --- GET /metrics ---------------------------------------------------------------------------------

@test "GET /metrics asks Redis as much whatever the number of keys" {
	local count
	use mounted
	KEY=demo-key
	live CONFIG RESETSTAT
	api GET /mock/api/metrics
	expect 200
	count=$(live INFO commandstats | sed -n 's/^cmdstat_zcount:calls=\([0-9]*\).*/\1/p')
	((${count:-0} <= 2)) # there are 502 keys; a /ready meanwhile asks once
}

@test "GET /metrics has exactly the specification's fields, all whole numbers" {
	KEY=demo-key
	api GET /metrics
	expect 200
	match "$body" '^\{"total_calls":[0-9]+,"active_calls":[0-9]+,"completed_calls":[0-9]+,"current_cps":[0-9]+,"uploads_in_progress":[0-9]+,"uploads_completed":[0-9]+\}$'
}

# --- the API key ----------------------------------------------------------------------------------

@test "without an Authorization header: 401 with its message and WWW-Authenticate" {
	local path
	for path in /calls /metrics /calls/019a0000-0000-7000-8000-000000000000; do
		api GET "$path"
		expect_error 401 'Missing Authorization header'
		same "$(header WWW-Authenticate)" Bearer
	done
}

@test "another form of Authorization: 401 with its message" {
	local value
	for value in 'Basic dXNlcjpwdw==' 'Bearer' 'demo-key' 'Bearerdemo-key' 'Token demo-key' \
		'Bearer demo-key demo-key' 'Bearer demo-key, Bearer demo-key'; do
		api GET /metrics -H "Authorization: $value"
		expect_error 401 'Invalid Authorization format. Use: Bearer <API_KEY>'
		same "$(header WWW-Authenticate)" Bearer
	done
}

@test "a key that is not configured: 401 with its message" {
	local value
	for value in nope demo-key- demo-ke DEMO-KEY 'test-api-key-1%20' "$(printf 'x%.0s' {1..3000})"; do
		api GET /metrics -H "Authorization: Bearer $value"
		expect_error 401 'Invalid API key'
		same "$(header WWW-Authenticate)" Bearer
	done
}

@test "the word Bearer is understood in any case, and blanks behind it" {
	api GET /metrics -H 'Authorization: bearer   demo-key'
	expect 200
}

@test "every key that is configured is valid" {
	for KEY in test-api-key-1 test-api-key-2 demo-key; do
		api GET /metrics
		expect 200
	done
}

# --- routes and methods ---------------------------------------------------------------------------

@test "an unknown route is 404 and named" {
	api GET /nope
	expect_error 404 'Route GET /nope not found'
	api POST /nope -d x
	expect_error 404 'Route POST /nope not found'
	api GET '/nope/deeper?secret=1'
	expect_error 404 'Route GET /nope/deeper not found'
	api GET /HEALTH
	expect_error 404 'Route GET /HEALTH not found'
	api GET /healthy
	expect_error 404 'Route GET /healthy not found'
	api GET /calls/019a0000-0000-7000-8000-000000000000/more
	expect 404
}

@test "a wrong method is 405 with Allow" {
	local method
	KEY=demo-key
	for method in PUT PATCH DELETE; do
		api "$method" /calls -d '{}'
		expect_error 405 "Method $method is not allowed here. Allowed: POST, OPTIONS"
		same "$(header Allow)" 'POST, OPTIONS'
		api "$method" /calls/019a0000-0000-7000-8000-000000000000 -d '{}'
		expect 405
		same "$(header Allow)" 'GET, HEAD, OPTIONS'
	done
	api GET /calls
	expect_error 405 'Method GET is not allowed here. Allowed: POST, OPTIONS'
	for path in / /health /ready /metrics; do
		post "$path" '{}'
		expect 405
		same "$(header Allow)" 'GET, HEAD, OPTIONS'
	done
}

@test "HEAD answers like GET without the body" {
	local path reply
	fresh_key
	create_call
	for path in / /health /ready /metrics "/calls/$call_id"; do
		reply=$(raw "HEAD $path HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer $KEY\\r\\nConnection: close\\r\\n\\r\\n" | tr -d '\r')
		match "$reply" '^HTTP/1\.1 200 OK'
		match "${reply,,}" $'\ncontent-type: application/json\n'
		match "${reply,,}" $'\ncontent-length: [1-9][0-9]+\n'
		[[ $reply != *'{'* ]]
	done
	api HEAD /nope
	expect 404
	api HEAD /calls
	expect 405
}

# How the last reply's body ends, and whether Content-Length says how long it is.
body_end() { echo "$(tail -c 2 "$BATS_TEST_TMPDIR/body" | od -An -c | tr -d ' ') $(($(wc -c <"$BATS_TEST_TMPDIR/body") - $(header Content-Length)))"; }

@test "each JSON body ends with a newline" {
	fresh_key
	create_call
	same "$(body_end)" '}\n 0'
	local path
	for path in / /health /ready /metrics "/calls/$call_id" /calls/x /nope '/ws?call_id=x'; do
		api GET "$path"
		same "$path $(body_end)" "$path }\\n 0"
	done
	KEY='' api GET /metrics
	same "$status_code $(body_end)" '401 }\n 0'
	api PUT /calls
	same "$status_code $(body_end)" '405 }\n 0'
}

@test "OPTIONS answers 204 with what is allowed, without a key" {
	local path
	for path in / /health /ready /metrics /calls/019a0000-0000-7000-8000-000000000000; do
		api OPTIONS "$path"
		expect 204
		same "$body" ''
		same "$(header Allow)" 'GET, HEAD, OPTIONS'
	done
	api OPTIONS /calls
	expect 204
	same "$(header Allow)" 'POST, OPTIONS'
	api OPTIONS /nope
	expect 404
}

@test "answers are JSON and are not to be cached" {
	api GET /
	same "$(header Content-Type)" application/json
	same "$(header Cache-Control)" no-store
	api GET /nope
	same "$(header Content-Type)" application/json
	same "$(header Cache-Control)" no-store
}

# --- CORS -----------------------------------------------------------------------------------------

@test "CORS is open: any origin, on successes and errors, and a preflight passes" {
	api GET /health -H 'Origin: https://somewhere.example'
	same "$(header Access-Control-Allow-Origin)" '*'
	api GET /metrics -H 'Origin: https://somewhere.example'
	expect 401
	same "$(header Access-Control-Allow-Origin)" '*'
	same "$(header Access-Control-Expose-Headers)" 'Location, Retry-After'
	api OPTIONS /calls -H 'Origin: https://somewhere.example' \
		-H 'Access-Control-Request-Method: POST' \
		-H 'Access-Control-Request-Headers: authorization, content-type'
	expect 204
	same "$(header Access-Control-Allow-Origin)" '*'
	same "$(header Access-Control-Allow-Methods)" 'POST, OPTIONS'
	same "$(header Access-Control-Allow-Headers)" 'Authorization, Content-Type'
	match "$(header Access-Control-Max-Age)" '^[0-9]+$'
}

@test "a preflight allows whichever headers the page asks for, and repeats nothing that is no name" {
	api OPTIONS /calls -H 'Origin: https://somewhere.example' -H 'Access-Control-Request-Method: POST' \
		-H 'Access-Control-Request-Headers: authorization,traceparent,x-request-id ,	b3'
	expect 204
	same "$(header Access-Control-Allow-Headers)" 'Authorization, Content-Type, traceparent, x-request-id, b3'
	api OPTIONS /calls -H 'Access-Control-Request-Headers: ,, x"y, z<b>, a:b, ok'
	expect 204
	same "$(header Access-Control-Allow-Headers)" 'Authorization, Content-Type, ok'
	api OPTIONS /calls -H "Access-Control-Request-Headers: $(printf 'x%.0s' {1..8000}), short"
	expect 204
	same "$(header Access-Control-Allow-Headers)" 'Authorization, Content-Type, short'
}

@test "CORS_ORIGIN as a list lets in those, one at a time, and nobody else" {
	use mounted
	api GET /mock/api/health -H 'Origin: https://b.example'
	same "$(header Access-Control-Allow-Origin)" https://b.example
	same "$(header Vary)" Origin
	local origin
	for origin in https://c.example https://a.example.evil.example null https://a.exampl; do
		api GET /mock/api/health -H "Origin: $origin"
		expect 200
		same "$(header Access-Control-Allow-Origin)" ''
		same "$(header Vary)" Origin
	done
}

# Sends a body that no web server takes in. One that refuses it before it is all there may be faster than
# curl, which then knows nothing of the answer: it is asked again.
send_far_too_large() {
	head -c 2000000 /dev/zero | tr '\0' ' ' >"$BATS_TEST_TMPDIR/large"
	wait_until 60 post_large "$@"
}

post_large() {
	KEY=demo-key api POST "$1" -H 'Expect:' -H 'Content-Type: application/json' \
		--data-binary "@$BATS_TEST_TMPDIR/large" "${@:2}"
} 2>/dev/null

@test "pages may read what the web server refuses by itself" {
	local reply
	send_far_too_large /calls -H 'Origin: https://somewhere.example'
	match "$status_code" '^(413|500)$'
	[[ $body != '{'* ]] || same "$(tail -c 2 "$BATS_TEST_TMPDIR/body" | od -An -c | tr -d ' ')" '}\n'
	same "$(header Access-Control-Allow-Origin)" '*'
	same "$(grep -ci '^access-control-allow-origin' "$headers")" 1
	api GET /health -H 'Origin: https://somewhere.example' -H "X-Large: $(printf 'x%.0s' {1..20000})"
	[[ $status_code == 431 ]] && quirk own-text || same "$(header Access-Control-Allow-Origin)" '*'
	reply=$(raw 'POST /calls HTTP/1.1\r\nHost: x\r\nOrigin: https://somewhere.example\r\nConnection: close\r\n\r\n' | tr -d '\r')
	match "$reply" "^HTTP/1\.1 $(quirk length-required && echo 411 || echo 401) "
	match "${reply,,}" $'\naccess-control-allow-origin: \*\n'
	# What the responders allow stands there once.
	api GET /health -H 'Origin: https://somewhere.example'
	same "$(grep -ci '^access-control-allow-origin' "$headers")" 1
}

@test "CORS_ORIGIN as a list holds for what the web server refuses, too" {
	use mounted
	send_far_too_large /mock/api/calls -H 'Origin: https://b.example'
	match "$status_code" '^(413|500)$'
	quirk cors-no-list || same "$(header Access-Control-Allow-Origin)" https://b.example
	local origin
	for origin in https://c.example https://bxexample https://a.example,https://b.example; do
		send_far_too_large /mock/api/calls -H "Origin: $origin"
		same "$(header Access-Control-Allow-Origin)" ''
	done
	api GET /mock/api/health -H 'Origin: https://b.example'
	same "$(grep -ci '^access-control-allow-origin' "$headers")" 1
}

# --- the body's type and size ---------------------------------------------------------------------

@test "what is not JSON by its Content-Type is 415" {
	KEY=demo-key
	local type
	for type in 'text/plain' 'application/x-www-form-urlencoded' 'application/jsonx' \
		'application/json-patch+json' 'multipart/form-data' ''; do
		api POST /calls -H "Content-Type:${type:+ $type}" -d '{"from": "+1", "to": "+2"}'
		expect_error 415 'Content-Type must be application/json'
	done
}

@test "a Content-Type with parameters, or in capitals, is JSON too" {
	fresh_key
	api POST /calls -H 'Content-Type: application/json; charset=utf-8' -d '{"from": "+1", "to": "+2"}'
	expect 201
	api POST /calls -H 'Content-Type: Application/JSON ;charset=UTF-8' -d '{"from": "+1", "to": "+2"}'
	expect 201
}

@test "a body in any content coding is 415, and told what is understood" {
	local coding
	fresh_key
	for coding in gzip br deflate zstd GZIP 'gzip, identity' 'identity, gzip' 'identity,br' 'identity;q=1' identit; do
		post /calls '{"from": "+1", "to": "+2"}' -H "Content-Encoding: $coding"
		expect_error 415 'Content-Encoding is not supported: send the JSON as it is'
		same "$(header Accept-Encoding)" identity
	done
	for coding in Identity 'identity, identity'; do
		post /calls '{"from": "+1", "to": "+2"}' -H "Content-Encoding: $coding"
		expect 201
	done
}

# Writes a good body of so many bytes.
body_of() {
	local frame='{"from": "+1", "to": "+2", "metadata": {"x": ""}}'
	printf '{"from": "+1", "to": "+2", "metadata": {"x": "%*s"}}' $(($1 - ${#frame})) '' |
		tr '\n' ' ' >"$BATS_TEST_TMPDIR/large"
	[[ $(stat -c %s "$BATS_TEST_TMPDIR/large") == "$1" ]]
}

send_large() {
	api POST /calls -H 'Content-Type: application/json' --data-binary "@$BATS_TEST_TMPDIR/large" "$@"
}

@test "a body of exactly 64 KiB passes" {
	fresh_key
	body_of 65536
	send_large
	expect 201
	if quirk chunked-limit || quirk chunked-unread; then
		body_of 32768
		send_large -H 'Transfer-Encoding: chunked'
		! quirk chunked-limit || expect 201
		! quirk chunked-unread || expect 400
		return
	fi
	send_large -H 'Transfer-Encoding: chunked'
	expect 201
	api GET "/calls/$(json .call_id)"
	same "$(json '.metadata.x | length')" $((65536 - 49))
}

@test "a body of one byte more is 413, announced or chunked" {
	KEY=demo-key
	body_of 65537
	send_large
	expect_error 413 'Request body is larger than 65536 bytes'
	send_large -H 'Transfer-Encoding: chunked'
	if quirk chunked-limit || quirk chunked-unread; then
		expect 400
	else
		expect_error 413 'Request body is larger than 65536 bytes'
	fi
}

@test "the web server refuses what is far too large in the same shape" {
	send_far_too_large /calls
	if quirk large-500; then
		expect 500
	else
		expect 413
		quirk own-text || same "$(json .error)" 'Payload Too Large'
	fi
	api GET /health -H "X-Large: $(printf 'x%.0s' {1..20000})"
	if quirk long-header-200; then
		expect 200
	elif quirk long-header-400; then
		expect 400
	else
		expect 431
		quirk own-text || same "$(json .error)" 'Request Header Fields Too Large'
	fi
	quirk own-text || same "$(header Content-Type)" application/json
}

@test "MAX_BODY_BYTES moves the limit" {
	use mounted
	fresh_key
	body_of 1001
	api POST /mock/api/calls -H 'Content-Type: application/json' --data-binary "@$BATS_TEST_TMPDIR/large"
	expect_error 413 'Request body is larger than 1000 bytes'
	body_of 1000
	api POST /mock/api/calls -H 'Content-Type: application/json' --data-binary "@$BATS_TEST_TMPDIR/large"
	expect 201
}

@test "a client that hangs up in the middle of its body creates nothing" {
	fresh_key
	local i socket
	for i in 1 2 3; do
		exec {socket}<>"/dev/tcp/127.0.0.1/$PORT"
		printf 'POST /calls HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"from": "+1", "to": "+2"}' \
			"$KEY" >&"$socket"
		exec {socket}>&-
	done
	burst_at_limit 4
}

@test "a request that says its length twice is refused, and what is in it is no second request" {
	local reply
	reply=$(raw 'POST /calls HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n')
	if quirk chunked-wins || quirk lengths-unjudged; then
		match "$reply" '^HTTP/1\.1 401 '
	else
		match "$reply" '^HTTP/1\.1 400 '
	fi
	[[ $reply != *healthy* ]]
	same "$(grep -c '^HTTP/' <<<"$reply")" 1
}

@test "a body on GET is read and ignored" {
	api GET /health -d 'what is this'
	expect 200
}

# --- the log ------------------------------------------------------------------------------------

# The refusals that the responders logged; they stand in the web server's log where that starts them.
refusals() { cat "$MCS_VAR"/log/{api,pool}.log 2>/dev/null | grep -a ' request\.refused ' || :; }

# Asks for a path that does not exist. Other tests may have used up what is logged in this second.
refusal_is_logged() {
	api GET "/nope/$1?access_token=secret-4711"
	expect 404 || return
	refusals | grep -q "method=GET path=\"/nope/$1\" status=404 reason=\"Route GET /nope/$1 not found\""
}

@test "the log says why a request was refused, without its query" {
	[[ ! ${MCS_TEST_DOCKER:-} ]] || skip 'reads the files of the logs'
	wait_until 60 refusal_is_logged "$RANDOM$RANDOM"
	[[ $(refusals) != *secret-4711* ]]
}

@test "no log has the query of a request, or the page that it came from" {
	[[ ! ${MCS_TEST_DOCKER:-} ]] || skip 'reads the files of the logs'
	local path secret=secret-$RANDOM$RANDOM name=/nope/$RANDOM$RANDOM
	for path in "$name" /ws /health /%zz /../x /%00 "/$(printf 'x%.0s' {1..18000})"; do
		api GET "$path?access_token=$secret" -H "Referer: http://localhost/?access_token=$secret"
	done
	send_far_too_large "/calls?access_token=$secret"
	"$WSCAT" --count 1 "ws://127.0.0.1:$PORT/ws?access_token=$secret"
	# Written at least after what came before it.
	if ! quirk no-access-log; then
		wait_until 60 grep -qs "$name" "$MCS_VAR/log/access.log"
	fi
	wait_until 60 refusal_is_logged "$RANDOM$RANDOM"
	if grep -rna -e "$secret" "$MCS_VAR/log" >&2; then false; fi
}

@test "refusals fill the log at a bounded rate" {
	[[ ! ${MCS_TEST_DOCKER:-} ]] || skip 'reads the files of the logs'
	skip_by_quirk starts-processes
	local name=$RANDOM$RANDOM begin=$SECONDS count
	curl -q -sS --noproxy '*' -Z --parallel-max 20 -o /dev/null "$BASE/$name/[1-2000]"
	count=$(refusals | grep -c "path=\"/$name/")
	((count <= 4 * (50 + 10 * (SECONDS - begin + 1))))
	((count < 2000))
	wait_until 60 left_out_is_logged
}

left_out_is_logged() {
	api GET "/nope/$RANDOM"
	refusals | grep -q ' left_out=[1-9]'
}

# --- the order of the checks ----------------------------------------------------------------------

@test "checks come in this order: path, key, method, type, size, body, limits" {
	local large=$BATS_TEST_TMPDIR/large json='Content-Type: application/json'
	body_of 70000
	# Each request has all the faults from the one that is answered on.
	api PUT /nope -H 'Content-Type: text/plain' --data-binary "@$large"
	expect 404
	api PUT /calls -H 'Content-Type: text/plain' --data-binary "@$large"
	expect 401
	fresh_key
	burst 2
	hold_window
	api PUT /calls -H 'Content-Type: text/plain' --data-binary "@$large"
	expect 405
	api POST /calls -H 'Content-Type: text/plain' --data-binary "@$large"
	expect 415
	sed -i 's/}}$/}/' "$large"
	api POST /calls -H "$json" --data-binary "@$large"
	expect 413
	post /calls '{"from": "+1"'
	expect 400
}

@test "a bad body is 400 even when the limits would refuse it, a good one then 429" {
	use real
	fresh_key
	create_call
	fill_slots
	post /calls '{"from": "+1"}'
	expect 400
	post /calls '{"from": "+1", "to": "+2"}'
	expect 429
}

# --- heads -----------------------------------------------------------------------------------------

@test "a head of up to 16 KiB is taken, by the REST API and by /ws alike" {
	local length cookie
	fresh_key
	create_call
	for length in 9000 15000; do
		printf -v cookie '%*s' "$length" ''
		api GET "/calls/$call_id" -H "Cookie: c=${cookie// /x}"
		expect 200
		api GET '/ws?call_id=x' -H "Cookie: c=${cookie// /x}" -H 'Upgrade: websocket' -H 'Connection: Upgrade' \
			-H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
		expect_error 404 'Call not found' # it was read to its end
	done
}

@test "a Host with an underscore, as containers have it, is as good as any" {
	fresh_key
	websocket_url_is ws://mock_api:3000 -H 'Host: mock_api:3000'
	api GET "/ws?call_id=$(json .call_id)" -H 'Host: mock_api:3000'
	expect 426
}

# --- websocket_url --------------------------------------------------------------------------------

# Creates a call with these headers and checks the start of its websocket_url.
websocket_url_is() {
	local start=$1
	shift
	post /calls '{"from": "+1", "to": "+2"}' "$@"
	expect 201 || return
	same "$(json .websocket_url)" "$start/ws?call_id=$(json .call_id)"
}

@test "websocket_url has the host and port that the client used" {
	fresh_key
	websocket_url_is ws://calls.example.com -H 'Host: calls.example.com'
	websocket_url_is ws://calls.example.com:8080 -H 'Host: calls.example.com:8080'
	fresh_key
	websocket_url_is 'ws://[2001:db8::1]' -H 'Host: [2001:db8::1]'
	websocket_url_is 'ws://[2001:db8::1]:8080' -H 'Host: [2001:db8::1]:8080'
}

@test "websocket_url takes nothing from headers that a client could poison" {
	fresh_key
	websocket_url_is "ws://127.0.0.1:$PORT" -H 'X-Forwarded-Host: evil.example' \
		-H 'X-Forwarded-Proto: https' -H 'Forwarded: host=evil.example;proto=https' \
		-H 'X-Host: evil.example' -H 'X-Forwarded-Port: 99'
	# With an absolute form its host counts, not what the Host header says beside it.
	post /calls '{"from": "+1", "to": "+2"}' --request-target "http://127.0.0.1:$PORT/calls"
	expect 201
	same "$(json .websocket_url)" "ws://127.0.0.1:$PORT/ws?call_id=$(json .call_id)"
}

@test "a Host that cannot be one is never repeated" {
	fresh_key
	local host
	for host in 'evil"host' 'a b' 'evil/../x' 'user@evil.example' 'x:y' 'x:123456' '[evil]' 'a<script>'; do
		post /calls '{"from": "+1", "to": "+2"}' -H "Host: $host"
		[[ $body != *"$host"* ]]
		# The web server refuses most of them; those that pass appear in no URL.
		[[ $status_code == 400 || $status_code == 429 ]] ||
			match "$(json .websocket_url)" "^ws://localhost:$PORT/ws"
	done
}

@test "PUBLIC_URL decides when it is set, in every URL that is made" {
	use mounted
	fresh_key
	post /mock/api/calls '{"from": "+1", "to": "+2"}' -H 'Host: other.example'
	expect 201
	same "$(json .websocket_url)" "wss://calls.example.com/ci/mock/api/ws?call_id=$(json .call_id)"
	same "$(header Location)" "/ci/mock/api/calls/$(json .call_id)"
	api GET /mock/api/
	same "$(json '[.endpoints[]] | sort | join(", ")')" \
		"$(printf '%s, ' 'GET /ci/mock/api'{/calls/\{call_id\},/health,/metrics,/ready,'/ws?call_id={call_id}'})POST /ci/mock/api/calls"
}

# --- BASE_PATH ------------------------------------------------------------------------------------

@test "BASE_PATH mounts everything there and nothing elsewhere" {
	use mounted
	fresh_key
	post /mock/api/calls '{"from": "+1", "to": "+2"}'
	expect 201
	call_id=$(json .call_id)
	same "$(header Location)" "/ci/mock/api/calls/$call_id"
	api GET "/mock/api/calls/$call_id"
	expect 200
	local path
	for path in /mock/api /mock/api/ /mock/api/health /mock/api/ready /mock/api/metrics; do
		api GET "$path"
		expect 200
	done
	for path in / /health /mock /mock/health /mock/apihealth /mock/api2/health; do
		api GET "$path"
		expect 404
		quirk own-text || same "$(json .error)" 'Not Found'
	done
	match "$("$WSCAT" --count 2 "ws://127.0.0.1:$PORT/mock/api/ws?call_id=$call_id")" \
		'"Connected to call updates"'
	run "$WSCAT" "ws://127.0.0.1:$PORT/ws?call_id=$call_id"
	match "$output" '^! http 404'
}

# --- odd paths ------------------------------------------------------------------------------------

@test "a query, a slash at the end and escapes do not change what is asked for" {
	local path
	api GET '/health?x=1&y=%zz'
	expect 200
	api GET /%68ealth
	expect 200
	fresh_key
	for path in /health/ /ready/ /metrics/ '/health/?x'; do
		api GET "$path"
		expect 200
	done
	post /calls/ '{"from": "+1", "to": "+2"}'
	expect 201
	call_id=$(json .call_id)
	api GET "/calls/$call_id/"
	expect 200
	api GET /calls/
	expect_error 405 'Method GET is not allowed here. Allowed: POST, OPTIONS'
	match "$("$WSCAT" --count 1 "ws://127.0.0.1:$PORT/ws/?call_id=$call_id")" '"Connected to call updates"'
}

@test "an escaped slash is no slash" {
	local path
	fresh_key
	create_call
	for path in "/calls%2F$call_id" "/calls%2f$call_id" /health%2F '/calls%2F' "/%2Fcalls/$call_id"; do
		api GET "$path"
		expect_error 404 "Route GET $path not found"
	done
}

@test "a path with empty or dot segments is nothing of ours" {
	local path
	for path in //health /health// /./health /../health /x/../health /%2e%2e/health /health/. \
		//calls/019a0000-0000-7000-8000-000000000000; do
		api GET "$path"
		if quirk dot-segments-400 && [[ $path == /../* || $path == /%2e%2e/* ]]; then
			expect 400
			continue
		fi
		expect 404
		match "$(json .message)" '^Route GET /.* not found$'
	done
	api GET "/$(printf 'x%.0s' {1..2000})"
	expect 404
}

@test "a path with broken escapes or control characters is 400" {
	local path
	for path in /health%00 /%00 /%zz /health% /health%2 /health%0a /%0d%0aX-Evil:%20x /%7f; do
		api GET "$path"
		if quirk nul-404 && [[ $path == *%00* ]]; then
			expect 404
			continue
		fi
		expect 400
		quirk own-text || same "$(json .error)" 'Bad Request'
		same "$(header X-Evil)" ''
	done
	api GET /nope%22%3e%3cscript%3e
	expect_error 404 'Route GET /nope%22%3e%3cscript%3e not found'
}

@test "the absolute form of a target asks for its path" {
	api GET / --request-target "http://127.0.0.1:$PORT/health"
	expect 200
	same "$(json .status)" healthy
	api GET / --request-target "http://127.0.0.1:$PORT/nope"
	expect_error 404 'Route GET /nope not found'
}
