# shellcheck shell=bash
# The same requests with nothing in the table, with millions of finished calls, and with many live ones:
# three or four copies side by side, driven in turn.

# Finished calls of the bench's keys, an hour to 29 days old, as a copy would have them that ran so long.
# The indexes are made at the end, which is faster and no different.
fill_with_finished() {
	sql "
		BEGIN;
		DROP INDEX idx_calls_status, idx_calls_api_key, idx_calls_created_at, idx_calls_open, idx_calls_upload_failed;
		ALTER TABLE calls DROP CONSTRAINT calls_pkey;
		INSERT INTO calls (id, from_number, to_number, status, metadata, recording_url, api_key, created_at, updated_at,
		                   seq, entered_at, outcome, stage_ms, upload_status, upload_job)
		SELECT id, '+1234567890', '+0987654321', 'COMPLETED', '{\"test\": true}',
		       'https://mock-recordings-bucket.s3.us-east-1.amazonaws.com/recordings/' || id || '.mp3',
		       api_key, at, at + interval '11 s', 5, ARRAY[at, at + interval '1 s', at + interval '5 s', at + interval '8 s'],
		       'ANSWERED', ARRAY[1000, 4000, 3000, 3000], 'COMPLETED', i
		  FROM (
			SELECT i, api_key, at,
			       (left(h, 8) || '-' || right(h, 4) || '-7' || left(m, 3) || '-8' || substr(m, 4, 3) || '-' ||
			        substr(m, 7, 10) || hash)::uuid AS id
			  FROM (SELECT i, md5(i::text) AS m, at,
			               lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS h
			          FROM (SELECT i, now() - interval '29 days' + i * (interval '28 days 23 hours' / $1) AS at
			                  FROM generate_series(1, $1) AS i) AS t) AS t
			  JOIN $(owner_rows) ON owner.n = i % 16
		  ) AS t;
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
}

# The indexes must be those of the migrations, or the figures say nothing about the service.
index_list() { sql "SELECT string_agg(indexdef, E'\n' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'calls'"; }

# So many live calls, or some more.
make_live() {
	while (($(sql 'SELECT count(*) FROM calls') < $1)); do
		hit "$BASE/calls" 64 2 ok post "$key_list"
	done
}

# backlog NAME: lets the worker of that copy go at all the calls that nobody has played yet, for a while.
backlog() {
	use "$1"
	in_copy "$B/bench/late" "$(quick 1000 60000)" 60 2 >"$MCS_TEST_DIR/late" &
	sleep 0.3
	release_part worker
	wait $!
	hold_part worker
	rates[$1]+="$(jq .moved_rate "$MCS_TEST_DIR/late") "
}

bench_growth() {
	local -A rates=()
	local repeats seconds names=(none million ten live) sizes name i indexes cases=() posts=() cold=()
	repeats=$(quick 1 11) seconds=$(quick 1 2)
	read -ra sizes <<<"$(quick '0 1000 10000 0' '0 1000000 10000000 0')"
	for i in "${!names[@]}"; do
		name=${names[i]}
		bench_copy "$name"
		hold_part worker
		indexes=$(index_list)
		((sizes[i] == 0)) || fill_with_finished "${sizes[i]}"
		[[ $(index_list) == "$indexes" ]] || die "the indexes of $name are not those of the migrations"
		[[ $name != live ]] || make_live "$(quick 1000 100000)"
		make_calls "$name"
		sql "SELECT 'calls/' || id FROM calls WHERE upload_status = 'COMPLETED' AND api_key = '$bench_key' LIMIT 1000" >"$ids.cold"
		local label="${sizes[i]} finished"
		[[ $name != live ]] || label="$(quick 1000 100000) live"
		cases+=("GET /calls/ID, $label|ours|$BASE/|ok|get|$bench_key|$ids")
		posts+=("POST /calls, $label|ours|$BASE/calls|ok|post|$key_list")
		cold+=("GET /metrics, $label|ours|$BASE/metrics|ok|get|$bench_key")
		[[ ! -s $ids.cold ]] || cold+=("GET /calls/ID, cold, $label|ours|$BASE/|ok|get|$bench_key|$ids.cold")
	done
	compare "$repeats" "$seconds" 16 "${cases[@]}"
	compare "$repeats" "$seconds" 16 "${cold[@]}"
	compare "$repeats" "$seconds" 16 "${posts[@]}"
	for ((i = 0; i < $(quick 1 3); i++)); do
		backlog none
		backlog ten
	done
	# shellcheck disable=SC2086
	record "transitions, ${sizes[0]} finished" ours 'moves/s' ${rates[none]}
	# shellcheck disable=SC2086
	record "transitions, ${sizes[2]} finished" ours 'moves/s' ${rates[ten]}
	for name in "${names[@]}"; do end_copy "$name"; done
}
