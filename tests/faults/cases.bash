# shellcheck shell=bash
# The faults, a function each: fault_NAME runs while the load of tests/tools/load.c is on, against the
# copy in use, and returns when the fault is over. It fails when the fault did not take place.
#
# case_table: name, copy, seconds of load, what account (account.bash) is to know. `also` names
# statuses that are no fault: 500 for a request in the hands of a responder that was killed, 0 (cut,
# or nobody listens) while there is no web server.
case_table=(
	'responder-killed|main|5|also=500 in_hand=2'
	'pool-killed|main|6|also=500 in_hand=5'
	'web-server-killed|main|6|also=0,500,502 in_hand=120'
	'worker-killed-alone|main|6|'
	'worker-killed-among-others|main|6|'
	'worker-stopped-past-its-lease|main|13|'
	'wsd-killed|main|6|'
	'wsd-without-descriptors|main|9|'
	'redis-flushed|main|6|'
	'redis-flushed-again-while-rebuilding|main|8|'
	'redis-killed|main|7|'
	'redis-stopped|main|14|'
	'redis-connections-cut|main|5|'
	'postgres-shut-down|main|8|'
	'postgres-stopped|main|15|'
	'postgres-connections-cut|main|5|'
	'postgres-deadlock|main|7|'
	'worker-dies-after-commit|points|9|'
	'worker-stopped-after-commit|points|12|'
	'worker-stopped-after-claim|points|12|'
	'responder-dies-after-admission|points|7|also=500 in_hand=1'
	'responder-stopped-over-a-rebuild|points|7|'
	'disk-full|disk|13|'
	'clock-forward|clock|7|wall=0'
	'clock-back|clock|7|wall=0'
)

# --- tools ----------------------------------------------------------------------------------------

is_another_part() { [[ $(part_pid "$1") && $(part_pid "$1") != "$2" ]]; }

kill_part() {
	local number
	number=$(part_pid "$1")
	kill -s "$2" "$number" && wait_until 20 is_another_part "$1" "$number"
}

admin_sql() {
	"$psql_client" -qAtX -h "$MCS_VAR/run" -U postgres -d mock_communications -c "$1"
}

# Starts one more worker of the copy, as the copy's user; sets other_worker.
start_other_worker() {
	(
		exec_in_copy setpriv --reuid=mcs --regid=mcs --init-groups --pdeathsig=KILL -- \
			"$MCS_VAR/bin/mcs-worker"
	) >>"$MCS_VAR/log/worker.log" 2>&1 </dev/null &
	other_worker=$!
	sleep 0.3
}

stop_other_worker() {
	kill -s CONT "$other_worker" 2>/dev/null
	kill -s TERM "$other_worker" 2>/dev/null
	wait "$other_worker" 2>/dev/null
	return 0
}

# Arms a fault point (common/fault.h): $2 is "kill" or "stop".
arm() { echo "$2" >"$MCS_VAR/run/.new" && chmod 644 "$MCS_VAR/run/.new" && mv "$MCS_VAR/run/.new" "$MCS_VAR/run/fault.$1"; }
went_off() { [[ ! -e $MCS_VAR/run/fault.$1 ]]; }

logged() { grep -q "$2" "$MCS_VAR/log/$1.log"; }
log_length() { wc -c <"$MCS_VAR/log/$1.log"; }
logged_since() { tail -c "+$(($2 + 1))" "$MCS_VAR/log/$1.log" | grep -q "$3"; }

# --- processes ------------------------------------------------------------------------------------

fault_responder-killed() {
	local pids
	mapfile -t pids < <(pool_pids)
	kill -s KILL "${pids[1]}" "${pids[2]}" && wait_until 5 are_gone "${pids[1]}" "${pids[2]}"
}

fault_pool-killed() {
	local pids
	mapfile -t pids < <(pool_pids)
	kill -s KILL "${pids[0]}" && wait_until 5 are_gone "${pids[0]}" && logged api pool.inherit
}

fault_web-server-killed() { kill_part api KILL; }
fault_worker-killed-alone() { kill_part worker KILL; }
fault_wsd-killed() { kill_part wsd KILL; }

fault_worker-killed-among-others() {
	start_other_worker
	kill_part worker KILL
	local killed=$?
	sleep 1
	kill -s KILL "$other_worker"
	wait "$other_worker" 2>/dev/null
	return "$killed"
}

# The others take its jobs when the lease (5 s) is over; then it goes on with what it had in hand.
fault_worker-stopped-past-its-lease() {
	start_other_worker
	kill -s STOP "$(part_pid worker)"
	sleep 7
	kill -s CONT "$(part_pid worker)"
	sleep 1
	stop_other_worker
}

# Started again with a limit so low that it runs out of descriptors before it runs out of places.
fault_wsd-without-descriptors() {
	local since program=$MCS_VAR/bin/mcs-wsd
	since=$(log_length wsd)
	mv "$program" "$program.real" || return
	printf '#!/bin/sh\nulimit -n 16\nexec %s.real\n' "$program" >"$program" && chmod 755 "$program"
	kill_part wsd KILL
	sleep 4 # lighttpd takes a second or two to find it again
	mv -f "$program.real" "$program"
	kill_part wsd KILL && logged_since wsd "$since" "accept.failed\|wsd.full"
}

# --- Redis ----------------------------------------------------------------------------------------

fault_redis-flushed() { [[ $(live FLUSHALL) == OK ]]; }

fault_redis-flushed-again-while-rebuilding() {
	live FLUSHALL
	wait_until 5 rebuild_runs && live FLUSHALL && sleep 0.7 && live FLUSHALL
}

rebuild_runs() { [[ $(live EXISTS 'mcs:{0}:rebuild') == 1 ]]; }

fault_redis-killed() { kill_part redis KILL; }

fault_redis-stopped() {
	signal_part STOP redis
	sleep 10
	signal_part CONT redis
}

fault_redis-connections-cut() {
	local i
	for i in 1 2 3; do
		live CLIENT KILL TYPE normal SKIPME yes
		live CLIENT KILL TYPE pubsub
		sleep 0.5
	done >/dev/null
}

# --- PostgreSQL -----------------------------------------------------------------------------------

fault_postgres-shut-down() { kill_part postgres QUIT; }

fault_postgres-stopped() {
	signal_part STOP postgres
	sleep 10
	signal_part CONT postgres
}

fault_postgres-connections-cut() {
	local i n=0
	for i in 1 2 3; do
		n=$((n + $(admin_sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE usename = 'mcs'")))
		sleep 0.5
	done
	((n > 0))
}

# All counters are locked first, the calls second; our programs lock the other way round. Whoever
# waited first is the one whom PostgreSQL makes fail.
fault_postgres-deadlock() {
	local since
	since=$(log_length postgres)
	sql "BEGIN; UPDATE metrics SET updated_at = now(); SELECT pg_sleep(0.4);
		SELECT count(*) FROM (SELECT FROM calls WHERE upload_status IN ('WAITING', 'PENDING')
			ORDER BY id FOR UPDATE) AS t; COMMIT" >/dev/null 2>&1
	wait_until 3 logged_since postgres "$since" 'deadlock detected'
}

# --- fault points ---------------------------------------------------------------------------------

fault_worker-dies-after-commit() {
	local worker
	worker=$(part_pid worker)
	arm worker.committed kill
	wait_until 5 went_off worker.committed && wait_until 10 is_another_part worker "$worker"
}

# Stops a worker at a point until its lease (5 s) is over and another worker has done the job, while
# the call has not yet come much further.
stop_at_point() {
	start_other_worker
	arm "$1" stop
	wait_until 5 went_off "$1" || return
	sleep 5.25
	kill -s CONT "$(part_pid worker)" "$other_worker"
	sleep 1
	stop_other_worker
}

fault_worker-stopped-after-commit() { stop_at_point worker.committed; }
fault_worker-stopped-after-claim() { stop_at_point worker.claimed; }

# The call that was admitted but not inserted is inserted by its first job.
fault_responder-dies-after-admission() {
	local since
	since=$(log_length worker)
	arm responder.admitted kill
	wait_until 5 went_off responder.admitted && wait_until 10 logged_since worker "$since" call.recovered
}

# What was admitted under a picture that was lost meanwhile must not be inserted beside the new one.
fault_responder-stopped-over-a-rebuild() {
	local child
	arm responder.admitted stop
	wait_until 5 went_off responder.admitted || return
	live FLUSHALL
	wait_until 5 is_ready
	for child in $(pool_pids); do kill -s CONT "$child"; done
}

# --- the machine ----------------------------------------------------------------------------------

# MCS_VAR/postgres is a small file system of its own, see disk_copy in tools/mcs-faults.sh.
fault_disk-full() {
	local since
	since=$(log_length postgres)
	dd if=/dev/zero of="$MCS_VAR/postgres/ballast" bs=64k status=none 2>/dev/null
	admin_sql 'SELECT pg_switch_wal()' >/dev/null 2>&1
	wait_until 5 logged_since postgres "$since" 'No space left'
	local full=$?
	sleep 3
	rm -f "$MCS_VAR/postgres/ballast"
	return "$full"
}

# Only Redis's clock decides; see clock_copy in tools/mcs-faults.sh.
set_clock() {
	printf '%-8s' "$1" 1<>"$MCS_TEST_DIR/clock/now"
	sleep 1
	local off=$(($(live TIME | head -n 1) - EPOCHSECONDS - $1))
	((off >= -2 && off <= 2))
}

fault_clock-forward() { set_clock 3600; }
fault_clock-back() { set_clock 0; }
