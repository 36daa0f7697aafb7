# Uploads of recordings: attempts, retries, what fails permanently, and the way back.

load harness/helpers
load harness/service

setup_file() {
	# `failing` fails every attempt, `half` every other one.
	launch_instance failing TIME_SCALE=20 UPLOAD_FAILURE_RATE=1 MAX_CPS_PER_KEY=1000 \
		MAX_CONCURRENT_CALLS_PER_KEY=1000 S3_BUCKET_NAME=my-bucket AWS_REGION=eu-central-1
	launch_instance half TIME_SCALE=100 UPLOAD_FAILURE_RATE=0.5 MAX_CPS_PER_KEY=1000 \
		MAX_CONCURRENT_CALLS_PER_KEY=1000
	await_instance failing
	await_instance half
	use half
	KEY=demo-key
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR burst 100
	wait_until 60 nothing_moves
}

setup() {
	use failing
	fresh_key
}

# Creates so many calls and waits until their uploads have failed; call_id is one of them.
fail_uploads() {
	burst "$1"
	same "$statuses" "201:$1" || return
	wait_until 60 nothing_moves || return
	call_id=$(sql "SELECT id FROM calls WHERE api_key = '$KEY' LIMIT 1")
}

# The metrics, and what the table says they should be.
metrics_now() {
	api GET /metrics
	json '"\(.total_calls)|\(.completed_calls)|\(.uploads_in_progress)|\(.uploads_completed)"'
	sql 'SELECT sum(uploads_failed) FROM metrics'
}

metrics_of_table() {
	sql "SELECT count(*), count(*), 0, count(*) FILTER (WHERE upload_status = 'COMPLETED') FROM calls;
		SELECT count(*) FROM calls WHERE upload_status = 'FAILED'"
}

# The lines of the worker's log about a call's upload, "EVENT MESSAGE" each.
upload_log() {
	sed -n "s/^[^ ]* \([a-z]* worker upload\.[a-z]*\) id=$1 .*msg=\"\(.*\)\"\$/\1: \2/p" "$MCS_VAR/log/worker.log"
}

@test "an upload that fails is tried three times, then kept as failed, with no URL" {
	fail_uploads 4
	same "$(sql "SELECT count(*), min(upload_attempts), max(upload_attempts), min(status), min(upload_status),
		count(recording_url) FROM calls WHERE api_key = '$KEY'")" '4|3|3|COMPLETED|FAILED|0'
	api GET "/calls/$call_id"
	expect 200
	same "$(jq -c '[.status, .recording_url]' <<<"$body")" '["COMPLETED",null]'
}

@test "the log tells of the attempts, of ever longer pauses, and that it failed permanently" {
	local id job
	fail_uploads 1
	id=$call_id
	job=$(sql "SELECT upload_job FROM calls WHERE id = '$id'")
	# 2 s and 4 s, twenty times shorter.
	same "$(upload_log "$id")" "info worker upload.enqueue: Enqueued recording upload job for call: $id
info worker upload.start: [Job $job] Processing recording upload for call: $id
info worker upload.send: [Job $job] Uploading recording to S3...
warn worker upload.retry: [Job $job] Upload attempt failed; next in 0.1 s
info worker upload.start: [Job $job] Processing recording upload for call: $id
info worker upload.send: [Job $job] Uploading recording to S3...
warn worker upload.retry: [Job $job] Upload attempt failed; next in 0.2 s
info worker upload.start: [Job $job] Processing recording upload for call: $id
info worker upload.send: [Job $job] Uploading recording to S3...
error worker upload.failed: [Job $job] Recording upload failed permanently"
}

# By the times in the rows: a line of the log is written when the worker comes to it.
@test "the pauses between the attempts were that long" {
	local least
	fail_uploads 4
	least=$(sql "SELECT round(min(1000 * extract(epoch FROM updated_at - entered_at[4]) - 3 * duration_ms[4]))
		FROM calls WHERE api_key = '$KEY'")
	echo "the two pauses were $least ms together, or more"
	((least >= 300 - 2)) # two roundings
}

@test "failed uploads are not counted as completed, nor as in progress" {
	fail_uploads 4
	same "$(metrics_now)" "$(metrics_of_table)"
	(($(sql 'SELECT sum(uploads_failed) FROM metrics') >= 4))
}

@test "a subscriber of a call whose upload fails is told, and the WebSocket ends" {
	create_call
	run watch "$call_id"
	same "$status" 0
	same "$(sed -n '/^{/p' <<<"$output" | tail -n 1 | jq -c '[.call_id, .status, .recording_url, .message]')" \
		"[\"$call_id\",\"COMPLETED\",null,\"Recording upload failed\"]"
	match "$output" '! close 1000 '
}

@test "'mcs failed' lists them" {
	local count
	fail_uploads 5
	count=$(sql "SELECT count(*) FROM calls WHERE upload_status = 'FAILED'")
	run mcs failed
	same "$status" 0
	same "$(tail -n 1 <<<"$output")" "$count failed uploads"
	same "$(grep -cE "^$uuid  job [0-9]+  3 attempts  failed $iso_time\$" <<<"$output")" "$count"
	same "$(grep -cF -f <(sql "SELECT id FROM calls WHERE api_key = '$KEY'") <<<"$output")" 5
	run mcs failed --what
	[[ $status != 0 ]]
}

@test "'mcs failed --retry' tries them again, as often as it takes" {
	local count
	fail_uploads 5
	count=$(sql "SELECT count(*) FROM calls WHERE upload_status = 'FAILED'")
	run mcs failed --retry
	same "$status" 0
	same "$(tail -n 1 <<<"$output")" "$count failed uploads queued for retry"
	# The plan that was drawn for them has three failures: the fourth attempt succeeds.
	wait_until 60 nothing_moves
	same "$(sql "SELECT count(*), min(upload_attempts) FROM calls WHERE api_key = '$KEY' AND upload_status = 'COMPLETED' AND
		recording_url = 'https://my-bucket.s3.eu-central-1.amazonaws.com/recordings/' || id || '.mp3'")" '5|3'
	same "$(metrics_now)" "$(metrics_of_table)"
	same "$(sql 'SELECT sum(uploads_failed) FROM metrics')" 0
	run mcs failed
	same "$output" '0 failed uploads'
	# The URL is there for GET, from Redis and from PostgreSQL.
	has_recording
	forget_live
	has_recording
}

@test "what was told before the retry stays as it was told; what the retry brought is an event of its own" {
	local told
	fail_uploads 1
	told=$(later_events)
	match "$told" '^\[5,.*"Recording upload failed"\]$'
	run mcs failed --retry
	same "$status" 0
	wait_until 60 has_recording
	same "$(later_events | head -n 1)" "$told"
	same "$(later_events | tail -n 1 | jq -r '"\(.[0]) \(.[3])"')" \
		"6 https://my-bucket.s3.eu-central-1.amazonaws.com/recordings/$call_id.mp3"
	same "$(events_after 5 | jq -r .seq)" 6
	forget_live # and the same from the row
	same "$(later_events | head -n 1)" "$told"
	same "$(later_events | wc -l)" 2
}

# The messages about $call_id behind those of its states, as a subscriber gets them that has seen its four states.
later_events() { events_after 4 | jq -c '[.seq, .status, .timestamp, .recording_url, .message]'; }

events_after() { "$WSCAT" --timeout 30 "ws://127.0.0.1:$PORT/ws?call_id=$call_id&after=$1" | grep '^{"call_id"'; }

@test "with a rate of 0.5 some succeed at once, some after retries, some never" {
	use half
	local once later never
	once=$(sql "SELECT count(*) FROM calls WHERE upload_status = 'COMPLETED' AND upload_attempts = 0")
	later=$(sql "SELECT count(*) FROM calls WHERE upload_status = 'COMPLETED' AND upload_attempts IN (1, 2)")
	never=$(sql "SELECT count(*) FROM calls WHERE upload_status = 'FAILED' AND upload_attempts = 3")
	echo "$once at once, $later after retries, $never never"
	((once + later + never == 100))
	# 50, 37.5 and 12.5 are expected; the bounds are five standard deviations away.
	((once >= 25 && once <= 75 && later >= 13 && later <= 62 && never <= 30))
	((never >= 1))
}

@test "the counters agree with the table when some uploads failed and some were retried" {
	use half
	same "$(metrics_now)" "$(metrics_of_table)"
	# Each attempt that failed is in the log, once.
	same "$(grep -c 'worker upload\.retry ' "$MCS_VAR/log/worker.log")" \
		"$(sql 'SELECT sum(least(upload_attempts, 2)) FROM calls')"
	same "$(grep -c 'worker upload\.failed ' "$MCS_VAR/log/worker.log")" \
		"$(sql "SELECT count(*) FROM calls WHERE upload_status = 'FAILED'")"
}

@test "a WebSocket ends for a late subscriber too when the upload failed permanently" {
	use half
	run watch "$(sql "SELECT id FROM calls WHERE upload_status = 'FAILED' LIMIT 1")"
	match "$output" '"message":"Recording upload failed"'
	match "$output" '! close 1000 '
}
