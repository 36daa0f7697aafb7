# shellcheck shell=bash
# The faults, a function each: fault_NAME runs while the load of tests/harness/load/traffic.c is on, against the
# instance in use, and returns when the fault is over. It fails when the fault did not take place.
#
# case_table: name, instance, seconds of load (0: only in a soak), what account (account.bash) is to know,
# what happens. `also` and `in_hand` are the answers (0: none) that requests in the hands of what was
# killed may get: with wsd these are its subscribers too, which are back before the kernel has closed the last
# of its sockets, the one that listens. `late` is 9000 where jobs may wait for the end of a lease (5 s).
case_table=(
	'responder-killed|main|6|also=500 in_hand=4|all responders killed, two at a time'
	'pool-killed|main|6||the pool'\''s parent killed'
	'web-server-killed|main|6|also=0,500,502 in_hand=20|lighttpd killed'
	'worker-killed|main|0||the only worker killed at any moment'
	'worker-stopped|main|0||a worker stopped for 7 s at any moment'
	'worker-killed-alone|points|8|late=15000|the only worker killed with claimed jobs'
	'worker-killed-among-others|points|12|late=15000|one of two workers killed with claimed jobs'
	'wsd-killed|main|6|also=0,500,502 in_hand=300|wsd killed'
	'wsd-without-descriptors|main|12|also=0,500,502 in_hand=300|wsd without descriptors for 7 s'
	'redis-flushed|main|6||Redis: FLUSHALL'
	'redis-flushed-again-while-rebuilding|main|8||Redis: FLUSHALL three times, also during the rebuild'
	'redis-flushed-during-a-vacuum|main|9||Redis: FLUSHALL while a VACUUM of calls holds its lock'
	'redis-killed|main|7||Redis killed, restarted empty'
	'redis-restored-from-a-snapshot|main|8||Redis killed, back with what it held 2 s earlier'
	'redis-stopped|main|14|late=14000|Redis stopped for 10 s'
	'redis-full|main|10||Redis full for 6 s'
	'redis-scripts-flushed|main|6||Redis: SCRIPT FLUSH, twenty times'
	'redis-connections-cut|main|5|late=15000|Redis: all connections cut, three times'
	'postgres-shut-down|main|8|late=15000|PostgreSQL: immediate shutdown'
	'postgres-stopped|main|15|late=14000|PostgreSQL stopped for 10 s'
	'postgres-connections-cut|main|5||PostgreSQL: all connections terminated, three times'
	'postgres-locked|main|7||PostgreSQL: all counters and all open calls locked for 0.8 s'
	'postgres-row-locked|main|12||PostgreSQL: one call and all but one of the workers'\'' counters locked until 50 other calls have ended'
	'worker-dies-after-commit|points|9|late=15000|the only worker killed between its commit and its Redis writes'
	'worker-stopped-after-commit|points|12|late=15000|a worker stopped there past its lease, then continued'
	'worker-stopped-after-claim|points|12|late=15000|a worker stopped between claim and commit past its lease, then continued'
	'worker-late-for-a-rebuild|points|7||a worker stopped before it rebuilds Redis, while another one does'
	'worker-stopped-in-a-rebuild|points|16|late=15000|a worker stopped while it rebuilds Redis'
	'responder-dies-after-admission|points|7|also=500 in_hand=1|a responder killed between admission and insert'
	'responder-stopped-over-a-rebuild|points|7||a responder stopped there while Redis is lost and rebuilt'
	'disk-full|disk|13|late=15000|the disk full for PostgreSQL for 3 s'
	'clock-forward|clock|7|wall=0|the host'\''s clock an hour forward, while a batch is committed and not yet in Redis'
	'clock-back|clock|7|wall=0|the same, an hour back'
)

# --- tools ----------------------------------------------------------------------------------------


# Kills processes, and lets the load's log know when, and when the kernel is done with them: what is in
# their hands until then may fail.
kill_now() {
	kill -s KILL "$@"
	local status=$? deadline=$((SECONDS + 5))
	kill -s USR1 "$load_pid"
	until are_gone "$@" || ((SECONDS > deadline)); do :; done
	kill -s USR1 "$load_pid"
	return "$status"
}

kill_component() {
	local number
	number=$(component_pid "$1")
	kill_now "$number" && wait_until 30 is_another "$1" "$number"
}

admin_sql() {
	"$psql_client" -qAtX -h "$MCS_VAR/run" -U postgres -d mock_communications -c "$1"
}

# Starts one more worker of the instance, as the instance's user; sets other_worker.
start_other_worker() {
	local since
	since=$(log_length worker)
	(
		exec_in_instance setpriv --reuid=mcs --regid=mcs --init-groups --pdeathsig=KILL -- \
			"$MCS_VAR/bin/mcs-worker"
	) >>"$MCS_VAR/log/worker.log" 2>&1 </dev/null &
	other_worker=$!
	wait_until 30 logged_since worker "$since" worker.start
}

stop_other_worker() {
	kill -s CONT "$other_worker" 2>/dev/null
	kill -s TERM "$other_worker" 2>/dev/null
	wait "$other_worker" 2>/dev/null
	return 0
}

# Arms a fault point (common/failpoint.h): $2 is "kill" or "stop".
arm() { echo "$2" >"$MCS_VAR/run/.new" && chmod 644 "$MCS_VAR/run/.new" && mv "$MCS_VAR/run/.new" "$MCS_VAR/run/failpoint.$1"; }
went_off() { [[ ! -e $MCS_VAR/run/failpoint.$1 ]]; }

logged() { grep -q "$2" "$MCS_VAR/log/$1.log"; }
log_length() { wc -c <"$MCS_VAR/log/$1.log"; }
logged_since() { grep -q "$3" <(tail -c "+$(($2 + 1))" "$MCS_VAR/log/$1.log"); }

# --- processes ------------------------------------------------------------------------------------

# All children that there were, two at a time.
fault_responder-killed() {
	local pids
	mapfile -t pids < <(pool_pids)
	kill_now "${pids[@]:1:2}" && wait_until 30 are_gone "${pids[@]:1:2}" || return
	sleep 0.5
	kill_now "${pids[@]:3:2}" && wait_until 30 are_gone "${pids[@]:3:2}"
}

# Its children finish their current requests, and one of them becomes the parent.
fault_pool-killed() {
	local pids since
	since=$(log_length api)
	mapfile -t pids < <(pool_pids)
	kill_now "${pids[0]}" && wait_until 30 are_gone "${pids[0]}" && wait_until 30 logged_since api "$since" pool.succeed
}

fault_web-server-killed() { kill_component api; }
fault_wsd-killed() { kill_component wsd; }

# With claimed jobs.
fault_worker-killed-alone() { die_at_point worker.claimed; }

fault_worker-killed-among-others() {
	start_other_worker
	arm worker.claimed kill
	wait_until 30 went_off worker.claimed
	local killed=$?
	sleep 6 # the others take its jobs when the lease (5 s) is over
	stop_other_worker
	return "$killed"
}

# At any moment.
fault_worker-killed() { kill_component worker; }

fault_worker-stopped() {
	start_other_worker
	kill -s STOP "$(component_pid worker)"
	sleep 7
	kill -s CONT "$(component_pid worker)"
	sleep 1
	stop_other_worker
}

# Started again with a limit so low that it runs out of descriptors before it runs out of places.
fault_wsd-without-descriptors() {
	local since program=$MCS_VAR/bin/mcs-wsd
	since=$(log_length wsd)
	mv "$program" "$program.real" || return
	printf '#!/bin/sh\nulimit -n 16\nexec %s.real\n' "$program" >"$program" && chmod 755 "$program"
	kill_component wsd
	sleep 7 # a process that hangs would do so for longer than an answer may take
	mv -f "$program.real" "$program"
	kill_component wsd && logged_since wsd "$since" "accept.failed\|wsd.full"
}

# --- Redis ----------------------------------------------------------------------------------------

fault_redis-flushed() { [[ $(live FLUSHALL) == OK ]]; }

fault_redis-flushed-again-while-rebuilding() {
	live FLUSHALL
	wait_until 30 rebuild_runs && live FLUSHALL && sleep 0.7 && live FLUSHALL
}

# What a long VACUUM holds, until Redis is rebuilt.
fault_redis-flushed-during-a-vacuum() {
	admin_sql "SET application_name = 'vacuum'; BEGIN; LOCK TABLE calls IN SHARE UPDATE EXCLUSIVE MODE; SELECT pg_sleep(60)" \
		>/dev/null 2>&1 &
	local vacuum=$!
	wait_until 30 is_asleep vacuum || return
	live FLUSHALL
	wait_until 30 is_ready && is_asleep vacuum
	local rebuilt=$?
	admin_sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vacuum'" >/dev/null
	wait "$vacuum"
	return "$rebuilt"
}

rebuild_runs() { [[ $(live EXISTS 'mcs:2:{0}:rebuild') == 1 ]]; }

fault_redis-killed() { kill_component redis; }

# It comes back with what it held two seconds earlier, its marker included.
fault_redis-restored-from-a-snapshot() {
	local since
	since=$(log_length redis)
	[[ $(live SAVE) == OK ]] || return
	sleep 2
	kill_component redis && wait_until 30 logged_since redis "$since" 'DB loaded from disk'
	local restored=$?
	rm -f "$MCS_VAR/run/dump.rdb"
	return "$restored"
}

fault_redis-stopped() {
	signal_component STOP redis
	sleep 10
	signal_component CONT redis
}

fault_redis-full() {
	live CONFIG SET maxmemory 1
	sleep 6
	live CONFIG SET maxmemory 0
}

fault_redis-scripts-flushed() {
	local i
	for ((i = 0; i < 20; i++)); do
		live SCRIPT FLUSH || return
		sleep 0.1
	done
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

fault_postgres-shut-down() {
	local number
	number=$(component_pid postgres)
	kill -s QUIT "$number" && wait_until 30 is_another postgres "$number"
}

fault_postgres-stopped() {
	signal_component STOP postgres
	sleep 10
	signal_component CONT postgres
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

# All counters are locked first, the calls second; our programs lock the other way round. The session
# that waited first is the one that PostgreSQL makes fail.
# A session that waits for a lock while it holds another that this one needs would be a deadlock.
# A worker that waits for the counters with an insert meanwhile sees no lock timeout, so there may have to be
# another try.
fault_postgres-locked() {
	local since
	since=$(log_length postgres)
	for _ in {1..10}; do
		sql "BEGIN; UPDATE metrics SET updated_at = now(); SELECT pg_sleep(0.4);
			SELECT count(*) FROM (SELECT FROM calls WHERE upload_status IN ('WAITING', 'PENDING')
				ORDER BY id FOR UPDATE) AS t; SELECT pg_sleep(0.4); COMMIT" >/dev/null 2>&1
		logged_since postgres "$since" 'due to lock timeout' && return
	done
	return 1
}

# The call that is locked is none of the load's. Meanwhile all others move on.
fault_postgres-row-locked() {
	local KEY call_id since at locker
	since=$(log_length worker)
	fresh_key && create_call || return
	sql "SET application_name = 'locker'; BEGIN; SELECT FROM metrics WHERE id BETWEEN 49 AND 64 AND id <> 57 FOR UPDATE;
		SELECT FROM calls WHERE id = '$call_id' AND status <> 'COMPLETED' FOR UPDATE; SELECT pg_sleep(60); COMMIT" >/dev/null 2>&1 &
	locker=$!
	wait_until 30 is_asleep locker && at=$(sql 'SELECT clock_timestamp()') &&
		wait_until 30 logged_since worker "$since" 'calls\.locked' && wait_until 30 have_moved 50 "$at"
	local status=$?
	end_session locker
	wait "$locker"
	return "$status"
}

is_asleep() { [[ $(admin_sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = '$1' AND wait_event = 'PgSleep'") == 1 ]]; }
end_session() { sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '$1'" >/dev/null; }

# Whether so many calls have ended since $2.
have_moved() { (($(sql "SELECT count(*) FROM calls WHERE entered_at[4] > '$2'") >= $1)); }

# --- fault points ---------------------------------------------------------------------------------

# The only worker dies at a point.
die_at_point() {
	local worker
	worker=$(component_pid worker)
	arm "$1" kill
	wait_until 30 went_off "$1" && wait_until 30 is_another worker "$worker"
}

fault_worker-dies-after-commit() { die_at_point calls_advance; }

# Stops a worker at a point until its lease (5 s) is over and another worker has done the job, while
# the call has not yet come much further.
stop_at_point() {
	start_other_worker
	arm "$1" stop
	wait_until 30 went_off "$1" || return
	sleep 5
	wait_until 30 nothing_overdue
	local taken_over=$?
	kill -s CONT "$(component_pid worker)" "$other_worker"
	sleep 1
	stop_other_worker
	return "$taken_over"
}

nothing_overdue() {
	[[ $(sql "SELECT count(*) FROM calls WHERE upload_status = 'WAITING'
		AND updated_at + duration_ms[seq] * interval '1 ms' < now() - interval '0.5 s'") == 0 ]]
}

fault_worker-stopped-after-commit() { stop_at_point calls_advance; }
fault_worker-stopped-after-claim() { stop_at_point worker.claimed; }

# It holds no lock yet: another one rebuilds, and what that has made must not be taken for lost.
fault_worker-late-for-a-rebuild() {
	local since
	since=$(log_length worker)
	start_other_worker
	arm worker.unlocked stop
	live FLUSHALL
	wait_until 30 went_off worker.unlocked && wait_until 30 is_ready
	local rebuilt=$?
	kill -s CONT "$(component_pid worker)" "$other_worker"
	sleep 1
	stop_other_worker
	((rebuilt == 0)) && [[ $(tail -c "+$((since + 1))" "$MCS_VAR/log/worker.log" | grep -c live.lost) == 1 ]]
}

# It holds the lock, which PostgreSQL takes from it after 10 s.
fault_worker-stopped-in-a-rebuild() {
	start_other_worker
	arm worker.locked stop
	live FLUSHALL
	wait_until 30 went_off worker.locked && wait_until 30 is_ready
	local rebuilt=$?
	kill -s CONT "$(component_pid worker)" "$other_worker"
	sleep 1
	stop_other_worker
	return "$rebuilt"
}

# The call that was admitted but not inserted is inserted by its first job.
fault_responder-dies-after-admission() {
	local since
	since=$(log_length worker)
	arm responder.admitted kill
	wait_until 30 went_off responder.admitted && kill -s USR1 "$load_pid" && wait_until 30 logged_since worker "$since" call.recovered
}

# What was admitted under a live state that was lost meanwhile must not be inserted beside the new one.
fault_responder-stopped-over-a-rebuild() {
	local child
	arm responder.admitted stop
	wait_until 30 went_off responder.admitted || return
	live FLUSHALL
	wait_until 30 is_ready
	for child in $(pool_pids); do kill -s CONT "$child"; done
}

# --- the machine ----------------------------------------------------------------------------------

# MCS_VAR/postgres is a small file system of its own, see disk_instance in tests/harness/faults.sh.
fault_disk-full() {
	local since
	since=$(log_length postgres)
	dd if=/dev/zero of="$MCS_VAR/postgres/ballast" bs=64k status=none 2>/dev/null
	admin_sql 'SELECT pg_switch_wal()' >/dev/null 2>&1
	wait_until 30 logged_since postgres "$since" 'No space left'
	local full=$?
	sleep 3
	rm -f "$MCS_VAR/postgres/ballast"
	return "$full"
}

# The clock of the host, for all that runs on it (see clock_instance in tests/harness/faults.sh), while a batch
# of transitions has committed and Redis knows nothing of it yet.
set_clock() {
	arm calls_advance stop
	wait_until 30 went_off calls_advance || return
	printf '%-8s' "$1" 1<>"$MCS_TEST_DIR/clock/now"
	kill -s CONT "$(component_pid worker)"
	sleep 1
	is_off "$(live TIME | head -n 1)" "$1" && is_off "$(sql 'SELECT extract(epoch FROM now())::bigint')" "$1"
}

is_off() { local off=$(($1 - EPOCHSECONDS - $2)) && ((off >= -2 && off <= 2)); }

fault_clock-forward() { set_clock 3600; }
fault_clock-back() { set_clock -3600; }
