# Whatever dies or hangs: nothing that was promised is lost, the limits hold, every request is answered.

load harness/helpers
load harness/service

# An idle WebSocket takes 25 s to be interesting, so it is opened first and looked at last. Its call
# is one that nobody plays: a row that only the database knows. All of this is with the instance `calm`,
# which loses no Redis: a rebuild brings into it whatever the record has.
idle_call=019a0000-0000-7000-8000-00000000abcd
waiting_calls=0199ffff-0000-7000-8000-00000000 # and four digits

setup_file() {
	launch_instance calm
	launch_instance swift TIME_SCALE=20
	# So many a second, and so long, that both limits matter.
	launch_instance faulty TIME_SCALE=8 MAX_CPS_PER_KEY=4
	await_instance calm
	await_instance swift
	await_instance faulty
	use calm
	insert_call id="$idle_call"
	watch "$idle_call" --pings --timeout 300 >"$BATS_FILE_TMPDIR/idle" 3>&- 4>&- &
	echo $! >"$BATS_FILE_TMPDIR/idle.pid"
	# It moves on, and nobody tells: wsd looks again every 30 s.
	wait_until 60 grep -q '"seq":1' "$BATS_FILE_TMPDIR/idle"
	sql "UPDATE calls SET status = 'RINGING', seq = 2, entered_at = entered_at || now(), updated_at = now(),
			duration_ms = '{1, 3600000, 1, 1}' WHERE id = '$idle_call'"
	# One whose job is gone, which only the worker's audit can find: it comes every 20 s, and looks at
	# more than a page of calls first. The last digit of an id is hashed from the API key.
	insert_calls 1200 id:="('$waiting_calls' || lpad(n::text, 4, '0'))::uuid"
	fresh_key && create_call
	local lost_call=019a0000-0000-7000-8000-00000000dc${call_id: -2}
	echo "$lost_call $KEY" >"$BATS_FILE_TMPDIR/lost"
	insert_call id="$lost_call" api_key="$KEY" at:="now() - interval '1 minute'" duration_ms='{1, 1, 1, 1}'
	sql "UPDATE metrics SET total_calls = total_calls + 1, active_calls = active_calls + 1 WHERE id = 1"
	# That is also when it looks whether Redis may evict keys.
	live CONFIG SET maxmemory 1gb >/dev/null
	live CONFIG SET maxmemory-policy allkeys-lru >/dev/null
	: >"$BATS_FILE_TMPDIR/created"
}

teardown_file() {
	kill "$(<"$BATS_FILE_TMPDIR/idle.pid")" || :
}

setup() {
	[[ -e $(instances_folder)/faulty.instance ]] || start_faulty_again
	use faulty
	# What one case leaves broken is its own failure: the next one begins with a fresh web server.
	if ! wait_until 60 is_ready 2>/dev/null; then
		kill -KILL "$(component_pid api)"
		wait_until 60 is_ready
	fi
	fresh_key
}

# After a case that has stopped it. It ends with the case that starts it.
start_faulty_again() {
	start_instance_again faulty TIME_SCALE=8 MAX_CPS_PER_KEY=4
	ends=yes
}

teardown() {
	[[ ! ${ends:-} ]] || stop_instance faulty
}

now_us() { echo "${EPOCHREALTIME//[.,]/}"; }

# Creates a call that the cases "so far" look after.
create_and_remember() {
	create_call || return
	echo "$call_id" >>"$BATS_FILE_TMPDIR/created"
}

# Sends requests with $KEY, five at a time, until a command has succeeded and a call was created after that.
hammer_until() {
	local deadline=$((SECONDS + 60)) good=''
	while [[ ! $good || ! $(created_of_burst) ]]; do
		((SECONDS < deadline)) || return
		[[ $good ]] || ! "$@" || good=yes
		burst 5
		remember_burst
	done
}

created_of_burst() { jq -r '.call_id // empty' "$replies"/*; }

remember_burst() { jq -r '.call_id // empty' "$replies"/* >>"$BATS_FILE_TMPDIR/created" || :; }

is_ready_with_another() { is_another "$1" "$2" && is_ready; }

# --- Redis is disposable --------------------------------------------------------------------------

@test "FLUSHALL with live calls: refused until the live state is rebuilt, then all goes on" {
	create_and_remember
	burst 5
	remember_burst
	hold_component worker # so that nobody rebuilds meanwhile
	live FLUSHALL
	post /calls '{"from": "+1", "to": "+2"}'
	expect_error 503 'The state of live calls is being rebuilt. Try again shortly'
	match "$(header Retry-After)" '^[1-9][0-9]*$'
	api GET /ready
	expect_error 503 'Not ready; missing: the live state in Redis (being rebuilt)'
	api GET "/calls/$call_id"
	expect 200
	release_component worker
	hammer_until is_ready
	grep -q 'live.ready' "$MCS_VAR/log/worker.log"
}

@test "Redis killed with live calls: it is started again, and all goes on" {
	local redis
	redis=$(component_pid redis)
	create_and_remember
	burst 5
	remember_burst
	kill -KILL "$redis"
	api GET "/calls/$call_id"
	expect 200
	hammer_until is_ready_with_another redis "$redis"
}

@test "a subscriber stays connected and gets all of its call's events while Redis is lost" {
	create_and_remember
	watch "$call_id&after=0" >"$BATS_TEST_TMPDIR/out" 3>&- &
	local subscriber=$!
	wait_until 60 grep -q '"seq":1' "$BATS_TEST_TMPDIR/out"
	live FLUSHALL
	wait "$subscriber"
	same "$(sed -n '/^{"call_id"/p' "$BATS_TEST_TMPDIR/out" | jq -r .seq | paste -sd,)" 1,2,3,4,5
	grep -q '^! close 1000' "$BATS_TEST_TMPDIR/out"
}

@test "a worker that comes too late with what it has to tell Redis changes nothing" {
	local seen=$BATS_TEST_TMPDIR/seen told=() before key job
	use swift
	fresh_key
	live MONITOR >"$seen" 3>&- 4>&- &
	local monitor=$!
	wait_until 60 grep -q OK "$seen"
	create_call
	wait_until 60 has_recording
	kill "$monitor"
	job="$call_id advance 1"
	mapfile -t told < <(grep "\"EVALSHA\" .*\"$job\" \"$call_id\" \"2\"" "$seen" | cut -d' ' -f4- | xargs printf '%s\n')
	same "${#told[@]} ${told[0]} ${told[6]}" "15 EVALSHA $job"
	key=$(live_key call "$call_id")
	before=$(live GET "$key")
	same "$(live "${told[@]}")" 0
	same "$(live GET "$key")" "$before"
	(($(live PTTL "$key") > 0))
	same "$(live ZSCORE "${told[5]}" "$call_id advance 2")" ''
}

# Sets `id` and its `shard`. The last digit of an id is hashed from the API key, so a made-up id takes it
# from a call that exists.
make_up_id() {
	create_call
	wait_until 60 has_recording
	id=019a0000-0000-7000-8000-00000${1}${call_id: -2}
	shard=$(live_key call "$call_id")
	shard=${shard%%call:*}
}

@test "a slot whose call was never stored is free again, also when its live call is gone" {
	local id shard
	use swift
	fresh_key
	make_up_id 51071
	live ZADD "${shard}slots:$KEY" 9999999999999999 "$id"
	live ZADD "${shard}due" 0 "$id advance 1"
	wait_until 60 no_slots "$KEY"
	same "$(live ZSCORE "${shard}due" "$id advance 1")" ''
}

@test "a rebuild waits for the inserts that are under way, and later ones of the old epoch are refused" {
	local id shard epoch values insert begin
	use swift
	fresh_key
	make_up_id ba221
	epoch=$(sql 'SELECT epoch FROM live_state')
	insert="PREPARE insert_call AS $(<"$MCS_ROOT/sql/queries/call_insert.sql"); EXECUTE insert_call"
	values="'+1', '+2', '{}', '$KEY', $(now_us) / 1000, 'ANSWERED', '{1, 1, 1, 1}', 0, $epoch, 1"
	hold_locks "$insert ('$id', $values)"
	sql 'SELECT live_state_begin()' >"$BATS_TEST_TMPDIR/begun" 3>&- &
	begin=$!
	wait_until 60 begin_waits
	same "$(<"$BATS_TEST_TMPDIR/begun")" ''
	free_locks
	wait "$begin"
	same "$(sql "SELECT count(*) FROM calls WHERE id = '$id'")" 1
	same "$(sql "$insert ('${id/ba221/ba222}', $values)")" f
	# What was begun by hand here is noticed, and put right.
	wait_until 60 admitted_again
	call_id=$id
	wait_until 60 has_recording
}

begin_waits() {
	[[ $(sql "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'SELECT live_state_begin%'") == 1 ]]
}

@test "an upload that is started once more while it runs ends when it was to end" {
	local id shard due
	use swift
	fresh_key
	make_up_id 10ad1
	insert_call id="$id" api_key="$KEY" status=COMPLETED seq=4 duration_ms='{1, 1, 1, 60000}' \
		upload_status=PENDING upload_job=4711
	live ZADD "${shard}due" 0 "$id upload 0 60000 4711"
	wait_until 60 is_waiting "${shard}due" "$id finish 0 60000 4711"
	due=$(live ZSCORE "${shard}due" "$id finish 0 60000 4711")
	live ZADD "${shard}due" 0 "$id upload 0 60000 4711"
	wait_until 60 is_not_waiting "${shard}due" "$id upload 0 60000 4711"
	same "$(live ZSCORE "${shard}due" "$id finish 0 60000 4711")" "$due"
	live ZREM "${shard}due" "$id finish 0 60000 4711"
	sql "DELETE FROM calls WHERE id = '$id'"
}

is_waiting() { [[ $(live ZSCORE "$1" "$2") ]]; }
is_not_waiting() { ! is_waiting "$@"; }

# --- what hangs ------------------------------------------------------------------

# What the service answers while something hangs; the checks come after that is over.
ask_everything() {
	local begin
	post /calls '{"from": "+1", "to": "+2"}'
	first_status=$status_code first_retry=$(header Retry-After)
	begin=$(now_us) waits=$(count_waits)
	AT_ONCE=100 burst 12
	later_statuses=$statuses later_body=$(<"$replies/12")
	api GET "/calls/$call_id"
	get_status=$status_code
	waits=$(($(count_waits) - waits)) asked_us=$(($(now_us) - begin))
	api GET /ready
	ready_status=$status_code ready_body=$body
	api GET /metrics
	metrics_status=$status_code
	api GET /health
	health_status=$status_code
	echo "$waits waits in $asked_us µs"
}

# How often a responder has waited for a database without an answer.
count_waits() { cat "$MCS_VAR"/log/{api,pool}.log 2>/dev/null | grep -cE ' responder (redis|pg)\.failed ' || :; }

admitted_again() {
	post /calls '{"from": "+1", "to": "+2"}'
	[[ $status_code == 201 ]]
}

# From the first time-out on the whole pool knows: of 13 requests none waits, but for a probe of each database
# about once a second. Processes that a web server starts find out each for itself, those that were connected
# by calls that hold their slots meanwhile.
soon_refused() {
	if quirk starts-processes; then
		match "$later_statuses" '^(429:[0-9]+ )?503:[0-9]+$'
	else
		same "$later_statuses" '503:12'
		((waits <= 2 * (1 + asked_us / 1000000)))
	fi
}

@test "PostgreSQL hangs: POST answers 503, GET goes on, then all is well by itself" {
	create_and_remember
	signal_component STOP postgres
	ask_everything
	signal_component CONT postgres
	same "$first_status" 503
	match "$first_retry" '^[1-9][0-9]*$'
	soon_refused
	same "$later_body" \
		'{"error":"Service Unavailable","message":"The call was not created: a database does not answer"}'
	same "$get_status" 200
	same "$ready_status $metrics_status $health_status" '503 503 200'
	match "$ready_body" '"Not ready; missing: PostgreSQL"'
	wait_until 60 admitted_again
}

@test "a connection to Redis that was cut sends nobody to the record, which may be ahead" {
	hold_component worker
	create_call
	sql "UPDATE calls SET from_number = '+999' WHERE id = '$call_id'"
	local from=''
	for _ in {1..3}; do
		live CLIENT KILL TYPE normal >/dev/null
		for _ in {1..12}; do
			api GET "/calls/$call_id"
			from+=" $status_code $(json .from)"
		done
	done
	release_component worker
	same "$(tr -s ' ' '\n' <<<"${from# }" | sort -u | paste -sd' ')" '+1234567890 200'
}

@test "Redis hangs: POST answers 503, GET is answered by PostgreSQL, then all is well" {
	create_and_remember
	signal_component STOP redis
	ask_everything
	signal_component CONT redis
	same "$first_status" 503
	match "$first_retry" '^[1-9][0-9]*$'
	soon_refused
	same "$get_status" 200
	same "$ready_status $metrics_status $health_status" '503 200 200'
	match "$ready_body" '"Not ready; missing: Redis"'
	wait_until 60 admitted_again
}

@test "both databases hang: every request is answered, then all is well" {
	create_and_remember
	signal_component STOP redis
	signal_component STOP postgres
	ask_everything
	signal_component CONT postgres
	signal_component CONT redis
	same "$first_status $later_statuses $get_status" '503 503:12 503'
	soon_refused
	same "$ready_status $metrics_status $health_status" '503 503 200'
	wait_until 60 admitted_again
}

# --- what dies is started again -------------------------------------------------------------------

@test "a worker that is killed is started again, and the calls go on" {
	local before
	before=$(component_pid worker)
	create_and_remember
	kill -KILL "$before"
	wait_until 60 is_another worker "$before"
}

@test "a wsd that is killed is started again" {
	local before
	before=$(component_pid wsd)
	create_and_remember
	kill -KILL "$before"
	wait_until 60 is_another wsd "$before"
	wait_until 60 one_may_watch
}

one_may_watch() { watch "$call_id" --count 2 >/dev/null; }

@test "a responder that is killed is replaced by the pool's parent" {
	local pids child
	skip_by_quirk starts-processes
	mapfile -t pids < <(pool_pids)
	same "${#pids[@]}" 5
	create_and_remember
	for child in "${pids[@]:1}"; do
		kill -KILL "$child"
	done
	wait_until 60 pool_is_another "${pids[@]:1}"
	same "$(pool_pids | head -n 1)" "${pids[0]}"
	api GET "/calls/$call_id"
	expect 200
}

# Whether five responders live and none of these is among them.
pool_is_another() {
	local now pid
	now=" $(pool_pids | paste -sd ' ') "
	[[ $(wc -w <<<"$now") == 5 ]] || return
	for pid; do
		[[ $now != *" $pid "* ]] || return
	done
}

@test "responders without a descriptor for a connection say so, pause, and serve waiting connections when they have one" {
	local children child before begin since
	skip_by_quirk starts-processes
	mapfile -t children < <(pool_pids | tail -n +2)
	since=$(log_of api | wc -l)
	for child in "${children[@]}"; do limit_descriptors "$child" 3; done
	curl -q -sS --noproxy '*' --max-time 60 -o /dev/null -w '%{http_code}\n' "$BASE/health" >"$BATS_TEST_TMPDIR/status" 3>&- &
	wait_until 60 lack_descriptors "$since"
	before=$(ticks_of "${children[@]}") begin=$(now_us)
	sleep 2
	# A quarter of the time that one of them could have had.
	(($(ticks_of "${children[@]}") - before < ($(now_us) - begin) / 40000))
	for child in "${children[@]}"; do limit_descriptors "$child" 1024; done
	wait $!
	same "$(<"$BATS_TEST_TMPDIR/status")" 200
}

lack_descriptors() { log_of api | tail -n "+$(($1 + 1))" | grep -q 'accept\.failed.*Too many open files'; }

# As the user whose process it is: not even root may do it for others everywhere.
limit_descriptors() {
	local user as=()
	user=$(ps -o user= -p "$1")
	[[ $user == "$(id -un)" ]] || as=(setpriv --reuid "$user" --regid "$user" --clear-groups)
	"${as[@]}" prlimit --pid "$1" --nofile="$2:"
}

# Hundredths of a second that these processes have run so far.
ticks_of() {
	local number
	for number; do cat "/proc/$number/stat"; done | awk '{ sum += $14 + $15 } END { print sum }'
}

@test "responders that are told to stop finish what they do: no request fails" {
	local bad=0 round child
	skip_by_quirk starts-processes
	for round in {1..5}; do
		curl -q -sS --noproxy '*' -Z --parallel-immediate --parallel-max 20 "$BASE/health?n=[1-60]" \
			-o "$BATS_TEST_TMPDIR/#1" -w '%{http_code}\n' >"$BATS_TEST_TMPDIR/statuses.$round" 3>&- &
		for child in $(pool_pids | tail -n +2); do
			kill -TERM "$child" || :
		done
		wait $! || bad=1
	done
	same "$(sort "$BATS_TEST_TMPDIR"/statuses.* | uniq -c | sed 's/^ *//')" '300 200'
	same "$bad" 0
}

@test "a responder that is told to stop in the middle of a request answers it" {
	local replies child curl died
	skip_by_quirk starts-processes
	create_and_remember
	died=$(log_of api | grep -c 'pool\.died' || :)
	signal_component STOP redis
	replies=$BATS_TEST_TMPDIR/replies
	curl -q -sS --noproxy '*' -Z --parallel-immediate -H "Authorization: Bearer $KEY" -o /dev/null \
		-w '%{http_code}\n' "$BASE/calls/$call_id?n=[1-4]" >"$replies" 3>&- &
	curl=$!
	wait_until 60 redis_is_asked 4
	for child in $(pool_pids | tail -n +2); do kill -s TERM "$child"; done
	signal_component CONT redis
	wait "$curl"
	same "$(sort "$replies" | uniq -c | sed 's/^ *//')" '4 200'
	# The web server may have asked another one; so also: none was ended by the signal.
	same "$(log_of api | grep -c 'pool\.died' || :)" "$died"
}

# Whether so many connections to Redis, which stands still, have something that it has not read.
redis_is_asked() { (($(ss -xH state connected "src $MCS_VAR/run/redis.sock" | awk '$2 > 0' | wc -l) >= $1)); }

@test "a pool whose parent is killed has another one soon, and the same number of responders" {
	local pids
	skip_by_quirk starts-processes
	mapfile -t pids < <(pool_pids)
	create_and_remember
	kill -KILL "${pids[0]}"
	wait_until 60 pool_is_another "${pids[0]}"
	wait_until 60 has_answer
	is_ready
}

has_answer() {
	api GET "/calls/$call_id"
	[[ $status_code == 200 ]]
} 2>/dev/null

@test "a PostgreSQL that is killed is started again" {
	local before
	before=$(component_pid postgres)
	create_and_remember
	kill -KILL "$before"
	wait_until 60 is_ready_with_another postgres "$before"
	api GET "/calls/$call_id"
	expect 200
	wait_until 60 admitted_again
}

# --- and the sum of it ----------------------------------------------------------------------------

@test "stop and start keep the data, and the calls that were live go on" {
	create_and_remember
	local at total
	at=$(json .created_at)
	total=$(sql 'SELECT count(*) FROM calls')
	stop_instance faulty
	start_instance_again faulty TIME_SCALE=8 MAX_CPS_PER_KEY=4
	same "$(sql 'SELECT count(*) FROM calls')" "$total"
	api GET "/calls/$call_id"
	expect 200
	same "$(json .created_at)" "$at"
	wait_until 60 has_recording
	wait_until 60 nothing_moves
	stop_instance faulty
	ends=''
}

# The cases that follow judge all that has happened to the instance, and a burst of their own.
burst_to_its_end() {
	burst 8
	remember_burst
	wait_until 60 nothing_moves
}

@test "so far: every call that was promised is there and whole, and none was left half-way" {
	local whole=$BATS_TEST_TMPDIR/whole promised=$BATS_TEST_TMPDIR/promised
	burst_to_its_end
	sort -u "$BATS_FILE_TMPDIR/created" >"$promised"
	(($(wc -l <"$promised") >= 3))
	sql "SELECT id FROM calls WHERE status = 'COMPLETED' AND upload_status = 'COMPLETED'
		AND cardinality(entered_at) = 4" | sort >"$whole"
	same "$(comm -23 "$promised" "$whole")" ''
	same "$(comm -23 <(sql 'SELECT id FROM calls' | sort) "$whole")" ''
}

@test "so far: neither limit was ever exceeded" {
	burst_to_its_end
	same "$(sql "SELECT count(*) FROM (
			SELECT created_at - lag(created_at, 4) OVER (PARTITION BY api_key ORDER BY created_at) AS gap
			FROM calls) AS t
		WHERE gap < interval '0.999 s'")" 0
	same "$(sql "SELECT max((SELECT count(*) FROM calls o
			WHERE o.api_key = c.api_key AND o.created_at <= c.created_at
			  AND o.entered_at[4] > c.created_at))
		FROM calls c")" 3
}

@test "so far: the counters are exact" {
	local count
	burst_to_its_end
	count=$(sql 'SELECT count(*) FROM calls')
	same "$(sql "SELECT sum(total_calls), sum(completed_calls), sum(uploads_completed), sum(active_calls),
		sum(uploads_in_progress), sum(uploads_failed) FROM metrics")" "$count|$count|$count|0|0|0"
}

@test "a call whose job is gone from Redis has it again" {
	use calm
	read -r call_id KEY <"$BATS_FILE_TMPDIR/lost"
	wait_until 90 has_recording
	grep -q 'calls.overdue' "$MCS_VAR/log/worker.log"
	grep -q 'redis.evicts' "$MCS_VAR/log/worker.log"
	live CONFIG SET maxmemory-policy noeviction
}

@test "a WebSocket that is silent is pinged before any web server would close it, and told what it missed" {
	wait_until 60 grep -q '^! ping' "$BATS_FILE_TMPDIR/idle"
	wait_until 60 grep -q '"seq":2' "$BATS_FILE_TMPDIR/idle"
	same "$(sed '/^! ping/d' "$BATS_FILE_TMPDIR/idle" | wc -l)" 3
	kill -0 "$(<"$BATS_FILE_TMPDIR/idle.pid")"
}

@test "a call that was admitted just before Redis was lost still counts in the limit of a second" {
	use swift
	fresh_key
	burst 2
	same "$statuses" '201:2'
	live FLUSHALL
	wait_until 60 admitted_again
	same "$(too_many_a_second)" 0
}

@test "so does a call that was admitted before a worker that did not see it starts, and loads the open calls" {
	use swift
	fresh_key
	hold_component worker
	burst 2
	same "$statuses" '201:2'
	live FLUSHALL
	kill -KILL "$(component_pid worker)"
	wait_until 60 admitted_again
	same "$(too_many_a_second)" 0
}

# --- a rebuild ends, whatever stands in the rows --------------------------------------------------

# Rows of open calls that wait for an hour, with the SQL expression $2 as their metadata.
add_waiting_calls() {
	insert_calls "$1" api_key=waiting metadata:="($2)"
}

remove_waiting_calls() {
	sql "DELETE FROM calls WHERE api_key = 'waiting'"
	live FLUSHALL
	wait_until 60 is_ready
}

peak_kb() { awk '$1 == "VmHWM:" { print $2 }' "/proc/$(component_pid worker)/status"; }

@test "600 open calls with 60 KB each, and rows of before that write out to 2.8 MB: Redis is rebuilt, in little memory" {
	local before restored=true
	use swift
	add_waiting_calls 600 "SELECT jsonb_build_object('x', string_agg(md5(i::text), '')) FROM generate_series(1, 1900) AS i"
	add_waiting_calls 300 "SELECT jsonb_build_object('n', jsonb_agg(1e308::numeric)) FROM generate_series(1, 10915)"
	before=$(peak_kb)
	live FLUSHALL
	wait_until 60 is_ready || restored=false
	local grown=$(($(peak_kb) - before)) waiting
	waiting=$(live --raw --scan --pattern 'mcs:2:{*}:call:*' | wc -l)
	remove_waiting_calls
	"$restored"
	((grown < 50000)) || { echo "the worker grew by $grown kB" && false; }
	((waiting >= 900))
}

@test "a call that was restored is shown with its metadata" {
	use calm
	fresh_key
	create_call '{"from": "+1", "to": "+2", "metadata": {"kept": [1, 2]}}'
	live FLUSHALL
	wait_until 60 is_ready
	api GET "/calls/$call_id"
	expect 200
	same "$(json '.metadata | tostring')" '{"kept":[1,2]}'
	wait_until 60 has_status COMPLETED
	same "$(json '.metadata | tostring')" '{"kept":[1,2]}'
}

@test "a PostgreSQL that cannot read a page of open calls in time: the rebuild ends with smaller ones" {
	local restored=true
	use swift
	add_waiting_calls 60 "SELECT '{}'::jsonb"
	sql "ALTER TABLE calls ENABLE ROW LEVEL SECURITY; ALTER TABLE calls FORCE ROW LEVEL SECURITY;
		CREATE POLICY slow ON calls USING (api_key <> 'waiting' OR pg_sleep(0.06) IS NOT NULL)"
	live FLUSHALL
	wait_until 60 is_ready || restored=false
	sql "DROP POLICY slow ON calls; ALTER TABLE calls NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY"
	remove_waiting_calls
	"$restored"
}
