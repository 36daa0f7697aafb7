# The two limits: exact under load, nothing lost, nothing leaked.

load harness/helpers
load harness/service
load harness/examples

# What takes seconds of real time goes on beside the other cases; the last ones look at it.
setup_file() {
	use real
	run_examples >"$BATS_FILE_TMPDIR/examples.log" 2>&1 3>&- 4>&- &
	echo $! >"$BATS_FILE_TMPDIR/examples.pid"
	use fast
	fresh_key
	echo "$KEY" >"$BATS_FILE_TMPDIR/hammered"
	hammer >"$BATS_FILE_TMPDIR/hammer.log" 2>&1 3>&- 4>&- &
	echo $! >"$BATS_FILE_TMPDIR/hammer.pid"
	# Calls short, many a second: here only the concurrent limit refuses.
	start_instance narrow TIME_SCALE=20 MAX_CPS_PER_KEY=1000
}

# The specification's two rate limiting tests, one after the other: they use the same key.
run_examples() {
	await_free_key
	as_printed "$a_second" && echo "$body" >"$BATS_FILE_TMPDIR/a_second"
	await_free_key
	as_printed "$concurrent" && echo "$body" >"$BATS_FILE_TMPDIR/concurrent"
}

# Asks and asks until eight calls were admitted, which takes three seconds at least; notes how often that was granted
# and refused.
hammer() {
	local admitted=0 refused=0 deadline=$((SECONDS + 60))
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR/hammer
	mkdir "$BATS_TEST_TMPDIR"
	while ((admitted < 8 && SECONDS < deadline)); do
		burst 20
		((admitted += $(count_of 201), refused += $(count_of 429))) || :
	done
	echo "$admitted $refused" >"$BATS_FILE_TMPDIR/hammer.done"
}

ended() { are_gone "$(<"$BATS_FILE_TMPDIR/$1.pid")"; }

setup() {
	use fast
	fresh_key
}

teardown() {
	use narrow
	release_component worker
}

# --- calls per second -----------------------------------------------------------------------------

@test "40 requests at once on a fresh key: never more than 2 in a second are admitted, the others refused" {
	burst_at_limit 40
	jq -r '.message // .status' "$replies"/* | sort | uniq -c >"$BATS_TEST_TMPDIR/all"
	match "$(<"$BATS_TEST_TMPDIR/all")" 'Calls per second limit exceeded \(2\)'
	# On a slow machine this lasts more than a second, so that the other limit may be met, too.
	same "$(grep -vE '(Calls per second limit exceeded \(2\)|Maximum concurrent calls reached \(3\)|QUEUED)$' \
		"$BATS_TEST_TMPDIR/all")" ''
}

@test "the calls-per-second refusal: the specification's body, and Retry-After until the older call has left the window" {
	local begin=${EPOCHREALTIME//[.,]/} passed
	burst 2
	same "$statuses" '201:2'
	hold_window
	post /calls '{"from": "+1", "to": "+2"}'
	expect_error 429 'Calls per second limit exceeded (2)'
	same "$body" '{"error":"Rate limit exceeded","message":"Calls per second limit exceeded (2)"}'
	passed=$((${EPOCHREALTIME//[.,]/} - begin))
	echo "Retry-After $(header Retry-After), $passed µs after the calls"
	(($(header Retry-After) <= 61 && $(header Retry-After) * 1000000 >= 61000000 - passed))
	empty_window
	admitted_again
}

@test "refused requests do not count: a client that keeps asking is admitted after a second, a real one" {
	burst 2
	same "$statuses" '201:2'
	wait_until 60 admitted_again
	# TIME_SCALE is 20 here.
	same "$(sql "SELECT max(created_at) - min(created_at) >= interval '0.999 s'
		FROM calls WHERE api_key = '$KEY'")" t
}

admitted_again() {
	post /calls '{"from": "+1", "to": "+2"}'
	[[ $status_code == 201 ]]
}

@test "keys do not disturb each other" {
	local first=$KEY
	take_keys 3
	KEY=$first burst_at_limit 20
	for KEY in "${keys[@]}"; do burst_at_limit 4; done
}

# --- concurrent calls -----------------------------------------------------------------------------

@test "of 40 requests at once exactly 3 get a slot" {
	use narrow
	fresh_key
	hold_component worker
	burst 40
	same "$statuses" '201:3 429:37'
	jq -r '.message // .status' "$replies"/* | sort | uniq -c >"$BATS_TEST_TMPDIR/all"
	match "$(<"$BATS_TEST_TMPDIR/all")" $'^ *37 Maximum concurrent calls reached \\(3\\)\n *3 QUEUED$'
	# A slot says when its call should end: after the states that follow the first, to the microsecond.
	local shard
	for call_id in $(sql "SELECT id FROM calls WHERE api_key = '$KEY'"); do
		shard=$(live_key call "$call_id") shard=${shard%%call:*}
		same "$(live EVAL 'return string.format("%.0f", redis.call("ZSCORE", KEYS[2], ARGV[1]) -
				redis.call("ZSCORE", KEYS[1], ARGV[1] .. " advance 1"))' \
			2 "${shard}due" "${shard}slots:$KEY" "$call_id")" \
			"$(sql "SELECT 1000 * (duration_ms[2] + duration_ms[3]) FROM calls WHERE id = '$call_id'")"
	done
}

@test "the concurrent refusal: the specification's body; it comes first when both limits are reached" {
	use real
	fresh_key
	burst 2
	same "$statuses" '201:2'
	call_id=$(json_of_reply 1 .call_id)
	hold_window
	fill_slots
	post /calls '{"from": "+1", "to": "+2"}'
	expect_error 429 'Maximum concurrent calls reached (3)'
	same "$body" '{"error":"Rate limit exceeded","message":"Maximum concurrent calls reached (3)"}'
	empty_slots
	post /calls '{"from": "+1", "to": "+2"}'
	expect_error 429 'Calls per second limit exceeded (2)'
}

json_of_reply() { jq -r "$2" "$replies/$1"; }

@test "Retry-After is never before the place is free: it counts what workers need, and rounds up" {
	local begin=${EPOCHREALTIME//[.,]/} passed
	use real
	fresh_key
	create_call
	fill_slots
	post /calls '{"from": "+1", "to": "+2"}'
	expect_error 429 'Maximum concurrent calls reached (3)'
	passed=$((${EPOCHREALTIME//[.,]/} - begin))
	echo "Retry-After $(header Retry-After), $passed µs after the begin"
	(($(header Retry-After) <= 61 && $(header Retry-After) * 1000000 >= 60000000 - passed + 250000))
	empty_slots
}

@test "a slot says when its call is expected to end, also when the worker was late" {
	use narrow
	fresh_key
	local shard
	hold_component worker
	create_call
	shard=$(live_key call "$call_id") shard=${shard%%call:*}
	sql "UPDATE calls SET duration_ms = '{50, 3600000, 7000, 50}' WHERE id = '$call_id'"
	release_component worker
	wait_until 60 has_status RINGING
	# What follows the state that its job ends, to the microsecond.
	same "$(live EVAL 'return string.format("%.0f", redis.call("ZSCORE", KEYS[2], ARGV[1]) -
			redis.call("ZSCORE", KEYS[1], ARGV[1] .. " advance 2"))' \
		2 "${shard}due" "${shard}slots:$KEY" "$call_id")" 7000000
	sql "UPDATE calls SET duration_ms = '{50, 50, 50, 50}' WHERE id = '$call_id'"
	live ZADD "${shard}due" XX 0 "$call_id advance 2"
	wait_until 60 no_slots "$KEY"
}

@test "Retry-After while a call waits for a worker that died: until the lease of its job is over" {
	use narrow
	fresh_key
	hold_component worker
	burst 3
	same "$statuses" '201:3'
	wait_until 60 retry_after_is 5
	release_component worker
	wait_until 60 no_slots "$KEY"
}

retry_after_is() {
	post /calls '{"from": "+1", "to": "+2"}'
	expect 429
	(($(header Retry-After) >= $1))
}

@test "a slot comes back when its call is COMPLETED, and not before" {
	use narrow
	fresh_key
	wait_until 60 were_created 6
	wait_until 60 no_slots "$KEY"
	# A call overlaps with those that were created before it and had not ended yet.
	same "$(most_at_once "$KEY")" 3
	hold_component worker
	burst 4
	same "$statuses" '201:3 429:1'
}

# Asks for ten more calls; whether the key has so many by now.
were_created() {
	burst 10
	(($(sql "SELECT count(*) FROM calls WHERE api_key = '$KEY'") >= $1))
}

most_at_once() {
	sql "SELECT max(overlapping) FROM (
			SELECT (SELECT count(*) FROM calls o
				WHERE o.api_key = c.api_key AND o.created_at <= c.created_at
				  AND (o.entered_at[4] IS NULL OR o.entered_at[4] > c.created_at)) AS overlapping
			FROM calls c WHERE c.api_key = '$1') AS t"
}

@test "a slot comes back also when nobody could say whether the call was stored" {
	use narrow
	fresh_key
	create_call
	local locker key=$KEY
	"$psql_client" -qX "${POSTGRES_AT[@]}" -U mcs -d mock_communications >/dev/null 2>&1 3>&- <<-'END' &
		SET application_name = 'test-lock';
		BEGIN;
		LOCK TABLE calls IN SHARE ROW EXCLUSIVE MODE;
		SELECT pg_sleep(60);
	END
	locker=$!
	wait_until 60 table_is_locked
	local begin=${EPOCHREALTIME//[.,]/}
	post /calls '{"from": "+5550001", "to": "+2"}'
	expect_error 503 'It is not known whether the call was created: a database did not answer in time'
	((${EPOCHREALTIME//[.,]/} - begin >= 1500000))
	match "$(header Retry-After)" '^[0-9]+$'
	# It holds a slot as long as it may exist.
	(($(slots_of "$key") >= 1))
	sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test-lock'"
	wait "$locker" || :
	wait_until 60 unknown_is_completed
	wait_until 60 no_slots "$key"
	wait_until 60 is_ready
	hold_component worker
	KEY=$key burst 4
	same "$statuses" '201:3 429:1'
	same "$(sql "SELECT count(*) FROM calls WHERE from_number = '+5550001'")" 1
}

table_is_locked() {
	[[ $(sql "SELECT count(*) FROM pg_locks WHERE relation = 'calls'::regclass
		AND mode = 'ShareRowExclusiveLock' AND granted") == 1 ]]
}

unknown_is_completed() {
	[[ $(sql "SELECT status FROM calls WHERE from_number = '+5550001'") == COMPLETED ]]
}

@test "a call whose responder died before it stored it is inserted by the worker and plays" {
	use narrow
	fresh_key
	# As if the insert had never come: the row goes, what Redis holds stays.
	# (Worker and counters are held still meanwhile, so that nothing half done is seen.)
	hold_component worker
	create_call '{"from": "+5550002", "to": "+2", "metadata": {"x": "é"}}'
	create_call '{"from": "+5550003", "to": "+2", "metadata": {"x": "é"}}'
	sql "BEGIN; DELETE FROM calls WHERE id = '$call_id';
		UPDATE metrics SET total_calls = total_calls - 1, active_calls = active_calls - 1
		WHERE id = 1; COMMIT"
	same "$(slots_of "$KEY")" 2
	release_component worker
	wait_until 60 has_recording
	same "$(jq -c '[.from, .metadata]' <<<"$body")" '["+5550003",{"x":"é"}]'
	wait_until 60 no_slots "$KEY"
	log_of worker | grep "call.recovered id=$call_id"
	wait_until 60 nothing_moves
	same "$(sql "SELECT sum(total_calls) = (SELECT count(*) FROM calls)
		AND sum(active_calls) = 0 FROM metrics")" t
}

# --- what went on beside all that -----------------------------------------------------------------

@test "no second admits more calls of a key than the limit, however it hammers" {
	local admitted refused
	wait_until 300 ended hammer
	KEY=$(<"$BATS_FILE_TMPDIR/hammered")
	read -r admitted refused <"$BATS_FILE_TMPDIR/hammer.done"
	echo "$admitted admitted, $refused refused"
	# Sliding: between a call and the next but one lies a second, in each case.
	same "$(too_many_a_second)" 0
	same "$(sql "SELECT count(*) FROM calls WHERE api_key = '$KEY'")" "$admitted"
	((admitted >= 8 && refused > 0))
}

@test "the specification's test of the CPS limit: of 4 requests 2 succeed, the others fail with the message" {
	local created
	wait_until 60 test -e "$BATS_FILE_TMPDIR/a_second"
	body=$(<"$BATS_FILE_TMPDIR/a_second")
	created=$(jq -s '[.[] | select(.status == "QUEUED")] | length' <<<"$body")
	same "$(jq -sc '[.[] | select(.error) | .message == "Calls per second limit exceeded (2)"] | all' <<<"$body")" true
	# Exactly 2, unless the machine took more than a second for these four.
	((created >= 2 && $(jq -s length <<<"$body") == 4))
	use real
	same "$(too_many_a_second test-api-key-1)" 0
}

@test "the specification's test of the concurrent limit: never more than 3 at once, and the others fail with the message" {
	local created
	wait_until 300 ended examples
	cat "$BATS_FILE_TMPDIR/examples.log"
	body=$(<"$BATS_FILE_TMPDIR/concurrent")
	same "$(jq -s length <<<"$body")" 7
	same "$(jq -sc '[.[:3][] | .status]' <<<"$body")" '["QUEUED","QUEUED","QUEUED"]'
	created=$(jq -s '[.[] | select(.status == "QUEUED")] | length' <<<"$body")
	echo "$created of the 7 calls were created"
	same "$(jq -s '[.[3:][] | select(.error) | .message | test("^(Maximum concurrent calls reached \\(3\\)|Calls per second limit exceeded \\(2\\))$")] | all' <<<"$body")" true
	# One more is created when the first call has ended by then.
	use real
	(($(most_at_once test-api-key-1) <= 3))
}
