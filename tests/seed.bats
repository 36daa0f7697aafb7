# The user's document: its curls as they are printed there (harness/specification.bash), and what it expects of
# them. Its two rate limiting tests take a while and run beside the cases of limits.bats.

load harness/helpers
load harness/service
load harness/specification

setup() {
	use fast
	KEY=''
}

@test "every command here stands in the document like that" {
	local document=$MCS_ROOT/../shared/seed.md text block
	[[ -e $document ]] || skip "the document is not beside this clone"
	text=$(<"$document")
	for block in "$health" "$create" "$status" "$metrics" "$authentication" "$a_second" \
		"$concurrent" "$create_body"; do
		[[ $text == *"$block"* ]] || {
			printf 'not in the document:\n%s\n' "$block" >&2
			return 1
		}
	done
	# And no curl stands there that is not here.
	local curls
	curls=$(grep -c '^ *curl ' "$document")
	same "$(printf '%s\n' "$health" "$create" "$status" "$metrics" "$authentication" "$a_second" \
		"$concurrent" | grep -c '^ *curl ')" "$curls"
}

@test "verify services: GET /health answers as shown" {
	as_printed "$health"
	match "$body" "^\{\"status\":\"healthy\",\"timestamp\":\"$iso_time\",\"uptime\":[0-9.]+\}$"
}

@test "test 1 to 3: create a call, get its status, get the metrics" {
	await_free_key
	as_printed "$metrics"
	local before=$body
	as_printed "$create"
	same "$(jq -c 'keys_unsorted' <<<"$body")" \
		'["call_id","status","websocket_url","from","to","created_at"]'
	same "$(json '.status + " " + .from + " " + .to')" 'QUEUED +1234567890 +0987654321'
	call_id=$(json .call_id)
	match "$call_id" "^$uuid\$"
	same "$(json .websocket_url)" "ws://localhost:$PORT/ws?call_id=$call_id"
	match "$(json .created_at)" "^$iso_time\$"
	as_printed "${status/calls\//calls\/$call_id}"
	same "$(jq -c 'keys_unsorted' <<<"$body")" \
		'["call_id","status","from","to","metadata","recording_url","created_at","updated_at","outcome"]'
	same "$(jq -c '[.call_id, .from, .to, .metadata]' <<<"$body")" \
		"[\"$call_id\",\"+1234567890\",\"+0987654321\",{\"test\":true}]"
	KEY=test-api-key-1 wait_until 20 has_recording
	same "$(json .status)" COMPLETED
	same "$(json .recording_url)" \
		"https://mock-recordings-bucket.s3.us-east-1.amazonaws.com/recordings/$call_id.mp3"
	as_printed "$metrics"
	same "$(jq -c 'keys | sort' <<<"$body")" \
		'["active_calls","completed_calls","current_cps","total_calls","uploads_completed","uploads_in_progress"]'
	same "$(json .total_calls)" $(($(jq .total_calls <<<"$before") + 1))
}

@test "test 2 with the id forgotten is GET /calls, and says what is allowed there" {
	as_printed "$status"
	match "$body" '^\{"error":"Method Not Allowed","message":"Method GET is not allowed here. Allowed: POST, OPTIONS"\}'
}

@test "test 4: a key that is not valid fails with 401" {
	as_printed "$authentication -w '\\n%{http_code}'"
	same "$body" $'{"error":"Unauthorized","message":"Invalid API key"}\n401'
}

@test "the POST of the API documentation gives the response of the API documentation" {
	fresh_key
	post /calls "$create_body"
	expect 201
	same "$(jq -c 'keys_unsorted' <<<"$body")" \
		'["call_id","status","websocket_url","from","to","created_at"]'
	api GET "/calls/$(json .call_id)"
	same "$(jq -Sc .metadata <<<"$body")" '{"campaign":"support","customer_id":"12345"}'
}

@test "the errors of the API documentation, byte for byte" {
	KEY=demo-key
	post /calls '{}'
	same "$status_code $body" \
		'400 {"error":"Bad Request","message":"Missing required fields: from, to"}'
	KEY=invalid post /calls '{}'
	same "$status_code $body" '401 {"error":"Unauthorized","message":"Invalid API key"}'
	api GET /calls/550e8400-e29b-41d4-a716-446655440000
	same "$status_code $body" '404 {"error":"Not Found","message":"Call not found"}'
}
