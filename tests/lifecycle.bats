# The life of a call: states, their order and length, what the log says, and the counters.

load harness/helpers
load harness/service

calls=320

# Plays many calls, two for each of many keys, so that each case can look at all of them.
setup_file() {
	start_instance lives TIME_SCALE=20
	local key keys list=$BATS_FILE_TMPDIR/list
	take_keys $((calls / 2))
	for key in "${keys[@]}" "${keys[@]}"; do
		printf '%surl = "%s/calls"\nheader = "Authorization: Bearer %s"\n' "${next:-}" "$BASE" "$key"
		printf 'header = "Content-Type: application/json"\noutput = "%s"\n' \
			"$BATS_FILE_TMPDIR/reply.$((++n))"
		printf 'data = "{\\"from\\": \\"+1\\", \\"to\\": \\"+2\\"}"\n'
		local next=$'next\n'
	done >"$list"
	curl -q -sS --noproxy '*' -Z --parallel-max 20 -K "$list"
	jq -r '.call_id // halt_error' "$BATS_FILE_TMPDIR"/reply.* >"$BATS_FILE_TMPDIR/ids"
	export CALL_IDS
	CALL_IDS=$(sed "s/.*/'&'/" "$BATS_FILE_TMPDIR/ids" | paste -sd,)
	wait_until 60 nothing_moves
}

setup() {
	use lives
	KEY=demo-key
}

teardown() {
	use lives
	release_component worker
	sql "DELETE FROM calls WHERE api_key = 'made up'"
}

# Counts those of the calls that satisfy a condition.
calls_where() { sql "SELECT count(*) FROM calls WHERE id IN ($CALL_IDS) AND ($1)"; }

@test "every call ends COMPLETED with its recording uploaded" {
	same "$(wc -l <"$BATS_FILE_TMPDIR/ids")" "$calls"
	same "$(calls_where "status = 'COMPLETED' AND upload_status = 'COMPLETED'")" "$calls"
}

@test "every call goes through each state once and in order: the worker's log says so" {
	sed -n 's/.* info worker call\.advance id=\([^ ]*\) seq=\([0-9]\) msg="Call \([^ ]*\): \([A-Z]* -> [A-Z]*\)"$/\1 \2 \3 \4/p' \
		"$MCS_VAR/log/worker.log" | grep -F -f "$BATS_FILE_TMPDIR/ids" >"$BATS_TEST_TMPDIR/moves"
	# The lines as they come, a call's lines joined: nothing twice, nothing missing, nothing else.
	awk '$1 != $3 { print "ids differ: " $0; exit 1 }
		{ path[$1] = path[$1] $2 " " $4 " " $5 " " $6 "; " }
		END { for (id in path) print path[id] }' "$BATS_TEST_TMPDIR/moves" | sort | uniq -c |
		sed 's/^ *//' | sort >"$BATS_TEST_TMPDIR/paths"
	cat "$BATS_TEST_TMPDIR/paths"
	local answered unanswered
	answered=$(calls_where "outcome = 'ANSWERED'")
	unanswered=$(calls_where "outcome = 'UNANSWERED'")
	same "$(<"$BATS_TEST_TMPDIR/paths")" "$(printf '%s\n' \
		"$answered 2 QUEUED -> RINGING; 3 RINGING -> ANSWERED; 4 ANSWERED -> COMPLETED; " \
		"$unanswered 2 QUEUED -> RINGING; 3 RINGING -> UNANSWERED; 4 UNANSWERED -> COMPLETED; " | sort)"
}

@test "70 % of the calls are answered, 30 % are not" {
	local answered
	answered=$(calls_where "outcome = 'ANSWERED'")
	echo "$answered of $calls were answered"
	# Five standard deviations to either side.
	((answered + $(calls_where "outcome = 'UNANSWERED'") == calls))
	((answered * 1000 > calls * 570 && answered * 1000 < calls * 830))
}

@test "each state's length is drawn from its range, twenty times shorter here" {
	same "$(calls_where "duration_ms[1] BETWEEN 50 AND 100 AND duration_ms[2] BETWEEN 150 AND 250
		AND duration_ms[3] BETWEEN 100 AND 200 AND duration_ms[4] BETWEEN 100 AND 150
		AND outcome = 'ANSWERED'")" "$(calls_where "outcome = 'ANSWERED'")"
	same "$(calls_where "duration_ms[1] BETWEEN 50 AND 100 AND duration_ms[2] BETWEEN 150 AND 250
		AND duration_ms[3] BETWEEN 50 AND 100 AND duration_ms[4] BETWEEN 100 AND 150
		AND outcome = 'UNANSWERED'")" "$(calls_where "outcome = 'UNANSWERED'")"
	# The whole of each range is used.
	same "$(sql "SELECT min(duration_ms[1]) < 65 AND max(duration_ms[1]) > 85
			AND min(duration_ms[2]) < 180 AND max(duration_ms[2]) > 220
			AND min(duration_ms[3]) FILTER (WHERE outcome = 'ANSWERED') < 130
			AND max(duration_ms[3]) FILTER (WHERE outcome = 'ANSWERED') > 170
			AND min(duration_ms[4]) < 115 AND max(duration_ms[4]) > 135
		FROM calls WHERE id IN ($CALL_IDS)")" t
}

@test "durations at TIME_SCALE=1 are those of the specification" {
	use real
	fresh_key
	burst 2
	same "$(sql "SELECT count(*) FROM calls WHERE api_key = '$KEY'
		AND duration_ms[1] BETWEEN 1000 AND 2000 AND duration_ms[2] BETWEEN 3000 AND 5000
		AND CASE outcome WHEN 'ANSWERED' THEN duration_ms[3] BETWEEN 2000 AND 4000
		                 ELSE duration_ms[3] BETWEEN 1000 AND 2000 END
		AND duration_ms[4] BETWEEN 2000 AND 3000")" 2
}

@test "a call stays in each state for as long as was drawn, never less" {
	same "$(calls_where "entered_at[2] - entered_at[1] < duration_ms[1] * interval '1 ms'
		OR entered_at[3] - entered_at[2] < duration_ms[2] * interval '1 ms'
		OR entered_at[4] - entered_at[3] < duration_ms[3] * interval '1 ms'
		OR updated_at - entered_at[4] < duration_ms[4] * interval '1 ms'")" 0
}

@test "the row tells the history of the call: four states, in time's order, from its creation" {
	same "$(calls_where "cardinality(entered_at) = 4 AND entered_at[1] = created_at
		AND entered_at[1] < entered_at[2] AND entered_at[2] < entered_at[3]
		AND entered_at[3] < entered_at[4] AND entered_at[4] < updated_at AND seq = 5")" "$calls"
}

@test "recording_url is as in the specification" {
	same "$(calls_where "recording_url =
		'https://mock-recordings-bucket.s3.us-east-1.amazonaws.com/recordings/' || id || '.mp3'")" "$calls"
}

@test "the worker's log has the specification's lines of an upload, in their order" {
	local id lines job
	id=$(head -n 1 "$BATS_FILE_TMPDIR/ids")
	lines=$(grep -F "id=$id" "$MCS_VAR/log/worker.log" | sed -n 's/.* msg="\(.*\)"$/\1/p' | tail -n 6)
	job=$(sql "SELECT upload_job FROM calls WHERE id = '$id'")
	same "$lines" "Enqueued recording upload job for call: $id
[Job $job] Processing recording upload for call: $id
[Job $job] Uploading recording to S3...
Mock upload completed for call $id
[Job $job] Updating call record with URL
[Job $job] Recording upload completed"
	# And the shape of a line as a whole.
	match "$(grep -F "id=$id" "$MCS_VAR/log/worker.log" | head -n 1)" \
		"^$iso_time info worker call\.advance id=$id seq=2 msg=\"Call $id: QUEUED -> RINGING\"\$"
}

@test "upload jobs are numbered, each its own" {
	same "$(sql "SELECT count(DISTINCT upload_job) FROM calls WHERE id IN ($CALL_IDS) AND upload_job >= 1")" \
		"$calls"
}

@test "the metrics are exact when nothing moves: they equal a recount of the table" {
	wait_until 60 nothing_moves
	api GET /metrics
	expect 200
	same "$(json '"\(.total_calls) \(.active_calls) \(.completed_calls) \(.uploads_in_progress) \(.uploads_completed)"')" \
		"$(sql "SELECT count(*), count(*) FILTER (WHERE status <> 'COMPLETED'),
				count(*) FILTER (WHERE status = 'COMPLETED'), count(*) FILTER (WHERE upload_status = 'PENDING'),
				count(*) FILTER (WHERE upload_status = 'COMPLETED') FROM calls" | tr '|' ' ')"
	(($(json .total_calls) >= calls))
}

@test "the metrics count what is active and what is being uploaded" {
	wait_until 60 nothing_moves
	fresh_key
	hold_component worker
	create_call
	sql "UPDATE calls SET duration_ms = '{50, 50, 50, 600000}' WHERE id = '$call_id'"
	api GET /metrics
	same "$(json '"\(.active_calls) \(.uploads_in_progress)"')" '1 0'
	release_component worker
	wait_until 60 has_status COMPLETED
	wait_until 60 is_uploading
	api GET /metrics
	same "$(json '"\(.active_calls) \(.uploads_in_progress)"')" '0 1'
	# Let it end.
	live ZADD "$(due_of_call)" XX 0 "$(job_of_call finish)"
	wait_until 60 has_recording
}

due_of_call() { live_key call "$call_id" | sed 's/call:.*/due/'; }
job_of_call() { live ZRANGE "$(due_of_call)" 0 -1 | grep "^$call_id $1 "; }
is_uploading() { [[ $(job_of_call finish) ]]; }

# Rows that come into the last second one after the other, for a minute: the metric is what the rows say between
# what was certainly in that second and what may have been.
@test "current_cps is how many calls were created in the last second" {
	local before after min max cps
	insert_calls 1200 status=COMPLETED 'api_key=made up' "at:=now() + (n - 20) * interval '50 ms'"
	before=$(date +%s%3N)
	api GET /metrics
	after=$(date +%s%3N)
	cps=$(json .current_cps)
	# The query's upper bound is a second ahead, for a clock that was set back.
	IFS='|' read -r min max < <(sql "
		SELECT count(*) FILTER (WHERE created_at BETWEEN to_timestamp(($after - 999) / 1000.0) AND to_timestamp(($before + 999) / 1000.0)),
		       count(*) FILTER (WHERE created_at BETWEEN to_timestamp(($before - 1001) / 1000.0) AND to_timestamp(($after + 1001) / 1000.0))
		  FROM calls")
	echo "current_cps is $cps, of $min to $max"
	((min <= cps && cps <= max && cps >= 19))
	sql "DELETE FROM calls WHERE api_key = 'made up'"
	wait_until 60 cps_is 0
}

cps_is() {
	api GET /metrics
	[[ $(json .current_cps) == "$1" ]]
}

@test "Redis keeps no trace of a call for ever: no job, no slot, and its record expires" {
	wait_until 60 nothing_moves
	wait_until 60 nothing_due
	local key
	key=$(live_key call "$(head -n 1 "$BATS_FILE_TMPDIR/ids")")
	[[ ! $key ]] || (($(live PTTL "$key") > 0))
	wait_until 60 only_these_keys clock ready
}

# The kinds of keys that are there beside what expires.
only_these_keys() {
	[[ $(live --scan --pattern 'mcs:*' | sed 's/.*}://; s/:.*//' | sort -u |
		grep -v -x -E 'call|window' | paste -sd ' ') == "$*" ]]
}

nothing_due() { [[ ! $(live --scan --pattern 'mcs:2:{*}:due') && ! $(live --scan --pattern 'mcs:2:{*}:slots:*') ]]; }
