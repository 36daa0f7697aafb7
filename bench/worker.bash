# shellcheck shell=bash
# What one worker can do, with calls that lie ready in the record: transitions as fast as they go, how
# late they are at 5,000 a second, uploads at 5,000 a second. Redis gets the calls as after a loss.

# preload COUNT FIRST SPREAD KIND: rows whose present stage ends in FIRST seconds from now and later,
# evenly over SPREAD seconds. KIND: queued, the first transition is due; upload, the start of an upload
# of three seconds is. All that comes after the one transition takes an hour.
preload() {
	local seq=1 status=QUEUED upload=WAITING job=NULL retry=NULL entered='ARRAY[now()]'
	local stages="ARRAY[due, 3600000, 3600000, 3000]"
	if [[ $4 == upload ]]; then
		seq=4 status=COMPLETED upload=PENDING job="nextval('upload_jobs')" retry="now() + due * interval '1 ms'"
		entered='ARRAY[now(), now(), now(), now()]' stages='ARRAY[1000, 1000, 1000, 3000]'
	fi
	sql "
		WITH made AS (
			SELECT i, owner.*, md5(i::text || now()) AS m,
			       lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - $1 + i), 12, '0') AS h,
			       ($2 * 1000 + i * $3::bigint * 1000 / $1)::integer AS due
			  FROM generate_series(1, $1) AS i JOIN $(owner_rows) ON owner.n = i % 16
		)
		INSERT INTO calls (id, from_number, to_number, status, metadata, api_key, created_at, updated_at, seq,
		                   entered_at, outcome, stage_ms, upload_status, upload_job, upload_retry_at)
		SELECT (left(h, 8) || '-' || right(h, 4) || '-7' || left(m, 3) || '-8' || substr(m, 4, 3) || '-' ||
		        substr(m, 7, 10) || hash)::uuid,
		       '+1234567890', '+0987654321', '$status', '{\"test\": true}', api_key, now(), now(), $seq,
		       $entered, 'ANSWERED', $stages, '$upload', $job, $retry
		  FROM made"
	sql "UPDATE metrics SET total_calls = total_calls + $1, active_calls = active_calls + $1 WHERE id = 1"
	sql 'ANALYZE calls'
	live FLUSHALL >/dev/null
	wait_until 10 not_ready
	wait_until "$2" is_ready || die "what is live was not rebuilt within $2 s"
}

not_ready() { ! is_ready; } 2>/dev/null

lateness() { in_copy "$B/bench/late" "$@"; }

# hold_until_due DUE: the worker stands still from just before the calls of preload come due until just
# after, so that they are due all at once when it is released. Not for longer: when nobody asks for two
# seconds the calls' clock stands still as well (lua/clock.lua).
hold_until_due() {
	sleep "$(sql "SELECT round(extract(epoch FROM max(created_at) - clock_timestamp()) + $1 - 0.4, 3) FROM calls")"
	hold_part worker
	sleep 0.8
}

drained() {
	local count due late i rates=()
	count=$(quick 5000 300000) due=$(quick 12 30)
	for ((i = 0; i < $(quick 1 3); i++)); do
		bench_copy drain
		preload "$count" "$due" 0 queued
		lateness "$count" $((due + 60)) 5 >"$MCS_TEST_DIR/late" &
		hold_until_due "$due"
		release_part worker
		wait $!
		late=$(<"$MCS_TEST_DIR/late")
		(($(jq .moved <<<"$late") == count)) || die "of $count calls moved $(jq .moved <<<"$late")"
		rates+=("$(jq .moved_rate <<<"$late")")
		end_copy drain
	done
	record "transitions, $count waiting" ours 'moves/s' "${rates[@]}"
}

# trips_of_batch COUNT: what so many jobs that are due cost one worker in round trips, from the claim to
# the last reply; a trip is what is written to a database until it is read from again. The claims after
# that, which get nothing, do not count.
trips_of_batch() {
	local count=$1 due=12 tracer listener claims redis postgres
	bench_copy batch
	preload "$count" "$due" 0 queued
	lateness "$count" $((due + 30)) 2 >"$MCS_TEST_DIR/late" &
	listener=$!
	hold_until_due "$due"
	strace -f -e trace=sendto,recvfrom,write,read -s 120 -o "$MCS_TEST_DIR/strace" -p "$(part_pid worker)" 2>/dev/null &
	tracer=$!
	sleep 0.4
	release_part worker
	wait "$listener"
	kill -INT "$tracer"
	wait "$tracer"
	(($(jq .moved "$MCS_TEST_DIR/late") == count)) || die "of $count calls moved $(jq .moved "$MCS_TEST_DIR/late")"
	# Commands for Redis begin with an asterisk, and the first one is a claim.
	read -r claims redis postgres < <(awk -F '[(,]' '
		/ = -1 / { next }
		/ (recvfrom|read)\(/ { asked[$2] = 0; next }
		!/ (sendto|write)\(/ { next }
		asked[$2]++ { next }
		$2 == 2 { next } # its log
		!/"\*/ { postgres++; claimed = claims; next }
		{ script = substr($0, index($0, "EVALSHA"), 60) }
		!claim { claim = script }
		script == claim { claims++; next }
		{ redis++ }
		END { print claimed + 0, redis + 0, postgres + 0 }' "$MCS_TEST_DIR/strace")
	record "a batch of $count: claims" ours trips "$claims"
	record "a batch of $count: to PostgreSQL" ours trips "$postgres"
	record "a batch of $count: to Redis" ours trips "$redis"
	end_copy batch
}

# paced KIND FILTER: calls whose jobs come due at 5,000 a second; sets late to what was heard of them, and
# fails unless FILTER of that is all of them.
paced() {
	local count seconds=20 due
	count=$(quick 5000 100000) due=$(quick 12 40)
	! quick || seconds=2
	bench_copy paced
	preload "$count" "$due" "$seconds" "$1"
	late=$(lateness "$count" $((due + seconds + 60)) 5)
	(($(jq "$2" <<<"$late") == count)) || die "of $count calls there came $(jq "$2" <<<"$late")"
	end_copy paced
}

bench_worker() {
	local late
	drained
	trips_of_batch 1
	trips_of_batch 100
	trips_of_batch 1000
	paced queued .moved
	record "transitions a second, paced" ours 'moves/s' "$(jq .moved_rate <<<"$late")"
	record 'their lateness p50' ours ms "$(jq .p50_ms <<<"$late")"
	record 'their lateness p99' ours ms "$(jq .p99_ms <<<"$late")"
	record 'their lateness, most' ours ms "$(jq .max_ms <<<"$late")"
	paced upload .final # each takes 3 s, so that 15,000 are under way
	record 'uploads of 3 s that end' ours 'uploads/s' "$(jq .final_rate <<<"$late")"
}
