# shellcheck shell=bash
# The calls that the sections measure with: made by the service, or lying ready in the record, so that
# what is live in Redis comes from there as after a loss.
#
#   make_calls NAME           some calls of the bench's key: sets ids to a file of `calls/ID` lines
#   make_cold                 lets Redis forget these, as it does of calls that are over
#   fill_with_finished COUNT  finished calls
#   forget_open               removes what is open; see there
#   open_calls                how many, or their uploads, are open; has_ended COUNT: no more than so many
#   preload                   calls whose next job comes due at a chosen time; see there
#   lateness                  what comes of that; see late.c
#   drain COUNT SECONDS       preloads calls that are due all at once: sets rate, transitions a second
#   paced KIND RATE           preloads calls that come due at that rate: sets late and under_way

# The bench's keys as rows (api_key, hash, n) for SQL: the hash is the last byte of its calls' ids; only its
# low half matters, the shard, as id_shard_of_owner() makes it.
owner_rows() {
	local key h i code row rows=()
	for key in ${key_list//,/ }; do
		h=2166136261
		for ((i = 0; i < ${#key}; i++)); do
			printf -v code %d "'${key:i:1}"
			h=$((((h ^ code) * 16777619) & 0xffffffff))
		done
		printf -v row "('%s', '%02x', %d)" "$key" $(((h ^ h >> 8 ^ h >> 16 ^ h >> 24) & 255)) "${#rows[@]}"
		rows+=("$row")
	done
	(IFS=, && echo "(VALUES ${rows[*]}) AS owner (api_key, hash, n)")
}

bench_call=(from_number=+1234567890 to_number=+0987654321 metadata='{"test": true}')

make_calls() {
	local made=0
	while ((made < $(quick 10 1000))); do hit "$BASE/calls" 16 1 201 post "$bench_key" && made=$((made + requests)); done
	ids=$MCS_TEST_DIR/$1
	sql "SELECT 'calls/' || id FROM calls WHERE api_key = '$bench_key' ORDER BY id DESC LIMIT 1000" >"$ids"
}

make_cold() {
	sed 's|^calls/||' "$ids" | grep -F -f - <(live --scan --pattern 'mcs:2:{?}:call:*') | xargs -n 500 \
		redis-cli "${REDIS_AT[@]}" UNLINK >/dev/null
}

# fill_with_finished COUNT: so many finished calls of the bench's keys, an hour to 29 days old, as an instance
# would have them that ran so long; but the indexes are made at the end, and so denser than after a month.
fill_with_finished() {
	local indexes
	indexes=$(index_list)
	sql "
		BEGIN;
		DROP INDEX idx_calls_status, idx_calls_api_key, idx_calls_created_at, idx_calls_open, idx_calls_upload_failed;
		ALTER TABLE calls DROP CONSTRAINT calls_pkey;
		$(insert_statement "(
			SELECT i, api_key, at, $v7_id AS id
			  FROM (SELECT i, md5(i::text) AS m, at,
			               lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS h
			          FROM (SELECT i, now() - interval '29 days' + i * (interval '28 days 23 hours' / $1) AS at
			                  FROM generate_series(1, $1) AS i) AS t) AS t
			  JOIN $(owner_rows) ON owner.n = i % 16
			) AS t" \
			status=COMPLETED id:=id api_key:=api_key created_at:=at updated_at:="at + interval '11 s'" \
			entered_at:="ARRAY[at, at + interval '1 s', at + interval '5 s', at + interval '8 s']" \
			duration_ms:='ARRAY[1000, 4000, 3000, 3000]' upload_job:=i "${bench_call[@]}" \
			recording_url:="'https://mock-recordings-bucket.s3.us-east-1.amazonaws.com/recordings/' || id || '.mp3'");
		ALTER TABLE calls ADD PRIMARY KEY (id);
		CREATE INDEX idx_calls_status ON calls (status);
		CREATE INDEX idx_calls_api_key ON calls (api_key);
		CREATE INDEX idx_calls_created_at ON calls (created_at DESC);
		CREATE INDEX idx_calls_open ON calls (id) WHERE upload_status IN ('WAITING', 'PENDING');
		CREATE INDEX idx_calls_upload_failed ON calls (id) WHERE upload_status = 'FAILED';
		UPDATE metrics SET total_calls = total_calls + $1, completed_calls = completed_calls + $1,
		       uploads_completed = uploads_completed + $1 WHERE id = 1;
		COMMIT"
	sql 'VACUUM ANALYZE calls'
	"$psql_client" -qAtX "${POSTGRES_AT[@]}" -U postgres -d postgres -c CHECKPOINT
	[[ $(index_list) == "$indexes" ]] || die 'the indexes are not those of the migrations'
}

index_list() { sql "SELECT string_agg(indexdef, E'\n' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'calls'"; }

# preload COUNT FIRST SPREAD KIND: rows whose present stage ends in FIRST seconds from now and later,
# evenly over SPREAD seconds. KIND: queued, the first transition is due; upload, the start of an upload
# of three seconds is. All that comes after the one transition takes an hour.
preload() {
	local epoch row=(duration_ms:='ARRAY[due, 3600000, 3600000, 3000]') counters="active_calls = active_calls + $1"
	if [[ $4 == upload ]]; then
		counters="completed_calls = completed_calls + $1, uploads_in_progress = uploads_in_progress + $1"
		row=(status=COMPLETED seq=4 upload_status=PENDING upload_job:="nextval('upload_jobs')"
			upload_retry_at:="now() + due * interval '1 ms'" duration_ms='{1000, 1000, 1000, 3000}')
	fi
	sql "$(insert_statement "(
			SELECT i, owner.*, md5(i::text || now()) AS m,
			       lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - $1 + i), 12, '0') AS h,
			       ($2 * 1000 + i * $3::bigint * 1000 / $1)::integer AS due
			  FROM generate_series(1, $1) AS i JOIN $(owner_rows) ON owner.n = i % 16
		) AS made" id:="$v7_id" api_key:=api_key "${bench_call[@]}" "${row[@]}")"
	sql "UPDATE metrics SET total_calls = total_calls + $1, $counters WHERE id = 1"
	sql 'ANALYZE calls'
	epoch=$(sql 'SELECT epoch FROM live_state')
	live FLUSHALL >/dev/null
	wait_until "$2" begins_epoch "$epoch"
	wait_until "$2" is_ready || die "what is live was not rebuilt within $2 s"
	[[ $(sql "SELECT clock_timestamp() < max(created_at) + interval '1 s' * ($2 - 1) FROM calls") == t ]] ||
		die "what is live was rebuilt too late for $2 s"
}

begins_epoch() { (($(sql 'SELECT epoch FROM live_state') > $1)); }

# Removes what is open, but for calls that wait for an hour to leave their first state. Redis has to forget
# it as well: a job that finds no row inserts the call again.
forget_open() {
	sql "WITH gone AS (
			DELETE FROM calls WHERE upload_status IN ('WAITING', 'PENDING') AND NOT (seq = 1 AND duration_ms[1] = 3600000)
			RETURNING upload_status
		)
		UPDATE metrics SET active_calls = active_calls - (SELECT count(*) FROM gone WHERE upload_status = 'WAITING'),
		       uploads_in_progress = uploads_in_progress - (SELECT count(*) FROM gone WHERE upload_status = 'PENDING')
		 WHERE id = 1"
	live FLUSHALL >/dev/null
}

open_calls() { sql "SELECT count(*) FROM calls WHERE upload_status IN ('WAITING', 'PENDING')"; }
has_ended() { (($(open_calls) <= $1)); }

lateness() { in_instance "$B/bench/late" "$@"; }

# hold_until_due DUE: the worker stands still from just before the calls of preload come due until just
# after, so that they are due all at once when it is released. Not for longer: when nobody asks for two
# seconds the calls' clock stands still as well (lua/clock.lua).
hold_until_due() {
	sleep "$(sql "SELECT round(extract(epoch FROM max(created_at) - clock_timestamp()) + $1 - 0.4, 3) FROM calls")"
	hold_component worker
	sleep 0.8
}

# The rate is that from the worker's release to the last transition.
drain() {
	local listener released seconds
	preload "$1" "$2" 0 queued
	lateness "$1" $(($2 + 60)) 5 >"$MCS_TEST_DIR/late" &
	listener=$!
	hold_until_due "$2"
	released=$(date +%s%3N)
	release_component worker
	wait "$listener"
	(($(jq .moved "$MCS_TEST_DIR/late") == $1)) || die "of $1 calls moved $(jq .moved "$MCS_TEST_DIR/late")"
	seconds="(.last_ms - $released) / 1000"
	rate=$(jq "$1 / ($seconds) | round" "$MCS_TEST_DIR/late")
}

# paced KIND RATE: for some twenty seconds. Fails unless all that should come is heard of; under_way are, of
# uploads, those that had begun and not ended in the middle of that.
paced() {
	local count seconds due listener shard
	seconds=$(quick 2 20) due=$(quick 12 40)
	count=$(($2 * seconds))
	preload "$count" "$due" "$seconds" "$1"
	lateness "$count" $((due + seconds + 60)) 5 >"$MCS_TEST_DIR/late" &
	listener=$!
	if [[ $1 == upload ]]; then
		sleep "$(sql "SELECT round(extract(epoch FROM max(created_at) - clock_timestamp()) + $due + $seconds / 2.0 + 2, 3) FROM calls")"
		under_way=$(for shard in {0..9} {a..f}; do live --raw ZRANGE "mcs:2:{$shard}:due" 0 -1; done | grep -c ' finish ')
	fi
	wait "$listener"
	late=$(<"$MCS_TEST_DIR/late")
	(($(jq '.moved + .final' <<<"$late") == count)) || die "of $count calls there came $(jq '.moved + .final' <<<"$late")"
}
