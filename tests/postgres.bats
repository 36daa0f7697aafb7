# What kinds of PostgreSQL the service runs on: an external server under LANG=C whose databases have
# defaults of their own, the original program's tables, a role that may only use the tables, odd names, and
# PgBouncer before it.

load harness/helpers
load harness/service

setup_file() {
	start_external
	make_odd_database
	make_original_database
	create_with_database_sql "$pooled_role" pooled
	launch_instance odd POSTGRES_HOST="$EXTERNAL" TIME_SCALE=20 MAX_CPS_PER_KEY=1000 MAX_CONCURRENT_CALLS_PER_KEY=1000
	launch_instance original POSTGRES_HOST="$EXTERNAL" POSTGRES_DB="$original_db" POSTGRES_USER="$rows_role" TIME_SCALE=20 \
		UPLOAD_FAILURE_RATE=0
	launch_instance quoted POSTGRES_DB="$odd_name" POSTGRES_USER=svc@project.iam TIME_SCALE=20
	if start_pgbouncer; then
		launch_instance pooled POSTGRES_HOST="$EXTERNAL" POSTGRES_PORT=6432 POSTGRES_DB=pooled POSTGRES_USER="$pooled_role" \
			POSTGRES_POOL_MODE=transaction TIME_SCALE=20 MAX_CPS_PER_KEY=1000 MAX_CONCURRENT_CALLS_PER_KEY=1000
		launch_instance session POSTGRES_HOST="$EXTERNAL" POSTGRES_PORT=6432 POSTGRES_DB=in_sessions \
			POSTGRES_USER="$pooled_role" TIME_SCALE=20
		await_instance pooled
		await_instance session
	fi
	await_instance odd
	await_instance original
	await_instance quoted
}

teardown_file() {
	local name
	for name in odd original quoted pooled session; do
		[[ ! -e $(instances_folder)/$name.instance ]] || stop_instance "$name"
	done
	for name in pgbouncer postgres; do
		[[ ! -e $EXTERNAL/$name.pid ]] || kill -s INT "$(<"$EXTERNAL/$name.pid")"
		[[ ! -e $EXTERNAL/$name.pid ]] || await_gone 60 "$(<"$EXTERNAL/$name.pid")"
	done
	rm -rf "$EXTERNAL"
}

EXTERNAL=$(instances_folder)/external # its folder, and that of its socket and PgBouncer's

# Each in the form that breaks whatever does not quote it.
odd_name="it's \"odd\" \\ db=1 \$x"
original_db='host=nowhere dbname=other'
rows_role='svc@project.iam'
pooled_role='a "role"'

# --- the external server --------------------------------------------------------------------------

# PostgreSQL and PgBouncer refuse root.
as_user=(env -C / LANG=C LC_ALL=C MCS_VAR="$EXTERNAL" setpriv --pdeathsig=TERM)
((EUID != 0)) || as_user+=(--reuid=mcs --regid=mcs --init-groups)

start_external() {
	local bin=${psql_client%/psql}
	mkdir -m 700 "$EXTERNAL"
	((EUID != 0)) || chown mcs:mcs "$EXTERNAL"
	"${as_user[@]}" "$bin/initdb" -D "$EXTERNAL/data" -U postgres -A trust --no-sync >"$EXTERNAL.initdb" 2>&1 || {
		cat "$EXTERNAL.initdb"
		return 1
	}
	"${as_user[@]}" "$bin/postgres" -D "$EXTERNAL/data" -c listen_addresses= -c unix_socket_directories="$EXTERNAL" \
		-c fsync=off -c max_connections=200 </dev/null >"$EXTERNAL.log" 2>&1 3>&- 4>&- &
	echo $! >"$EXTERNAL/postgres.pid"
	wait_until 60 admin_sql '' 'SELECT 1' >/dev/null 2>&1
}

# admin_sql DATABASE STATEMENT: as its superuser; '' for the database postgres.
admin_sql() {
	PGDATABASE=${1:-postgres} "$psql_client" -qAtX -v ON_ERROR_STOP=1 -h "$EXTERNAL" -U postgres -c "$2" 2>"$BATS_FILE_TMPDIR/sql.err" ||
		{ cat "$BATS_FILE_TMPDIR/sql.err" >&2 && return 1; }
}

create_with_database_sql() {
	"$psql_client" -qAtX -v ON_ERROR_STOP=1 -h "$EXTERNAL" -U postgres -d postgres -v role="$1" -v db="$2" \
		<"$MCS_ROOT/sql/database.sql"
}

# mcs-admin migrate with VAR=value words.
migrate() {
	env -i ASAN_OPTIONS="${ASAN_OPTIONS:-}" POSTGRES_HOST="$EXTERNAL" "$@" \
		"$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-admin" migrate
}

# --- what is prepared -----------------------------------------------------------------------------

# All that a database can be given as defaults and that could change what a statement does.
make_odd_database() {
	local setting
	create_with_database_sql mcs mock_communications
	for setting in 'default_transaction_isolation = serializable' 'default_transaction_deferrable = on' \
		"DateStyle = 'SQL, DMY'" 'IntervalStyle = sql_standard' 'bytea_output = escape' "TimeZone = 'Asia/Kathmandu'" \
		'statement_timeout = 5000' 'lock_timeout = 1' 'enable_indexscan = off' 'enable_seqscan = on' 'array_nulls = off' \
		'extra_float_digits = -15' 'session_replication_role = replica' "lc_monetary = 'C'" 'jit_above_cost = 0' \
		'standard_conforming_strings = off'; do
		admin_sql '' "ALTER DATABASE mock_communications SET $setting"
	done
}

# The tables of the specification, as a program made them whose times have no zone, and a role that may only
# use the tables once their owner has migrated them.
make_original_database() {
	admin_sql '' 'CREATE ROLE "node owner" LOGIN'
	admin_sql '' "CREATE ROLE \"$rows_role\" LOGIN"
	admin_sql '' "CREATE DATABASE \"$original_db\" OWNER \"node owner\" TEMPLATE template0 ENCODING 'UTF8'"
	admin_sql '' "ALTER DATABASE \"$original_db\" SET TimeZone = 'UTC'"
	admin_sql "$original_db" "
		SET ROLE \"node owner\";
		CREATE TABLE calls (
		  id UUID PRIMARY KEY, from_number VARCHAR(20) NOT NULL, to_number VARCHAR(20) NOT NULL,
		  status VARCHAR(20) NOT NULL DEFAULT 'QUEUED', metadata JSONB, recording_url TEXT,
		  api_key VARCHAR(100) NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
		  updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
		CREATE INDEX idx_calls_status ON calls(status);
		CREATE INDEX idx_calls_api_key ON calls(api_key);
		CREATE INDEX idx_calls_created_at ON calls(created_at DESC);
		CREATE TABLE metrics (
		  id SERIAL PRIMARY KEY, total_calls INTEGER DEFAULT 0, active_calls INTEGER DEFAULT 0,
		  completed_calls INTEGER DEFAULT 0, uploads_completed INTEGER DEFAULT 0,
		  uploads_in_progress INTEGER DEFAULT 0, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
		INSERT INTO metrics (total_calls, active_calls, completed_calls, uploads_completed, uploads_in_progress)
		VALUES (150, 3, 147, 145, 1);
		INSERT INTO calls VALUES
		  ('550e8400-e29b-41d4-a716-446655440000', '+1234567890', '+0987654321', 'COMPLETED',
		   '{\"customer_id\": \"12345\", \"campaign\": \"support\"}',
		   'https://mock-recordings-bucket.s3.us-east-1.amazonaws.com/recordings/550e8400-e29b-41d4-a716-446655440000.mp3',
		   'test-api-key-1', '2025-11-18 12:00:00.123456', '2025-11-18 12:00:15'),
		  ('7c9e6679-7425-40de-944b-e07fc1f90ae7', '(555) \"odd\" 01', 'sip:a b', 'COMPLETED', NULL, NULL,
		   'test-api-key-1', '2025-11-18 13:00:00', '2025-11-18 13:00:15'),
		  ('16fd2706-8baf-433b-82eb-8c7fada847da', '+1', '+2', 'COMPLETED', '{}', NULL,
		   'test-api-key-1', '2025-11-18 14:00:00', '2025-11-18 14:00:15');
		INSERT INTO calls (id, from_number, to_number, status, metadata, api_key)
		SELECT gen_random_uuid(), '+1', '+2', status, '{}', 'test-api-key-1'
		  FROM unnest(ARRAY['QUEUED', 'RINGING', 'ANSWERED', 'UNANSWERED', 'COMPLETED']) AS status"
	migrate POSTGRES_DB="$original_db" POSTGRES_USER='node owner' >"$EXTERNAL.migrated" 2>&1 || cat "$EXTERNAL.migrated"
	admin_sql "$original_db" "
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO \"$rows_role\";
		GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO \"$rows_role\""
}

start_pgbouncer() {
	[[ -x /usr/sbin/pgbouncer ]] || return
	admin_sql '' "CREATE DATABASE in_sessions OWNER \"${pooled_role//\"/\"\"}\" TEMPLATE template0 ENCODING 'UTF8'"
	cat >"$EXTERNAL/pgbouncer.ini" <<-END
		[databases]
		in_sessions = host=$EXTERNAL port=5432 pool_mode=session
		* = host=$EXTERNAL port=5432
		[pgbouncer]
		listen_addr =
		listen_port = 6432
		unix_socket_dir = $EXTERNAL
		auth_type = trust
		auth_file = $EXTERNAL/users
		pool_mode = transaction
		default_pool_size = 12
		max_client_conn = 100
		logfile = $EXTERNAL/pgbouncer.log
	END
	printf '"a ""role""" ""\n' >"$EXTERNAL/users"
	chmod 644 "$EXTERNAL/pgbouncer.ini" "$EXTERNAL/users"
	"${as_user[@]}" /usr/sbin/pgbouncer "$EXTERNAL/pgbouncer.ini" </dev/null >"$EXTERNAL.bouncer" 2>&1 3>&- 4>&- &
	echo $! >"$EXTERNAL/pgbouncer.pid"
	wait_until 60 test -S "$EXTERNAL/.s.PGSQL.6432"
}

need_pgbouncer() { [[ -e $(instances_folder)/pooled.instance ]] || skip 'pgbouncer is not installed'; }

# --- encoding -------------------------------------------------------------------------------------

@test "on a server under LANG=C our database is UTF8, and metadata may have any letter in it" {
	same "$(admin_sql '' 'SHOW server_encoding')" SQL_ASCII
	same "$(admin_sql mock_communications 'SHOW server_encoding')" UTF8
	use odd
	fresh_key
	create_call '{"from": "+1", "to": "+2", "metadata": {"caf\u00e9": "☎ \ud83d\ude00"}}'
	wait_until 60 has_recording
	forget_live
	has_recording
	same "$(json '.metadata["café"]')" '☎ 😀'
}

@test "a database that is not UTF8 is refused by 'migrate' in one line that says what to do" {
	local encoding
	for encoding in SQL_ASCII LATIN1; do
		admin_sql '' "CREATE DATABASE in_$encoding OWNER mcs TEMPLATE template0 ENCODING '$encoding'"
		run migrate POSTGRES_DB="in_${encoding,,}"
		same "$status" 1
		same "${#lines[@]}" 1
		match "$output" "^mcs: the database in_${encoding,,} is encoded in $encoding and must be in UTF8: "
		same "$(admin_sql "in_${encoding,,}" 'SELECT count(*) FROM pg_tables WHERE schemaname = $$public$$')" 0
	done
}

@test "with a database that is not UTF8, as one that was migrated before had, /ready is 503 and says so" {
	local reply=$BATS_TEST_TMPDIR/reply
	use odd
	admin_sql '' "CREATE DATABASE once_ascii OWNER mcs TEMPLATE template0 ENCODING 'SQL_ASCII'"
	"${psql_client%/psql}/pg_dump" -h "$EXTERNAL" -U postgres --no-owner --exclude-table-data=calls mock_communications |
		"$psql_client" -qAtX -h "$EXTERNAL" -U mcs -d once_ascii >"$BATS_TEST_TMPDIR/restored"
	(exec_in_instance POSTGRES_DB=once_ascii GATEWAY_INTERFACE=CGI/1.1 SERVER_PROTOCOL=HTTP/1.1 REQUEST_METHOD=GET \
		REQUEST_URI=/ready "$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-responder") </dev/null >"$reply"
	grep -q '^Status: 503' "$reply"
	match "$(tail -n 1 "$reply")" 'missing: PostgreSQL \(its encoding is not UTF8\)'
}

# --- what a database has as defaults ---------------------------------------------------------------

@test "where transactions are serializable by default, two that change the same row do not refuse each other" {
	local writer
	use odd
	fresh_key
	change_counters_until_somebody_waits &
	writer=$!
	wait_until 60 counters_are_locked
	create_call # a serializable transaction would fail now: the row is another one than when it began
	wait "$writer"
	wait_until 60 has_recording
}

change_counters_until_somebody_waits() {
	odd_sql 'DO $$ BEGIN
		UPDATE metrics SET updated_at = now();
		PERFORM pg_advisory_xact_lock(42);
		FOR i IN 1..3000 LOOP
			EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted);
			PERFORM pg_sleep(0.01);
		END LOOP;
	END $$' 3>&- 4>&-
}

counters_are_locked() { [[ $(odd_sql "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42") == 1 ]]; }

@test "a database with defaults of its own, serializable and others: no call is refused, none is lost" {
	use odd
	fresh_key
	AT_ONCE=40 burst 120
	same "$statuses" '201:120'
	wait_until 60 external_is_done
	same "$(odd_sql "SELECT count(*), count(recording_url) FROM calls WHERE api_key = '$KEY'")" '120|120'
	api GET /metrics
	same "$(json '"\(.total_calls) \(.completed_calls) \(.uploads_completed)"')" \
		"$(odd_sql "SELECT count(*), count(*), count(*) FROM calls" | tr '|' ' ')"
	same "$(grep -hE '40001|could not serialize' "$MCS_VAR"/log/*.log)" ''
}

odd_sql() { admin_sql mock_communications "SET statement_timeout = 0; SET enable_indexscan = on; $1"; }

external_is_done() {
	[[ $(odd_sql "SELECT count(*) FROM calls WHERE upload_status IN ('WAITING', 'PENDING')") == 0 ]]
}

@test "operators stop writes by making the database read-only: POST is 503 and says why, /ready too, reading goes on" {
	use odd
	fresh_key
	create_call
	wait_until 60 has_recording
	admin_sql '' 'ALTER DATABASE mock_communications SET default_transaction_read_only = on'
	cut_sessions mock_communications
	wait_until 60 is_refused
	wait_until 60 is_not_ready
	match "$(json .message)" 'PostgreSQL \(25006: it is read-only\)'
	forget_live
	has_recording # reading goes on
	admin_sql '' 'ALTER DATABASE mock_communications RESET default_transaction_read_only'
	cut_sessions mock_communications
	wait_until 60 is_ready
	create_call
	wait_until 60 has_recording
}

cut_sessions() {
	admin_sql '' "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '$1'" >/dev/null
}

# Whether a call is refused by now: a connection that was not cut yet would still write.
is_refused() {
	post /calls '{"from": "+1", "to": "+2"}'
	[[ $status_code == 503 && $(json .message) == 'The call was not created: PostgreSQL (25006: it is read-only) refuses it' ]]
}

is_not_ready() { ! is_ready; }

# --- names ----------------------------------------------------------------------------------------

@test "role and database have any name that PostgreSQL takes, on the private server" {
	use quoted
	fresh_key
	create_call
	wait_until 60 has_recording
	same "$(POSTGRES_DB=$odd_name POSTGRES_USER=svc@project.iam mcs psql -Atc 'SELECT current_database() || $$ $$ || current_user')" \
		"$odd_name svc@project.iam"
	# And nobody else is let in: neither another role nor into another database.
	PGDATABASE=$odd_name run "$psql_client" -h "$MCS_VAR/run" -U mcs -c 'SELECT 1'
	match "$output" 'no pg_hba.conf entry'
	run "$psql_client" -h "$MCS_VAR/run" -U svc@project.iam -d template1 -c 'SELECT 1'
	match "$output" 'no pg_hba.conf entry'
}

# --- the original's database ----------------------------------------------------------------------

@test "the original's rows are there to be read, with the specification's fields" {
	use original
	KEY=test-api-key-1
	api GET /calls/550e8400-e29b-41d4-a716-446655440000
	expect 200
	same "$(jq -c '[.status, .from, .to, .metadata, .created_at, .updated_at]' <<<"$body")" \
		'["COMPLETED","+1234567890","+0987654321",{"campaign":"support","customer_id":"12345"},"2025-11-18T12:00:00.123Z","2025-11-18T12:00:15.000Z"]'
	match "$(json .recording_url)" '/550e8400-e29b-41d4-a716-446655440000\.mp3$'
	api GET /calls/7c9e6679-7425-40de-944b-e07fc1f90ae7
	expect 200
	same "$(jq -c '[.from, .to, .metadata, .recording_url]' <<<"$body")" '["(555) \"odd\" 01","sip:a b",{},null]'
	KEY=demo-key
	api GET /calls/550e8400-e29b-41d4-a716-446655440000
	expect_error 404 'Call not found'
	match "$(watch 550e8400-e29b-41d4-a716-446655440000)" '! close 1000 '
}

@test "what the original left open is closed, and the metrics agree with the rows" {
	use original
	KEY=test-api-key-1
	same "$(admin_sql "$original_db" "SELECT count(*), count(DISTINCT status), min(updated_at - created_at) >= interval '0'
		FROM calls WHERE recording_url IS NULL AND created_at > '2025-12-01' AND status = 'COMPLETED'")" '5|1|t'
	api GET /metrics
	same "$(json '"\(.total_calls) \(.active_calls) \(.completed_calls) \(.uploads_completed) \(.uploads_in_progress)"')" \
		"$(admin_sql "$original_db" "SELECT count(*), 0, count(*), count(recording_url), 0 FROM calls" | tr '|' ' ')"
	same "$(admin_sql "$original_db" 'SELECT sum(uploads_failed) FROM metrics')" 7
}

@test "retention neither removes what was taken over from the original nor reads it each time" {
	use original
	same "$(admin_sql "$original_db" 'SELECT count(*), max(created_at) = (SELECT taken_over_to FROM live_state)
		FROM calls WHERE duration_ms[1] = 0')" '8|t'
	same "$(odd_sql 'SELECT taken_over_to IS NULL FROM live_state')" t
}

@test "the original's tables become those that a new database has" {
	local query="SELECT table_name, column_name, data_type, character_maximum_length, datetime_precision, is_nullable
		FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
	same "$(admin_sql "$original_db" "$query")" "$(odd_sql "$query")"
	query="SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
	same "$(admin_sql "$original_db" "$query")" "$(odd_sql "$query")"
}

@test "a recording that the original owed can be made by 'failed --retry'" {
	use original
	KEY=test-api-key-1
	call_id=16fd2706-8baf-433b-82eb-8c7fada847da
	run mcs failed --retry
	same "$status" 0
	same "$(tail -n 2 <<<"$output")" $'6 failed uploads queued for retry\n1 left as it is: a number is not of digits, or it was retried meanwhile'
	wait_until 60 has_recording
	call_id=7c9e6679-7425-40de-944b-e07fc1f90ae7 # nothing live can hold these numbers
	run has_recording
	[[ $status != 0 ]]
	api GET "/calls/$call_id"
	expect 200
}

# --- rights ---------------------------------------------------------------------------------------

@test "a role that may use the tables and no more runs the service, once the owner has migrated" {
	use original
	fresh_key
	create_call
	wait_until 60 has_recording
	live FLUSHALL
	wait_until 60 is_ready # the worker rebuilt what is live
	create_call
	run migrate POSTGRES_DB="$original_db" POSTGRES_USER="$rows_role"
	same "$status" 0
	same "${lines[-1]}" ' All migrations completed successfully!'
	# And where something is left to do it says what it lacks.
	admin_sql "$original_db" "CREATE SCHEMA bare; GRANT USAGE ON SCHEMA bare TO \"$rows_role\""
	admin_sql "$original_db" "ALTER ROLE \"$rows_role\" SET search_path = bare"
	run migrate POSTGRES_DB="$original_db" POSTGRES_USER="$rows_role"
	admin_sql "$original_db" "ALTER ROLE \"$rows_role\" RESET search_path"
	same "$status" 1
	match "$output" 'permission denied for schema bare'
}

# --- the schema -----------------------------------------------------------------------------------

# The number that our programs need.
our_schema() {
	local newest
	newest=$(printf '%s\n' "$MCS_ROOT"/sql/migrations/*.sql | sort -V | tail -n 1)
	newest=${newest##*/}
	echo $((10#${newest%%_*}))
}

# Becomes one of our programs, on a database of the external server and with the settings of the instance in use.
program_on() {
	local db=$1 program=$2
	shift 2
	exec_in_instance POSTGRES_HOST="$EXTERNAL" POSTGRES_DB="$db" POSTGRES_USER=mcs "$@" \
		"$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-$program" </dev/null
}

cgi_ready_on() {
	program_on "$1" responder GATEWAY_INTERFACE=CGI/1.1 SERVER_PROTOCOL=HTTP/1.1 REQUEST_METHOD=GET REQUEST_URI=/ready \
		"${@:2}" 2>/dev/null
}

# How often a component has said that the schema is another one.
refusals_by() { grep -c "the database has schema " "$MCS_VAR/log/$1.log"; }
has_refused() { (($(refusals_by "$1") > $2)); }

cut_connections() {
	admin_sql "$1" "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name LIKE 'mcs-$2'" >"$BATS_TEST_TMPDIR/cut"
}

@test "on a database that a newer release has migrated nothing works, and /ready, logs and 'migrate' say why" {
	local next why refused
	create_with_database_sql mcs newer
	start_instance newer POSTGRES_HOST="$EXTERNAL" POSTGRES_DB=newer TIME_SCALE=20
	next=$(($(our_schema) + 1))
	why="the database has schema $next, this program needs $(our_schema): a newer release has migrated it"
	fresh_key
	hold_component worker
	create_call
	admin_sql newer "INSERT INTO migrations (version) VALUES ($next)"
	cut_connections newer %
	release_component worker
	# A worker that cannot connect says so every five seconds: in that time the call would have ended.
	wait_until 60 has_refused worker 0
	refused=$(refusals_by worker)
	wait_until 60 has_refused worker "$refused"
	same "$(admin_sql newer "SELECT status FROM calls WHERE id = '$call_id'")" QUEUED
	wait_until 60 has_refused wsd 0
	api GET /ready
	expect 503
	match "$(json .message)" "PostgreSQL \\($why"
	post /calls '{"from": "+1", "to": "+2"}'
	expect 503
	match "$(json .message)" "The call was not created: PostgreSQL \\($why"
	run cgi_ready_on newer
	match "$output" "$why"
	run cgi_ready_on newer POSTGRES_POOL_MODE=transaction
	match "$output" "$why"
	run mcs failed
	same "$status" 1
	match "$output" "$why"
	run migrate POSTGRES_DB=newer
	same "$status" 1
	match "$output" "nothing was migrated: $why"
	# Back on ours all goes on.
	admin_sql newer "DELETE FROM migrations WHERE version = $next"
	wait_until 60 is_ready
	wait_until 60 has_recording
	stop_instance newer
}

@test "a worker that runs while a newer release migrates its database stops" {
	local next
	create_with_database_sql mcs overtaken
	start_instance overtaken POSTGRES_HOST="$EXTERNAL" POSTGRES_DB=overtaken TIME_SCALE=20
	next=$(($(our_schema) + 1))
	admin_sql overtaken "INSERT INTO migrations (version) VALUES ($next)"
	wait_until 60 has_refused worker 0
	# And it rebuilds nothing: the live state that is there is not touched.
	admin_sql overtaken "SELECT epoch FROM live_state" >"$BATS_TEST_TMPDIR/epoch"
	live DEL 'mcs:2:{0}:ready'
	live SET 'mcs:2:{0}:slots:left-alone' x
	wait_until 60 has_refused worker "$(refusals_by worker)"
	same "$(admin_sql overtaken "SELECT epoch FROM live_state")" "$(<"$BATS_TEST_TMPDIR/epoch")"
	same "$(live EXISTS 'mcs:2:{0}:slots:left-alone')" 1
	stop_instance overtaken
}

@test "on a database of an earlier release nothing works until 'migrate'; then its open calls go on" {
	local why worker
	create_with_database_sql mcs earlier
	{
		echo 'SET ROLE mcs; CREATE TABLE migrations (version INTEGER PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL DEFAULT now());'
		cat "$MCS_ROOT"/sql/migrations/000[1-7]_*.sql
		echo "INSERT INTO migrations SELECT generate_series(1, 7);
			INSERT INTO calls (id, from_number, to_number, status, api_key, created_at, updated_at, seq, entered_at, outcome,
				stage_ms, upload_status, upload_job)
			SELECT ('0199c0de-0000-7000-8000-00000000000' || seq)::uuid, '+1', '+2', status, 'k01', now(), now(), seq,
				array_fill(now(), ARRAY[seq]), 'ANSWERED', '{100,100,100,100}', upload, CASE upload WHEN 'PENDING' THEN 7 END
				FROM (VALUES (1, 'QUEUED', 'WAITING'), (3, 'ANSWERED', 'WAITING'), (4, 'COMPLETED', 'PENDING')) AS t (seq, status, upload)"
	} | "$psql_client" -qAtX -v ON_ERROR_STOP=1 -h "$EXTERNAL" -U postgres -d earlier >"$BATS_TEST_TMPDIR/earlier" 2>&1
	why="the database has schema 7, this program needs $(our_schema): migrate it with mcs-admin migrate"
	use odd
	run cgi_ready_on earlier
	match "$output" "PostgreSQL \\($why"
	program_on earlier worker 2>"$BATS_TEST_TMPDIR/worker.log" 3>&- 4>&- &
	worker=$!
	wait_until 60 grep -qF "$why" "$BATS_TEST_TMPDIR/worker.log"
	kill "$worker"
	wait "$worker"
	start_instance earlier POSTGRES_HOST="$EXTERNAL" POSTGRES_DB=earlier TIME_SCALE=20 UPLOAD_FAILURE_RATE=0
	wait_until 60 earlier_is_done
	same "$(admin_sql earlier "SELECT DISTINCT status, upload_status, seq FROM calls")" 'COMPLETED|COMPLETED|5'
	# Keys as the earlier release named them go with the next rebuild.
	live SET 'mcs:{3}:whole' 'x 1' && live ZADD 'mcs:{3}:due' 1 x && live DEL 'mcs:2:{3}:ready'
	wait_until 60 is_ready
	same "$(live EXISTS 'mcs:{3}:whole' 'mcs:{3}:due')" 0
	stop_instance earlier
}

earlier_is_done() {
	[[ $(admin_sql earlier "SELECT count(*) FROM calls WHERE upload_status IN ('WAITING', 'PENDING')") == 0 ]]
}

# --- poolers --------------------------------------------------------------------------------------

@test "PgBouncer in session mode needs no setting" {
	need_pgbouncer
	use session
	fresh_key
	create_call
	wait_until 60 has_recording
	forget_live
	match "$(watch "$call_id")" '"recording_url":"https'
	live FLUSHALL
	wait_until 60 is_ready
	create_call
}

@test "PgBouncer in transaction mode with POSTGRES_POOL_MODE=transaction: calls, subscribers, failed uploads, a rebuild" {
	need_pgbouncer
	use pooled
	fresh_key
	AT_ONCE=40 burst 120
	same "$statuses" '201:120'
	live FLUSHALL
	wait_until 60 is_ready
	create_call
	match "$(watch "$call_id")" '! close 1000 '
	wait_until 60 pooled_is_done
	same "$(admin_sql pooled "SELECT count(*), count(recording_url) FROM calls WHERE api_key = '$KEY'")" '121|121'
	forget_live
	match "$(watch "$call_id")" '"recording_url":"https'
	api GET /metrics
	same "$(json .uploads_completed)" "$(admin_sql pooled 'SELECT count(recording_url) FROM calls')"
	run mcs failed
	same "$output" '0 failed uploads'
	same "$(grep -hE 'prepared statement|pg\.(lost|failed)' "$MCS_VAR"/log/*.log)" ''
	# Nothing of ours stays with a connection that others get next.
	same "$(PGDATABASE=pooled "$psql_client" -qAtX -h "$EXTERNAL" -p 6432 -U "$pooled_role" \
		-c "SHOW enable_seqscan; SELECT count(*) FROM pg_prepared_statements")" $'on\n0'
}

pooled_is_done() {
	[[ $(admin_sql pooled "SELECT count(*) FROM calls WHERE upload_status IN ('WAITING', 'PENDING')") == 0 ]]
}

@test "PgBouncer in transaction mode without that setting is one line at the start" {
	need_pgbouncer
	run migrate POSTGRES_DB=pooled POSTGRES_USER="$pooled_role" POSTGRES_PORT=6432
	same "$status" 1
	same "$output" "mcs: POSTGRES_HOST is a pooler that hands out connections for a transaction each: set POSTGRES_POOL_MODE=transaction (docs/postgresql.md)"
}
