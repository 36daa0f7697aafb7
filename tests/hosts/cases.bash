# shellcheck shell=bash
# What may happen to several hosts, a function each: hosts_NAME runs, mostly while the load of
# tests/harness/load/traffic.c goes through the balancer, and fails when it did not take place, or showed something wrong.
#
# host_cases: name, set of hosts, seconds of load (0: none), what account (tests/faults/account.bash) is to
# know, what happens. In all of them web3's clock is 7 minutes ahead and worker2's is 10 minutes behind.
host_cases=(
	'limits|plain|0||bursts of one key at three hosts at once'
	'subscribers|plain|0||calls created at each host, watched at each other'
	'clocks|plain|6||nothing (but two hosts'\'' clocks are minutes off, as in all of these)'
	'join-and-leave|plain|16|also=0,500,502,503 in_hand=6|a web host and a worker host leave, and join again'
	'hosts-unplugged|plain|14|also=0,502,504 in_hand=60 late=15000|a web host and a worker host vanish from the network'
	'hosts-killed|plain|12|also=0,502,503,504 in_hand=60 late=15000|all processes of a web host and a worker host killed'
	'redis-master-killed|failover|14|late=10000|Redis: the master killed; it comes back as a replica'
	'redis-master-unplugged|failover|18|late=12000|Redis: the master'\''s host, with its Sentinel, vanishes and comes back'
	'redis-master-cut-off|failover|16|late=10000|Redis: the master cut off from all but web1'
	'postgres-standby-killed|failover|12|late=15000|PostgreSQL: the standby killed, and removed after 3 s'
	'postgres-primary-killed|failover|14|late=12000|PostgreSQL: the primary killed, its standby promoted after a second'
	'postgres-primary-read-only|failover|14|late=15000|PostgreSQL: the primary made read-only, its standby promoted'
	'postgres-primary-unplugged|failover|16|late=14000|PostgreSQL: the primary'\''s host vanishes, its standby promoted after a second'
)

# --- sets of hosts --------------------------------------------------------------------------------

# Everything in it takes the time from a clock that is so many seconds off.
clock_of() {
	local folder=$hosts_folder/clock
	mkdir -p "$folder" && chmod 755 "$folder" && cp "$MCS_ROOT/build/release/tests/clock.so" "$folder/" && echo "$1" >"$folder/$1" &&
		chmod 644 "$folder/$1" && echo "LD_PRELOAD=$folder/clock.so" "CLOCK_FILE=$folder/$1"
}

declare -gA host_settings=()
start_member() {
	# shellcheck disable=SC2086
	start_host "$1" "${load_settings[@]}" "${where_servers_are[@]}" ${host_settings[$1]}
}

# Workers first: a web host is ready when they have loaded the live state.
start_members() {
	local host
	for host in worker1 worker2; do host_settings[$host]='PARTS=worker'; done
	for host in web1 web2 web3; do host_settings[$host]='PARTS=wsd,api'; done
	host_settings[web3]+=" $(clock_of 420)" host_settings[worker2]+=" $(clock_of -600)"
	for host in worker1 worker2 web1 web2 web3; do start_member "$host"; done
	for host in worker1 worker2 web1 web2 web3; do await_host "$host" || return; done
}

make_members() {
	make_host worker1 51 && make_host worker2 52 && make_host web1 41 && make_host web2 42 && make_host web3 43
}

plain_set() {
	make_host db0 20 && make_host redis0 30 && start_postgres db0 && start_redis redis0 && use_servers db0 redis0 || return
	where_servers_are=(POSTGRES_HOST="$(address_of db0)" REDIS_HOST="$(address_of redis0)")
	start_members
}

failover_set() {
	local host
	local -a replica=(--min-replicas-to-write 1 --min-replicas-max-lag 2 --repl-diskless-sync-delay 0)
	for host in 1 2 3; do make_host "redis$host" "3$host" || return; done
	make_host db1 21 && make_host db2 22 && start_postgres db1 && follow_postgres db2 db1 &&
		start_redis redis1 "${replica[@]}" || return
	for host in redis2 redis3; do start_redis "$host" "${replica[@]}" --replicaof "$(address_of redis1)" 6379 || return; done
	for host in redis1 redis2 redis3; do start_sentinel "$host" redis1; done
	wait_until 40 sentinels_agree || return
	primary=db1 standby=db2 redis_options=("${replica[@]}")
	use_servers db1 redis1
	where_servers_are=(POSTGRES_HOST="$(address_of db1),$(address_of db2)"
		REDIS_SENTINELS="$(address_of redis1):26379,$(address_of redis2):26379,$(address_of redis3):26379")
	start_members
}

# --- the service's hosts --------------------------------------------------------------------------

# A round tells only when it was over within the second that the limit is about.
hosts_limits() {
	local round told=0 begin took BASE='http://10.77.0.4[1-3]:3000'
	for round in 1 2 3 4 5; do
		fresh_key
		begin=${EPOCHREALTIME//[.,]/}
		burst 40 2>/dev/null
		took=$(((${EPOCHREALTIME//[.,]/} - begin) / 1000))
		echo "round $round: $statuses in $took ms"
		((took < 950)) || continue
		told=$((told + 1))
		same "$statuses" '201:12 429:108' || return
	done
	((told >= 2)) || { echo 'all rounds were too slow to tell' && return 1; }
}

# The numbers of the events that wscat printed.
seqs_of() { sed -n 's/.*"seq":\([0-9]*\).*/\1/p' | paste -sd ,; }

# wsd looks again by itself only every 30 s: within 10 s it has been told.
hosts_subscribers() {
	local created watched BASE file pids=() number
	for created in web1 web2 web3; do
		BASE=http://$(address_of "$created"):3000
		fresh_key
		for watched in web1 web2 web3; do
			create_call || return
			"$WSCAT" --timeout 20 "ws://$(address_of "$watched"):3000/ws?call_id=$call_id&after=0" \
				>"$hosts_folder/watch.$created.$watched" 2>&1 &
			pids+=($!)
		done
	done
	for number in "${pids[@]}"; do wait "$number"; done
	for file in "$hosts_folder"/watch.*; do
		same "$(seqs_of <"$file")" 1,2,3,4,5 || return
	done
	echo "${#pids[@]} calls"
}

hosts_clocks() {
	sleep 1
	local off
	off=$((EPOCHSECONDS - $(date -d "$(tail -n 1 "$hosts_folder/web3/var/log/api.log" | cut -d ' ' -f 1)" +%s)))
	echo "web3's clock is $off s behind ours"
	((off < -400)) || return
}

leave() {
	kill -s TERM "${server_pid[$1 mcs]}" && wait_until 30 process_is_gone "${server_pid[$1 mcs]}"
}

hosts_join-and-leave() {
	mark_load
	leave web3 && leave worker2 || return
	sleep 2
	start_member worker2
	start_member web3
	await_host worker2 && await_host web3
}

# Until the balancer has noticed, a second or so, the host gets more into its hands.
hosts_hosts-unplugged() {
	local i
	unplug web2
	unplug worker1
	for ((i = 0; i < 20; i++)); do
		mark_load
		sleep 0.1
	done
	sleep 5
	plug web2
	plug worker1
}

hosts_hosts-killed() {
	kill_host web2 && kill_host worker1 || return
	sleep 3
	start_member worker1
	start_member web2
	await_host worker1 && await_host web2
}

# --- Redis ----------------------------------------------------------------------------------------

ask_sentinel() { timeout 2 redis-cli -h "$(address_of "$1")" -p 26379 "${@:2}" 2>/dev/null; }

# All three name the same master, and it has two replicas: any of the three hosts may fail. Sentinel lets
# a master that was replaced alone for 8 s before it makes it a replica.
sentinels_agree() {
	local host now
	now=$(master)
	for host in redis1 redis2 redis3; do
		[[ $(ask_sentinel "$host" SENTINEL CKQUORUM mymaster) == 'OK 3 usable'* ]] &&
			[[ $(ask_sentinel "$host" SENTINEL get-master-addr-by-name mymaster) == "$(address_of "$now")"* ]] || return
	done
	[[ $(redis-cli -s "$hosts_folder/$now/run/redis.sock" INFO replication | grep -c 'state=online') == 2 ]]
}

# Prints the host that the first of them names which is not $1.
master() {
	local host address
	for host in redis1 redis2 redis3; do
		[[ $host != "${1:-}" ]] || continue
		address=$(ask_sentinel "$host" SENTINEL get-master-addr-by-name mymaster | head -n 1)
		echo "redis${address##*.3}"
		return
	done
}

is_another_master() {
	new_master=$(master "$1")
	[[ $new_master == redis[123] && $new_master != "$1" ]] && [[ $(redis-cli -s "$hosts_folder/$new_master/run/redis.sock" ROLE 2>/dev/null) == master* ]]
}

# Waits for another master than $1, and for calls to be created again through it.
await_failover() {
	local begin=${EPOCHREALTIME//[.,]/}
	wait_until 60 is_another_master "$1" || return
	use_servers "$primary" "$new_master"
	wait_until 60 is_ready || return
	echo "$new_master in place of $1, ready after $(((${EPOCHREALTIME//[.,]/} - begin) / 1000)) ms"
}

hosts_redis-master-killed() {
	local old
	old=$(master)
	kill -s KILL "${server_pid[$old redis]}"
	await_failover "$old" || return
	sleep 1
	start_redis "$old" "${redis_options[@]}" && wait_until 40 sentinels_agree
}

hosts_redis-master-unplugged() {
	local old
	old=$(master)
	unplug "$old"
	await_failover "$old" || { plug "$old"; return 1; }
	sleep 1
	plug "$old"
	wait_until 40 sentinels_agree
}

# Its own words do not arrive anywhere else: it goes on being a master for web1, until it knows that it
# has lost its replicas. Then web1 has to find the other one, and does so while the old one still answers.
hosts_redis-master-cut-off() {
	local old host status=0
	old=$(master)
	for host in redis1 redis2 redis3 web2 web3 worker1 worker2; do
		[[ $host == "$old" ]] || (on "$old" ip route add blackhole "$(address_of "$host")/32")
	done
	(on "$old" ip route add blackhole 10.77.0.1/32)
	await_failover "$old" && BASE=http://$(address_of web1):3000 wait_until 60 creates_here && follows_at_web1 || status=1
	[[ $(redis-cli -s "$hosts_folder/$old/run/redis.sock" ROLE) == master* ]] || status=1
	(on "$old" ip route flush type blackhole)
	wait_until 40 sentinels_agree && return "$status"
}

# A call created elsewhere, watched at web1: sooner than wsd's look at PostgreSQL every 30 s would show it.
follows_at_web1() {
	BASE=http://$(address_of web2):3000 wait_until 60 creates_here || return
	call_id=$(json .call_id)
	same "$("$WSCAT" --timeout 20 "ws://$(address_of web1):3000/ws?call_id=$call_id&after=0" | seqs_of)" 1,2,3,4,5
}

# With another key each time: the load's are busy.
creates_here() {
	fresh_key && post /calls '{"from": "+1", "to": "+2"}' && [[ $status_code == 201 ]]
}

# --- PostgreSQL -----------------------------------------------------------------------------------

promote() {
	local begin=${EPOCHREALTIME//[.,]/} old=$primary
	server_sql "$standby" 'SELECT pg_promote()' >/dev/null || return
	primary=$standby standby=$old
	use_servers "$primary" "$(master)"
	wait_until 60 creates_through_all || return
	echo "calls are created at all hosts $(((${EPOCHREALTIME//[.,]/} - begin) / 1000)) ms after the promotion began"
}

creates_through_all() {
	local host
	for host in web1 web2 web3; do
		BASE=http://$(address_of "$host"):3000 creates_here || return
	done
} 2>/dev/null

uses_of() { server_sql "$1" "SELECT count(*) FROM pg_stat_activity WHERE usename = 'mcs'"; }
is_unused() { [[ $(uses_of "$1") == 0 ]]; }

# What was the primary becomes the standby, for the next case.
follow_again() {
	local host=$1
	kill -s KILL "${server_pid[$host postgres]}" 2>/dev/null
	await_gone 10 "${server_pid[$host postgres]}" && wait_until 60 has_no_postgres "$host" && wait_until 60 reaches "$host" "$primary" && follow_postgres "$host" "$primary"
}

reaches() { (on "$1" "$postgres_bin/pg_isready" -q -h "$(address_of "$2")"); }
has_no_postgres() { [[ ! $(host_processes "$1") ]]; }

# Nothing is answered 201 that only the primary has.
hosts_postgres-standby-killed() {
	kill_host "$standby"
	sleep 3
	local waiting
	waiting=$(server_sql "$primary" "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	echo "$waiting connections wait for the standby"
	((waiting > 0)) || return
	server_sql "$primary" "ALTER SYSTEM SET synchronous_standby_names = ''" &&
		server_sql "$primary" 'SELECT pg_reload_conf()' >/dev/null && wait_until 60 creates_through_all || return
	sleep 1
	follow_again "$standby"
}

hosts_postgres-primary-killed() {
	kill_host "$primary"
	sleep 1
	promote || return
	sleep 1
	follow_again "$standby"
}

# Its connections stay open, and are of no use any more; new connections find it first in the list.
hosts_postgres-primary-read-only() {
	server_sql "$primary" 'ALTER SYSTEM SET default_transaction_read_only = on' &&
		server_sql "$primary" 'SELECT pg_reload_conf()' >/dev/null || return
	sleep 0.5
	promote || return
	kill -s KILL "$(awk '$1 == "worker" { print $2 }' "$hosts_folder/worker1/var/components")"
	sleep 2
	logged_by worker1 worker 'worker.start' && [[ $(uses_by_writers "$standby") == 0 ]] && follow_again "$standby"
}

# wsd only reads: its connection stays where it is as long as it works.
uses_by_writers() {
	server_sql "$1" "SELECT count(*) FROM pg_stat_activity WHERE usename = 'mcs' AND application_name <> 'mcs-wsd'"
}

logged_by() { grep -q "$3" "$hosts_folder/$1/var/log/$2.log"; }

hosts_postgres-primary-unplugged() {
	unplug "$primary"
	sleep 1
	promote
	local status=$?
	sleep 1
	kill_host "$standby" # before it is back among the others
	plug "$standby"
	((status == 0)) && follow_again "$standby"
}
