# The examples of README.md and docs/specification.md, run as they stand there (harness/examples.bash). The two
# examples of the limits take a while and run beside the cases of limits.bats.

load harness/helpers
load harness/service
load harness/examples

setup_file() { start_instance pages TIME_SCALE=20; }

setup() {
	use pages
	KEY=''
}

# A block that is not marked would be one that nobody runs.
@test "every curl in these pages belongs to an example, and every example to a test" {
	local page name
	for page in README.md docs/specification.md docs/api.md; do
		same "$(awk '/^<!-- example: / { marked = 1; next } /^```/ { if (!inside) { inside = 1; next } inside = marked = 0 }
			inside && !marked && /curl / { print FILENAME ": " $0 }' "$MCS_ROOT/$page")" ''
		while read -r name; do
			grep -qE "example $name( |\))" "$MCS_ROOT"/tests/{harness/examples.bash,specification.bats} || {
				echo "no test uses the example $name of $page"
				return 1
			}
		done < <(sed -n 's/^<!-- example: \(.*\) -->$/\1/p' "$MCS_ROOT/$page")
	done
}

# The names of the fields in $1, in their order.
fields_of() { jq -c keys_unsorted <<<"$1"; }

@test "README: the first call, its answer and its events have the fields that are shown" {
	await_free_key
	same "$(example create README.md)" "$create"
	as_printed "$(example create README.md)"
	same "$(fields_of "$body")" "$(fields_of "$(example created README.md)")"
	call_id=$(json .call_id)
	run watch "$call_id&after=0"
	same "$(sed -n '/^{/p' <<<"$output" | jq -c keys_unsorted)" "$(example events README.md | jq -c keys_unsorted)"
}

@test "README: a call is followed to its end" {
	as_printed "$(example to_the_end README.md)"
	match "$(tail -n 1 <<<"$body")" '^(un)?answered$'
	match "$body" 'QUEUED.*RINGING.*COMPLETED'
}

@test "GET /health answers as shown" {
	as_printed "$health"
	match "$body" "^\{\"status\":\"healthy\",\"timestamp\":\"$iso_time\",\"uptime\":[0-9.]+\}$"
}

@test "create a call, get it, get the metrics" {
	await_free_key
	as_printed "$metrics"
	local before=$body
	as_printed "$create"
	same "$(fields_of "$body")" "$(fields_of "$(example created)")"
	same "$(json '.status + " " + .from + " " + .to')" 'QUEUED +1234567890 +0987654321'
	call_id=$(json .call_id)
	match "$call_id" "^$uuid\$"
	same "$(json .websocket_url)" "ws://localhost:$PORT/ws?call_id=$call_id"
	match "$(json .created_at)" "^$iso_time\$"
	as_printed "${status/calls\//calls\/$call_id}"
	same "$(jq -c 'del(.outcome) | keys_unsorted' <<<"$body")" "$(fields_of "$(example call)")"
	same "$(jq -c '[.call_id, .from, .to, .metadata]' <<<"$body")" \
		"[\"$call_id\",\"+1234567890\",\"+0987654321\",{\"test\":true}]"
	KEY=test-api-key-1 wait_until 60 has_recording
	same "$(json .status)" COMPLETED
	same "$(json .recording_url)" \
		"https://mock-recordings-bucket.s3.us-east-1.amazonaws.com/recordings/$call_id.mp3"
	as_printed "$metrics"
	same "$(jq -c 'keys' <<<"$body")" "$(example counters | jq -c keys)"
	same "$(json .total_calls)" $(($(jq .total_calls <<<"$before") + 1))
}

@test "without an id that is GET /calls, and the answer says what is allowed there" {
	as_printed "$status"
	match "$body" '^\{"error":"Method Not Allowed","message":"Method GET is not allowed here. Allowed: POST, OPTIONS"\}'
}

@test "a key that is not valid fails with 401" {
	as_printed "$authentication -w '%{http_code}'"
	same "$body" $'{"error":"Unauthorized","message":"Invalid API key"}\n401'
}

@test "metadata comes back as it was sent" {
	fresh_key
	post /calls "$create_body"
	expect 201
	same "$(fields_of "$body")" "$(fields_of "$(example created)")"
	api GET "/calls/$(json .call_id)"
	same "$(jq -Sc .metadata <<<"$body")" '{"campaign":"support","customer_id":"12345"}'
}

@test "the errors of the specification, byte for byte" {
	KEY=demo-key
	post /calls '{}'
	same "$status_code $body" \
		'400 {"error":"Bad Request","message":"Missing required fields: from, to"}'
	KEY=invalid post /calls '{}'
	same "$status_code $body" '401 {"error":"Unauthorized","message":"Invalid API key"}'
	api GET /calls/550e8400-e29b-41d4-a716-446655440000
	same "$status_code $body" '404 {"error":"Not Found","message":"Call not found"}'
}
