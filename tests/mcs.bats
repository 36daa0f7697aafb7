# ./mcs: run, what it says, what it refuses, what it leaves behind, and its other commands.

load harness/helpers
load harness/service

setup_file() {
	local file=$BATS_FILE_TMPDIR/env
	printf '%s\n' '# settings of the instance' 'PORT=1 # the environment beats this' 'export MAX_CPS_PER_KEY=5' \
		'MAX_CONCURRENT_CALLS_PER_KEY="100"' 'RETENTION_DAYS=1' "TIME_SCALE='20'" >"$file"
	start_instance own MCS_ENV_FILE="$file"
}

setup() {
	use own
	fresh_key
	out=$(instances_folder)/own.out
}

# Whatever happened to the test that did this.
teardown() {
	[[ ! ${held:-} ]] || release_component worker
	[[ ! ${printer:-} ]] || kill "$printer"
}

# The processes of the instance in use: mcs itself and all that its components consist of.
instance_processes() {
	local number
	cat "$MCS_VAR/mcs.pid"
	while read -r _ number _; do
		echo "$number"
		descendants_of "$number"
	done <"$MCS_VAR/components"
}

descendants_of() {
	local number
	for number in $(children_of "$1"); do
		echo "$number"
		descendants_of "$number"
	done
}

# --- run ------------------------------------------------------------------------------------------

@test "when it is ready it says so: the URL, the API keys, and a curl that can be pasted" {
	grep -q "^  URL       http://localhost:$PORT\$" "$out"
	grep -q '^  API keys  test-api-key-1, test-api-key-2, demo-key, ' "$out"
	local pasted
	pasted=$(sed -n '/^  curl /,/^$/p' "$out")
	body=$(bash -c "$pasted" 2>/dev/null)
	same "$(json .status)" QUEUED
}

@test "run reads the settings' file, and the environment beats it" {
	LIMIT=5 burst_at_limit 12
	grep -q 'Calls per second limit exceeded (5)' "$replies"/*
}

@test "run says which packages are missing before it needs them, and installs none when all are there" {
	run grep -i -E 'install|apt' "$out"
	same "$output" ''
}

@test "only the web server's port is opened" {
	local number inodes listening
	inodes=$(for number in $(instance_processes); do
		find "/proc/$number/fd" -lname 'socket:*' -printf '%l\n' 2>/dev/null | tr -dc '0-9\n'
	done | sort -u)
	listening=$(awk '$4 == "0A" { print $10, $2 }' /proc/net/tcp /proc/net/tcp6 |
		grep -F -w -f <(echo "$inodes") | sed 's/.*://' | sort -u)
	same "$listening" "$(printf '%04X' "$PORT")"
}

@test "nothing but mcs itself runs as root" {
	((EUID == 0)) || skip 'not root here'
	local number
	for number in $(instance_processes | tail -n +2); do
		[[ ! -e /proc/$number ]] || same "$number $(ps -o user= -p "$number")" "$number mcs"
	done
}

@test "the folder of the instance is closed to others" {
	local path
	for path in run postgres; do
		same "$(stat -c %a "$MCS_VAR/$path")" 700
	done
	match "$(stat -c %a "$MCS_VAR/log")" '^(700|2750)$'
	match "$(stat -c %a "$MCS_VAR")" '^7[01]0$'
	match "$(stat -c %a "$MCS_VAR/config")" '^600$'
}

@test "a port that is taken is one clear line, and nothing is left behind" {
	local taken=$PORT
	run env -i PATH="$PATH" HOME="${HOME:-/}" MCS_BUILD="${MCS_BUILD:-release}" MCS_ENV_FILE=/dev/null \
		ASAN_OPTIONS="${ASAN_OPTIONS:-}" PORT="$taken" MCS_VAR="$(instances_folder)/second" "$MCS_ROOT/mcs" run
	[[ $status != 0 ]]
	same "${#lines[@]}" 1
	match "$output" "^mcs: port $taken is taken on 127\.0\.0\.1"
	[[ ! $(find "$(instances_folder)/second" -type s) ]]
	[[ ! -e $(instances_folder)/second/mcs.pid ]]
	is_ready
}

@test "a second run in the same folder is refused, and the first one goes on" {
	run env -i PATH="$PATH" HOME="${HOME:-/}" MCS_BUILD="${MCS_BUILD:-release}" MCS_ENV_FILE=/dev/null \
		ASAN_OPTIONS="${ASAN_OPTIONS:-}" PORT="$(free_port)" MCS_VAR="$MCS_VAR" "$MCS_ROOT/mcs" run
	[[ $status != 0 ]]
	match "$output" "^mcs: already running in $MCS_VAR as process $(<"$MCS_VAR/mcs.pid"); for a second instance: \./mcs run PORT=[0-9]+ MCS_VAR=/tmp/second\$"
	is_ready
	same "$(component_pid api)" "$(awk '$1 == "api" { print $2 }' "$MCS_VAR/components")"
}

@test "a folder that holds other things is refused" {
	mkdir "$(instances_folder)/other"
	echo precious >"$(instances_folder)/other/file"
	run env MCS_VAR="$(instances_folder)/other" PORT="$(free_port)" MCS_ENV_FILE=/dev/null "$MCS_ROOT/mcs" run
	[[ $status != 0 ]]
	match "$output" '^mcs: MCS_VAR=.* holds other things'
	same "$(ls -A "$(instances_folder)/other")" file
}

@test "POSTGRES_HOST and REDIS_HOST make it use those servers, and start none" {
	local servers=$MCS_VAR/run
	start_instance guest POSTGRES_HOST="$servers" REDIS_HOST="$servers/redis.sock" TIME_SCALE=20
	same "$(awk '$1 != "pool" { print $1 }' "$MCS_VAR/components" | paste -sd ' ')" 'wsd worker api'
	create_call
	use own
	api GET "/calls/$call_id"
	expect 200
	use guest
	wait_until 60 has_recording
	match "$(mcs status)" 'postgres  elsewhere'
	stop_instance guest
	use own
	is_ready
}


@test "PARTS=worker: no port, no web server; restart replaces the worker" {
	local servers=$MCS_VAR/run old
	start_instance hand POSTGRES_HOST="$servers" REDIS_HOST="$servers/redis.sock" PARTS=worker
	same "$(awk '{ print $1 }' "$MCS_VAR/components")" worker
	run bash -c ': <"/dev/tcp/127.0.0.1/$1"' - "$PORT"
	((status != 0))
	run mcs status
	same "$status" 0
	match "$output" 'api       elsewhere'
	old=$(component_pid worker)
	run mcs restart
	same "$status" 0
	[[ $(component_pid worker) != "$old" ]]
	are_gone "$old"
	old=$(component_pid worker)
	kill -KILL "$old"
	wait_until 60 is_another worker "$old"
	stop_instance hand
	use own
}

@test "run --wait returns when the service is ready, in the background; stop stops it" {
	local servers=$MCS_VAR/run number own=$MCS_VAR
	# As in a CI's step: the shell that started it, and its output, are gone afterwards.
	run bash -c 'exec setsid -w "$@" </dev/null' sh env "MCS_VAR=$(instances_folder)/hidden" PORT="$(free_port)" \
		MCS_ENV_FILE=/dev/null MCS_SERVER="${MCS_SERVER:-lighttpd}" "$MCS_ROOT/mcs" run --wait POSTGRES_HOST="$servers" \
		REDIS_HOST="$servers/redis.sock"
	same "$status" 0
	MCS_VAR=$(instances_folder)/hidden
	number=$(<"$MCS_VAR/mcs.pid")
	match "$output" "^mcs: ready in the background as process $number; MCS_VAR=$MCS_VAR ./mcs stop stops it"
	match "$output" "  URL       http://localhost:[0-9]+"
	curl -q -sf --noproxy '*' "$(sed -n 's/^  URL  *//p' <<<"$output")/ready"
	match "$(mcs logs mcs)" 'mcs: ready after [0-9.]+ s'
	match "$(stat -c %a "$MCS_VAR/log/mcs.log")" '^600$'
	# A second one is refused, as ever; and what goes wrong later is shown as well.
	run mcs run --detach
	same "$status" 1
	match "$output" "^mcs: already running in $MCS_VAR as process $number; for a second instance: "
	mcs stop
	run mcs run --wait PORT="$(free_port)" POSTGRES_HOST="$servers" REDIS_HOST="$servers/redis.sock" REDIS_PASSWORD=wrong
	[[ $status != 0 ]]
	match "$output" 'mcs: cannot use Redis'
	[[ $output != *'ready after'* ]]
	run mcs stop
	match "$output" '^mcs: not running'
	MCS_VAR=$own
}

@test "run --detach returns as soon as it starts, and says how to go on" {
	local servers=$MCS_VAR/run own=$MCS_VAR
	MCS_VAR=$(instances_folder)/hidden
	# A lock that the caller holds is its own, and not the instance's.
	run flock "$BATS_TEST_TMPDIR/lock" env MCS_ENV_FILE=/dev/null "$MCS_ROOT/mcs" run --detach --quiet \
		PARTS=worker POSTGRES_HOST="$servers" REDIS_HOST="$servers/redis.sock"
	same "$status" 0
	flock -n "$BATS_TEST_TMPDIR/lock" true
	match "$output" "^mcs: (ready|starting) in the background as process $(<"$MCS_VAR/mcs.pid"); MCS_VAR=$MCS_VAR ./mcs "
	run pgrep -f "^$MCS_VAR/bin/mcs-admin events"
	same "$output" ''
	mcs stop
	[[ ! -e $MCS_VAR/ready ]]
	run mcs run --wait=soon
	same "$output" 'mcs: run: --wait=soon must be a number of seconds'
	MCS_VAR=$own
}

# --- the other commands ---------------------------------------------------------------------------

@test "a call that ends and a request that is refused are a line each of run's output" {
	create_call
	wait_until 60 grep -qE "^$iso_time  call $call_id ended, (un)?answered\$" "$out"
	post /calls '{"from": 7}'
	expect 400
	wait_until 60 grep -qE "^$iso_time  POST /calls refused, 400: " "$out"
	# Only so many a second, and none for what is no event; nothing that a terminal obeys.
	local i log printed=$BATS_TEST_TMPDIR/printed
	log=$(instances_folder)/a.log
	: >"$log"
	chmod 644 "$log"
	"$MCS_VAR/bin/mcs-admin" events "$log" >"$printed" 3>&- &
	printer=$!
	wait_until 60 prints_a_warning first
	for i in {1..2000}; do # in one piece, so that they come within one second
		printf '2026-11-27T10:00:00.000Z info responder request.refused method=GET path="/\e[1m%d" status=404 reason="Not here"\n' "$i"
	done >"$log.all"
	cat "$log.all" >>"$log"
	echo '2026-11-27T10:00:00.000Z info worker call.advance id=x seq=2 msg="Call x: QUEUED -> RINGING"' >>"$log"
	wait_until 60 grep -q ' more$' "$printed"
	(($(grep -c 'refused, 404: Not here$' "$printed") < 100))
	grep -qF 'GET /?[1m' "$printed"
	run grep -c RINGING "$printed"
	same "$output" 0
	# The file is cut, as mcs does it.
	: >"$log"
	wait_until 60 prints_a_warning redis.failed
}

# Written until it is seen: what is there before the start is not shown, nor what is too much for a second.
prints_a_warning() {
	echo "2026-11-27T10:00:00.000Z warn worker $1 msg=\"gone\"" >>"$log"
	grep -qx "2026-11-27T10:00:00.000Z  warn worker $1 msg=\"gone\"" "$printed"
}

@test "status shows every component and where it is ready" {
	run mcs status
	same "$status" 0
	local name
	for name in postgres redis wsd worker api; do
		match "$output" "$name +running +$(component_pid "$name") "
	done
	match "$output" "ready at http://localhost:$PORT\$"
}

@test "status, psql and the others say so when nothing runs there" {
	local command
	for command in status stop psql redis migrate failed; do
		run env MCS_VAR="$BATS_TEST_TMPDIR/none" MCS_ENV_FILE=/dev/null "$MCS_ROOT/mcs" "$command"
		[[ $status != 0 ]]
		same "${#lines[@]}" 1
		match "$output" '^mcs: not running in '
	done
}

@test "logs prints the logs, all or those that are named" {
	run mcs logs worker
	same "$status" 0
	match "$output" "$iso_time info worker worker\.start "
	[[ $output != *'pool.start'* ]]
	run mcs logs
	quirk process-a-request || match "$output" 'pool\.start'
	match "$output" 'worker\.start'
	match "$output" 'wsd\.start'
	run mcs logs nonsense
	[[ $status != 0 ]]
	match "$output" "^mcs: no log 'nonsense'"
}

@test "logs -f follows: transitions appear as they happen" {
	MCS_ENV_FILE=/dev/null "$MCS_ROOT/mcs" logs -f worker >"$BATS_TEST_TMPDIR/followed" 3>&- &
	local follower=$!
	create_call
	wait_until 60 grep -q "msg=\"Call $call_id: QUEUED -> RINGING\"" "$BATS_TEST_TMPDIR/followed"
	kill "$follower"
	wait "$follower" || :
}

@test "follow prints transitions as they happen, in the specification's words, again when Redis is back" {
	local followed=$BATS_TEST_TMPDIR/followed follower
	MCS_ENV_FILE=/dev/null "$MCS_ROOT/mcs" follow >"$followed" 3>&- &
	follower=$!
	wait_until 60 is_followed
	create_call
	wait_until 60 grep -qx " Enqueued recording upload job for call: $call_id" "$followed"
	match "$(grep "$call_id" "$followed")" "^Call $call_id: QUEUED -> RINGING
Call $call_id: RINGING -> (UN)?ANSWERED
Call $call_id: (UN)?ANSWERED -> COMPLETED
 Enqueued recording upload job for call: $call_id\$"
	local redis
	redis=$(component_pid redis)
	kill -s SEGV "$redis" # what it would print then has the arguments of the last command in it
	await_gone 60 "$redis"
	run grep -E 'BUG REPORT|argv' "$MCS_VAR/log/redis.log"
	same "$output" ''
	wait_until 60 is_followed
	wait_until 60 is_ready
	create_call
	wait_until 60 grep -qx "Call $call_id: QUEUED -> RINGING" "$followed"
	kill "$follower"
	await_gone 60 "$follower"
}

# Whether somebody hears the events of all shards beside wsd.
is_followed() {
	[[ $(live PUBSUB NUMSUB 'mcs:2:{0}:events' 'mcs:2:{f}:events' | paste -sd ' ') == *'0}:events 2 '*'f}:events 2' ]]
} 2>/dev/null

# What watch must have printed of the call in use: its states, its recording, and that it is over.
check_watched() {
	local at="$iso_time  "
	match "$(<"$1")" "^${at}QUEUED
${at}RINGING
${at}(UN)?ANSWERED
${at}COMPLETED  outcome (un)?answered
${at}COMPLETED  recording https://[^ ]*$call_id[^ ]*
closed: call finished\$"
}

@test "watch prints each event of a call once, whatever is cut meanwhile, and ends with it" {
	local watched=$BATS_TEST_TMPDIR/watched said=$BATS_TEST_TMPDIR/said subscriber
	held=yes
	hold_component worker
	create_call
	MCS_ENV_FILE=/dev/null "$MCS_ROOT/mcs" watch "$call_id" >"$watched" 2>"$said" 3>&- &
	subscriber=$!
	wait_until 60 grep -q 'QUEUED$' "$watched"
	kill -KILL "$(component_pid wsd)"
	wait_until 60 grep -q 'trying again$' "$said"
	release_component worker
	wait "$subscriber"
	check_watched "$watched"
	same "$(wc -l <"$said")" 1
	# Also afterwards, by the URL that the creation gave, and by wsd's own socket.
	mcs watch "ws://localhost:$PORT/ws?call_id=$call_id" >"$watched"
	check_watched "$watched"
	(exec_in_instance "$MCS_VAR/bin/mcs-admin" watch "$call_id") >"$watched"
	check_watched "$watched"
}

@test "watch with another instance's id says which one was asked; other mistakes are a line too" {
	run mcs watch 01a20472-6b23-7506-9539-7fbe3034fe5d
	same "$status" 1
	match "$output" "^mcs: there is no call 01a20472-6b23-7506-9539-7fbe3034fe5d at [^ ]*:$PORT
mcs: the instance that was asked is http://localhost:$PORT \\(MCS_VAR=$MCS_VAR\\)"
	run mcs watch nonsense
	same "$status" 1
	same "$output" "mcs: 'nonsense' is neither a call's id nor its websocket_url"
	run mcs watch "wss://localhost/ws?call_id=01a20472-6b23-7506-9539-7fbe3034fe5d"
	same "$status" 2
	match "$output" '^mcs: wss:// is not supported'
	run mcs watch "ws://127.0.0.1:1/ws?call_id=01a20472-6b23-7506-9539-7fbe3034fe5d"
	same "$status" 1
	same "$output" 'mcs: cannot watch the call at 127.0.0.1:1: Connection refused'
}

@test "psql opens the database with the arguments given" {
	same "$(mcs psql -qAtc 'SELECT current_user, current_database()')" 'mcs|mock_communications'
	same "$(mcs psql -qAt <<<'SELECT 6 * 7')" 42
}

@test "redis opens Redis with the arguments given" {
	same "$(mcs redis PING)" PONG
	same "$(mcs redis ECHO 'two words')" 'two words'
}

@test "the database's role has no special rights" {
	same "$(sql "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = 'mcs'")" 'f|f|f'
}

@test "migrate prints the steps of the specification, and may be repeated" {
	local expected
	read -rd '' expected <<-'END' || :
		 Running database migrations...
		 Calls table created/verified
		 Indexes created/verified
		 Metrics table created/verified
		 Initial metrics row created/verified
	END
	local before i
	before=$(sql 'SELECT count(*), max(version) FROM migrations; SELECT sum(total_calls) FROM metrics')
	for i in 1 2; do
		run mcs migrate
		same "$status" 0
		same "$(head -n 5 <<<"$output")" " $expected"
		same "$(tail -n 1 <<<"$output")" ' All migrations completed successfully!'
	done
	same "$(sql 'SELECT count(*), max(version) FROM migrations; SELECT sum(total_calls) FROM metrics')" "$before"
	# What a fresh database got at the first start said the same.
	same "$(head -n 5 "$MCS_VAR/etc/migrate.out")" " $expected"
}

@test "the tables have the specification's columns, types and indexes" {
	same "$(sql "SELECT string_agg(column_name || ' ' || udt_name || coalesce('(' || character_maximum_length || ')', ''), ', '
			ORDER BY ordinal_position) FROM information_schema.columns
		WHERE table_name = 'calls' AND column_name IN ('id', 'from_number', 'to_number', 'status',
			'metadata', 'recording_url', 'api_key', 'created_at', 'updated_at')")" \
		'id uuid, from_number varchar(20), to_number varchar(20), status varchar(20), metadata jsonb, recording_url text, api_key varchar(100), created_at timestamptz, updated_at timestamptz'
	same "$(sql "SELECT string_agg(column_name || ' ' || udt_name, ', ' ORDER BY ordinal_position)
		FROM information_schema.columns WHERE table_name = 'metrics' AND column_name <> 'uploads_failed'" |
		tr ' ' '\n' | grep -v timestamptz | paste -sd ' ')" \
		"$(sql "SELECT 'id int4, total_calls int4, active_calls int4, completed_calls int4, uploads_completed int4, uploads_in_progress int4, updated_at'")"
	same "$(sql "SELECT regexp_replace(indexdef, '.* ON public.calls USING btree ', '') FROM pg_indexes
		WHERE indexname IN ('idx_calls_status', 'idx_calls_api_key', 'idx_calls_created_at')
		ORDER BY indexname" | paste -sd ' ')" '(api_key) (created_at DESC) (status)'
}

@test "an unknown command is one line, help lists all of them in two groups" {
	run mcs dance
	[[ $status != 0 ]]
	match "$output" "^mcs: no command 'dance'"
	run mcs help
	same "$status" 0
	local command use=${output%%To develop it:*} develop=${output##*To develop it:}
	for command in run stop restart status logs watch follow failed migrate psql redis servers; do
		match "$use" "  $command "
	done
	for command in build test bench soak fuzz lint; do
		match "$develop" "  $command "
	done
}

@test "--help of every command says how it is used, in a tree where nothing is built, and touches nothing" {
	local tree=$BATS_TEST_TMPDIR/tree command commands before
	mkdir -p "$tree/common"
	cp -r "$MCS_ROOT/mcs" "$MCS_ROOT/tools" "$tree/"
	cp "$MCS_ROOT/common/config.def" "$tree/common/"
	before=$(find "$tree" | sort)
	mapfile -t commands < <("$tree/mcs" help | sed -n 's/^  \([a-z]*\) .*/\1/p' | sort -u)
	((${#commands[@]} >= 20))
	for command in "${commands[@]}"; do
		# Neither may it ask apt for anything.
		run env PATH=/usr/bin:/bin DEBIAN_FRONTEND=none "$tree/mcs" "$command" --help
		same "$status" 0
		match "$output" "^usage: \./mcs $command[^|]*"$'\n'"         [A-Z]"
		same "$("$tree/mcs" "$command" -h)" "$output"
	done
	same "$(find "$tree" | sort)" "$before"
}

@test "run takes settings as arguments; one that does not exist is named with the nearest that does" {
	run mcs run TIMESCALE=20 MCS_VAR="$BATS_TEST_TMPDIR/v"
	[[ $status != 0 ]]
	same "$output" 'mcs: there is no setting TIMESCALE; did you mean TIME_SCALE?'
	run mcs run API_KEYS=mine
	same "$output" 'mcs: there is no setting API_KEYS; did you mean VALID_API_KEYS?'
	run mcs run NONSENSE=1
	same "$output" 'mcs: there is no setting NONSENSE'
	# A value goes where the environment's would.
	run mcs run PORT=abc MCS_VAR="$BATS_TEST_TMPDIR/v"
	match "$output" '^mcs: PORT=abc must be a whole number'
	run mcs run nonsense
	[[ $status != 0 ]]
	match "$output" "^mcs: run: unknown argument 'nonsense'"
	[[ ! -e $BATS_TEST_TMPDIR/v ]]
	# The instance whose data is there already: the argument beats the environment.
	run mcs run "MCS_VAR=$MCS_VAR"
	match "$output" '^mcs: already running in '
}

# --- retention ------------------------------------------------------------------------------------

# Rows that were finished so many days ago.
insert_old() {
	insert_calls "$1" from_number="$2" status=COMPLETED upload_status="$3" at:="now() - $4::float8 * interval '1 day'"
}

rows_of() { [[ $(sql "SELECT count(*) FROM calls WHERE from_number = '$1'") == "$2" ]]; }

@test "calls that were finished more than RETENTION_DAYS ago are removed, in steps, and no others" {
	hold_component worker # it must find all of them at once
	insert_old 1100 900001 COMPLETED 2
	insert_old 3 900002 FAILED 1.1
	insert_old 3 900003 COMPLETED 0.9
	insert_old 2 900004 PENDING 5
	retire
	wait_until 60 rows_of 900001 0
	wait_until 60 rows_of 900002 0
	rows_of 900003 3
	grep -q 'info worker calls\.retire removed=500$' "$MCS_VAR/log/worker.log"
	grep -q 'info worker calls\.retire removed=103$' "$MCS_VAR/log/worker.log"
	# An upload that was still open is ended first, and its call then kept for its time.
	wait_until 60 uploads_ended 900004
	insert_old 1 900005 COMPLETED 2
	retire
	wait_until 60 rows_of 900005 0
	rows_of 900004 2
	sql "DELETE FROM calls WHERE from_number = '900004'"
}

# A worker looks once a minute, and when it starts.
retire() { kill -s KILL "$(component_pid worker)"; }

uploads_ended() {
	[[ $(sql "SELECT count(*) FROM calls WHERE from_number = '$1' AND upload_status <> 'COMPLETED'") == 0 ]]
}

# --- what it looks after while it runs -------------------------------------------------------------

is_socket() { [[ -S $1 ]]; }
is_smaller() { (($(stat -c %s "$1") < $2)); }

@test "a socket that a cleaner of temporary files removed is there again, and the service whole" {
	local socket sockets=("$MCS_VAR"/run/.s.PGSQL.5432 "$MCS_VAR"/run/redis.sock "$MCS_VAR"/run/wsd.sock)
	quirk starts-processes || sockets+=("$(find "$MCS_VAR/run" -name 'responder.*' -type s -print -quit)")
	for socket in "${sockets[@]}"; do
		[[ -S $socket ]]
		rm "$socket"
	done
	for socket in "${sockets[@]}"; do
		wait_until 60 is_socket "$socket"
		grep -qxF "mcs: the socket $socket was removed; $(component_of_socket "$socket") is started again" "$out"
	done
	wait_until 60 is_ready
	fresh_key
	create_call
	watch "$call_id" >"$BATS_TEST_TMPDIR/watched"
	grep -q '"recording_url":"https' "$BATS_TEST_TMPDIR/watched"
}

component_of_socket() {
	case $1 in
		*/.s.PGSQL*) echo postgres ;;
		*/redis.sock) echo redis ;;
		*/wsd.sock) echo wsd ;;
		*) [[ $(component_pid pool) ]] && echo pool || echo api ;;
	esac
}

@test "logs are bounded while it runs: the newest 10 MB are kept in one old file, and writing goes on" {
	local name log=$MCS_VAR/log
	for name in access worker; do
		yes 'an old line' | head -c 11000000 >>"$log/$name.log"
		printf '\nthe last line\n' >>"$log/$name.log"
	done
	for name in access worker; do
		wait_until 60 is_smaller "$log/$name.log" 1000000
		same "$(stat -c %s "$log/$name.log.1")" $((10240 * 1024))
		tail -n 5 "$log/$name.log.1" | grep -qx 'the last line'
		match "$(stat -c %a "$log/$name.log.1")" '^600$'
	done
	create_call
	wait_until 60 grep -q "id=$call_id" "$log/worker.log"
	wait_until 60 grep -q 'POST /calls' "$log/access.log"
	# Nobody wrote behind a hole where the old end was.
	is_smaller "$log/access.log" 1000000
}

@test "a folder that was removed under a running instance: run and status say so, and the instance ends" {
	local servers=$MCS_VAR/run number folder
	start_instance gone POSTGRES_HOST="$servers" REDIS_HOST="$servers/redis.sock" PARTS=worker
	number=$(<"$MCS_VAR/mcs.pid") folder=$MCS_VAR
	kill -STOP "$number" # so that it does not notice at once
	rm -r "$MCS_VAR"
	run mcs status
	same "$status" 1
	same "$output" "mcs: the folder $folder was removed while process $number runs in it; ./mcs stop ends that"
	run mcs run POSTGRES_HOST="$servers" REDIS_HOST="$servers/redis.sock"
	same "$status" 1
	same "$output" "mcs: the folder $folder was removed while process $number runs in it; ./mcs stop ends that"
	kill -CONT "$number"
	wait_until 60 process_is_gone "$number"
	grep -qx "mcs: the folder $folder was removed, so its instance ends" "$(instances_folder)/gone.out"
	run mcs status
	same "$output" "mcs: not running in $folder"
	# stop need not wait for that.
	start_instance_again gone POSTGRES_HOST="$servers" REDIS_HOST="$servers/redis.sock" PARTS=worker
	rm -r "$MCS_VAR"
	run mcs stop
	same "$status" 0
	rm "$(instances_folder)/gone.instance"
}

# The process that ./mcs restart is done by.
director_of() { pgrep -P "$1" -x mcs; }

@test "an instance whose director is killed says so and ends" {
	local servers=$MCS_VAR/run number
	start_instance headless POSTGRES_HOST="$servers" REDIS_HOST="$servers/redis.sock" PARTS=worker
	number=$(<"$MCS_VAR/mcs.pid")
	local pids
	mapfile -t pids < <(instance_processes)
	kill -KILL "$(director_of "$number")"
	await_gone 60 "${pids[@]}"
	grep -qx 'mcs: the director of this instance has died, so the instance ends' "$(instances_folder)/headless.out"
	[[ ! -e $MCS_VAR/mcs.pid && ! -e $MCS_VAR/components ]]
	rm "$(instances_folder)/headless.instance"
}

# Without a worker nobody loads the open calls, so it waits to be ready, with all else started.
@test "run can be ended while it starts, and leaves nothing but the data" {
	local number pids
	launch_instance hasty PARTS=wsd,api
	use hasty
	read -r number _ <"$(instances_folder)/hasty.instance"
	wait_until 90 starts_api_or_is_gone "$number"
	mapfile -t pids < <(instance_processes)
	kill -TERM "$number"
	await_gone 90 "${pids[@]}" "$(director_of "$number" || echo "$number")"
	[[ ! $(find "$MCS_VAR" -type s) && ! -e $MCS_VAR/mcs.pid && ! -e $MCS_VAR/components ]]
	run grep -v -x -e 'mcs: creating the database folder' -e 'mcs: stopping' -e 'mcs: stopped' "$(instances_folder)/hasty.out"
	same "$output" ''
	rm "$(instances_folder)/hasty.instance"
}

starts_api_or_is_gone() { grep -qs '^api ' "$MCS_VAR/components" || ! kill -0 "$1"; }

# --- the end --------------------------------------------------------------------------------------

# Launches the instance `first`, and creates a call at once when /health answers.
create_at_first_health() {
	local number
	launch_instance first
	use first
	read -r number _ <"$(instances_folder)/first.instance"
	wait_until 90 health_answers_or_gone "$number"
	fresh_key
	create_call
	await_instance first
}

health_answers_or_gone() {
	[[ $(curl -q -s --noproxy '*' -o /dev/null -w '%{http_code}' --max-time 5 "$BASE/health") == 200 ]] ||
		! kill -0 "$1" 2>/dev/null
}

@test "the first answer of /health means that calls can be created: at the first start, at the next, after a restart" {
	create_at_first_health
	mcs restart
	fresh_key
	create_call
	stop_instance first
	create_at_first_health
	run grep -hE ' (warn|error) ' "$MCS_VAR"/log/worker.log
	same "$output" ''
	same "$(grep -c ' live.load ' "$MCS_VAR/log/worker.log")" 2
	stop_instance first
}

@test "a second instance with a Redis of its own on the same database says so and does not start; the first goes on" {
	local servers=$MCS_VAR/run created=0
	launch_instance rival POSTGRES_HOST="$servers"
	local rival_log
	rival_log=$(instances_folder)/rival/log/worker.log
	wait_until 60 grep -qs ' live.rival ' "$rival_log"
	for ((; created < 5; created++)); do
		fresh_key
		create_call
	done
	stop_instance rival
	run grep -hE 'live.(lost|invalidated)' "$MCS_VAR/log/worker.log" "$rival_log"
	same "$output" ''
	grep -q ' live.rival session="process [0-9]* of PostgreSQL, by a unix socket" msg="a worker with another Redis' "$rival_log"
}

@test "a web server whose Redis is not the one that the database's workers use says so when it is not ready" {
	local servers=$MCS_VAR/run
	launch_instance rival POSTGRES_HOST="$servers" PARTS=wsd,api
	use rival
	wait_until 60 health_answers_or_gone "$(cut -d' ' -f1 "$(instances_folder)/rival.instance")"
	KEY='' api GET /ready
	expect_error 503 'Not ready; missing: the live state in Redis (a worker uses this database with another Redis)'
	stop_instance rival
	use own
	KEY='' api GET /ready
	expect 200
}

# Starts the instance `ending`, also again after it has ended in whatever way; sets pids to its processes.
start_ending() {
	start_instance_again ending TIME_SCALE=20
	out=$(instances_folder)/ending.out
	mapfile -t pids < <(instance_processes)
}

@test "stop stops all that was started, and leaves nothing but the data" {
	local pids
	start_ending
	fresh_key
	create_call
	mapfile -t pids < <(instance_processes)
	((${#pids[@]} > 12))
	run mcs stop
	same "$status" 0
	same "$output" 'mcs: stopped'
	await_gone 60 "${pids[@]}"
	[[ ! $(find "$MCS_VAR" -type s) && ! -e $MCS_VAR/mcs.pid && ! -e $MCS_VAR/components ]]
	run mcs status
	[[ $status != 0 ]]
	rm "$(instances_folder)/ending.instance"
}

@test "a second run finds the data; what was live goes on, also after mcs was killed; Ctrl-C ends it" {
	local pids
	start_ending
	fresh_key
	create_call
	wait_until 60 has_recording
	stop_instance ending
	start_ending
	same "$(grep 'creating the database folder' "$out")" ''
	api GET "/calls/$call_id"
	expect 200
	# All that it started ends by itself when mcs is killed.
	hold_component worker
	create_call
	kill -KILL "${pids[0]}"
	release_component worker
	await_gone 60 "${pids[@]}"
	start_ending
	wait_until 60 has_recording
	kill -INT "${pids[0]}"
	await_gone 60 "${pids[@]}"
	[[ ! $(find "$MCS_VAR" -type s) && ! -e $MCS_VAR/mcs.pid ]]
	rm "$(instances_folder)/ending.instance"
}
