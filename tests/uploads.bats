# Uploads of recordings: attempts, retries, what is given up, and the way back.

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
	use failing
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR burst 4
	wait_until 30 nothing_moves
	use half
	wait_until 30 nothing_moves
}

setup() {
	use failing
	KEY=demo-key
}

# The lines of the worker's log about a call's upload, "EVENT MESSAGE" each.
upload_log() {
	sed -n "s/^[^ ]* \([a-z]* worker upload\.[a-z]*\) id=$1 .*msg=\"\(.*\)\"\$/\1: \2/p" "$MCS_VAR/log/worker.log"
}

@test "an upload that fails is tried three times, then kept as failed, with no URL" {
	same "$(sql "SELECT count(*), min(upload_attempts), max(upload_attempts), min(status), count(recording_url)
		FROM calls WHERE upload_status = 'FAILED'")" '4|3|3|COMPLETED|0'
	call_id=$(sql 'SELECT id FROM calls LIMIT 1')
	api GET "/calls/$call_id"
	expect 200
	same "$(jq -c '[.status, .recording_url]' <<<"$body")" '["COMPLETED",null]'
}

@test "the log tells of the attempts, of ever longer pauses, and that it was given up" {
	local id job
	id=$(sql 'SELECT id FROM calls LIMIT 1')
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
	least=$(sql "SELECT round(min(1000 * extract(epoch FROM updated_at - entered_at[4]) - 3 * duration_ms[4]))
		FROM calls WHERE upload_status = 'FAILED'")
	echo "the two pauses were $least ms together, or more"
	((least >= 300 - 2)) # two roundings
}

@test "failed uploads are not counted as completed, nor as in progress" {
	api GET /metrics
	same "$(jq -c '[.total_calls, .completed_calls, .uploads_in_progress, .uploads_completed]' <<<"$body")" \
		'[4,4,0,0]'
	same "$(sql 'SELECT sum(uploads_failed) FROM metrics')" 4
}

@test "who watches a call whose upload fails is told, and the WebSocket ends" {
	create_call
	run watch "$call_id"
	same "$status" 0
	same "$(sed -n '/^{/p' <<<"$output" | tail -n 1 | jq -c '[.call_id, .status, .recording_url, .message]')" \
		"[\"$call_id\",\"COMPLETED\",null,\"Recording upload failed\"]"
	match "$output" '! close 1000 '
	wait_until 20 nothing_moves
}

@test "'mcs failed' lists them" {
	run mcs failed
	same "$status" 0
	match "$(tail -n 1 <<<"$output")" '^5 failed uploads$'
	same "$(grep -cE "^$uuid  job [0-9]+  3 attempts  failed $iso_time\$" <<<"$output")" 5
	run mcs failed --what
	[[ $status != 0 ]]
}

@test "'mcs failed --retry' tries them again, as often as it takes" {
	run mcs failed --retry
	same "$status" 0
	match "$(tail -n 1 <<<"$output")" '^5 failed uploads queued for retry$'
	# The script that was drawn for them said three failures: the fourth attempt succeeds.
	wait_until 30 uploads_are_done
	same "$(sql "SELECT count(*), min(upload_attempts) FROM calls WHERE recording_url =
		'https://my-bucket.s3.eu-central-1.amazonaws.com/recordings/' || id || '.mp3'")" '5|3'
	api GET /metrics
	same "$(jq -c '[.total_calls, .completed_calls, .uploads_in_progress, .uploads_completed]' <<<"$body")" \
		'[5,5,0,5]'
	same "$(sql 'SELECT sum(uploads_failed) FROM metrics')" 0
	run mcs failed
	same "$output" '0 failed uploads'
}

uploads_are_done() { [[ $(sql "SELECT count(*) FROM calls WHERE upload_status = 'COMPLETED'") == 5 ]]; }

@test "a URL that came late is there for GET, from Redis and from PostgreSQL" {
	call_id=$(sql 'SELECT id FROM calls LIMIT 1')
	has_recording
	forget_live
	has_recording
}

@test "what was told before the retry stays as it was told; what the retry brought is an event of its own" {
	local told
	create_call
	watch "$call_id" >"$BATS_TEST_TMPDIR/out"
	told=$(later_events)
	match "$told" '^\[5,.*"Recording upload failed"\]$'
	run mcs failed --retry
	same "$status" 0
	wait_until 30 has_recording
	same "$(later_events | head -n 1)" "$told"
	same "$(later_events | tail -n 1 | jq -r '"\(.[0]) \(.[3])"')" \
		"6 https://my-bucket.s3.eu-central-1.amazonaws.com/recordings/$call_id.mp3"
	same "$(events_after 5 | jq -r .seq)" 6
	forget_live # and the same from the row
	same "$(later_events | head -n 1)" "$told"
	same "$(later_events | wc -l)" 2
}

# The messages about $call_id behind those of its states, as one who has seen its four states gets them.
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
	api GET /metrics
	same "$(json '"\(.total_calls)|\(.completed_calls)|\(.uploads_in_progress)|\(.uploads_completed)"')" \
		"$(sql "SELECT count(*), count(*), 0, count(*) FILTER (WHERE upload_status = 'COMPLETED') FROM calls")"
	same "$(sql 'SELECT sum(uploads_failed) FROM metrics')" \
		"$(sql "SELECT count(*) FROM calls WHERE upload_status = 'FAILED'")"
	# Each attempt that failed is in the log, once.
	same "$(grep -c 'worker upload\.retry ' "$MCS_VAR/log/worker.log")" \
		"$(sql 'SELECT sum(least(upload_attempts, 2)) FROM calls')"
	same "$(grep -c 'worker upload\.failed ' "$MCS_VAR/log/worker.log")" \
		"$(sql "SELECT count(*) FROM calls WHERE upload_status = 'FAILED'")"
}

@test "a WebSocket ends for a late watcher too when the upload was given up" {
	use half
	run watch "$(sql "SELECT id FROM calls WHERE upload_status = 'FAILED' LIMIT 1")"
	match "$output" '"message":"Recording upload failed"'
	match "$output" '! close 1000 '
}
