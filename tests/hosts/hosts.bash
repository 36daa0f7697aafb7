# shellcheck shell=bash
# Hosts for ./mcs test hosts: network namespaces on one bridge, which belong to this process and its
# namespace of processes, so that they end with it. Loaded after helpers.bash and service.bash.
#
#   make_host NAME NUMBER         a host with the address 10.77.0.NUMBER; address_of NAME prints that
#   on HOST COMMAND…              runs it there, in this shell's place: for background jobs, ( … ) and "$( … )"
#   unplug HOST, plug HOST        takes its link down, and up again
#   kill_host HOST                kills all that runs there
#   end_hosts                     removes all hosts; what they had is in folders named HOST.old…
#   start_postgres HOST, follow_postgres HOST PRIMARY, start_redis HOST [OPTION…], start_sentinel HOST
#   start_host HOST [VAR=value…]  ./mcs run there; await_host HOST
#   start_balancer                haproxy here, in front of web1, web2, web3
#   use_servers POSTGRES REDIS    the hosts that sql, live and account are about from here on

hosts_folder=$MCS_TEST_DIR/release
declare -gA host_number=() host_pid=()

# --- the network ----------------------------------------------------------------------------------

# This process's own namespace is the switch, and where the clients and the balancer are.
make_network() {
	ip link set lo up && ip link add bridge type bridge && ip address add 10.77.0.1/24 dev bridge &&
		ip link set bridge up
}

make_host() {
	unshare --net setpriv --pdeathsig KILL sleep infinity &
	host_pid[$1]=$! host_number[$1]=$2
	disown
	wait_until 60 is_elsewhere "$!" &&
		ip link add "to-$1" type veth peer name eth0 netns "$!" && ip link set "to-$1" master bridge up &&
		(on "$1" ip link set lo up) && (on "$1" ip address add "10.77.0.$2/24" dev eth0) &&
		(on "$1" ip link set eth0 up) && mkdir -m 711 "$hosts_folder/$1"
}

is_elsewhere() { [[ $(readlink "/proc/$1/ns/net") != "$(readlink /proc/self/ns/net)" ]]; }

address_of() { echo "10.77.0.${host_number[$1]}"; }

on() {
	local host=$1
	shift
	exec nsenter --net="/proc/${host_pid[$host]}/ns/net" -- "$@"
}

unplug() { ip link set "to-$1" down; }
plug() { ip link set "to-$1" up; }

# All processes there, but for the one that holds the namespace.
host_processes() {
	local file network
	network=$(readlink "/proc/${host_pid[$1]}/ns/net")
	for file in /proc/[0-9]*; do
		[[ ${file#/proc/} == "${host_pid[$1]}" || $(readlink "$file/ns/net") != "$network" ]] || echo "${file#/proc/}"
	done 2>/dev/null
}

kill_host() {
	local pids
	mapfile -t pids < <(host_processes "$1")
	kill -s KILL "${pids[@]}" 2>/dev/null
	mark_load # at once: they may all be gone before the first look at the last of them
	wait_until 60 are_gone_or_mark "${pids[@]}"
	mark_load
}

end_hosts() {
	local host
	for host in "${!host_pid[@]}"; do
		kill_host "$host"
		kill -s KILL "${host_pid[$host]}"
		unset "host_pid[$host]"
		ip link delete "to-$host" 2>/dev/null # the namespace may wait a minute for the last of its sockets
		mv "$hosts_folder/$host" "$hosts_folder/$host.old$RANDOM"
	done
}

# Lets the load's log know that what is in some host's hands now may fail.
mark_load() { [[ ! ${load_pid:-} ]] || kill -s USR1 "$load_pid" 2>/dev/null; }

# Until the last of them is dead, they may take more into their hands.
are_gone_or_mark() { are_gone "$@" || { mark_load; return 1; }; }

# --- servers --------------------------------------------------------------------------------------

# Starts a server there as the user mcs: its log is HOST/NAME.log, its process server_pid[HOST NAME].
declare -gA server_pid=()
start_server() {
	local host=$1 name=$2
	shift 2
	(cd / && on "$host" env HOME=/nonexistent setsid setpriv --reuid=mcs --regid=mcs --init-groups \
		--pdeathsig KILL -- "$@") >>"$hosts_folder/$host/$name.log" 2>&1 </dev/null &
	server_pid[$host $name]=$!
	disown # bash would tell that it was killed
}

folder_for() { mkdir -p "$hosts_folder/$1/$2" && chown -R mcs:mcs "$hosts_folder/$1/$2" && chmod 700 "$hosts_folder/$1/$2"; }

as_mcs() { (cd / && exec env HOME=/nonexistent setpriv --reuid=mcs --regid=mcs --init-groups -- "$@"); }

# Everybody on the hosts' network is trusted.
start_postgres() {
	local folder=$hosts_folder/$1
	if [[ ! -e $folder/postgres/PG_VERSION ]]; then
		folder_for "$1" postgres
		as_mcs "$postgres_bin/initdb" -D "$folder/postgres" -U postgres -A trust --encoding=UTF8 --no-locale \
			>"$folder/initdb.out" 2>&1 || return
		echo 'host all,replication all 10.77.0.0/24 trust' >>"$folder/postgres/pg_hba.conf"
		run_postgres "$1" && server_sql "$1" 'CREATE ROLE mcs LOGIN' &&
			server_sql "$1" 'CREATE DATABASE mock_communications OWNER mcs'
		return
	fi
	run_postgres "$1"
}

run_postgres() {
	folder_for "$1" run
	start_server "$1" postgres "$postgres_bin/postgres" -D "$hosts_folder/$1/postgres" -c "cluster_name=$1" \
		-c "listen_addresses=$(address_of "$1")" -c "unix_socket_directories=$hosts_folder/$1/run" \
		-c shared_buffers=32MB -c log_error_verbosity=terse
	wait_until 30 "$postgres_bin/pg_isready" -q -h "$hosts_folder/$1/run"
}

# Makes a host the synchronous standby of another, whatever it was before.
follow_postgres() {
	local folder=$hosts_folder/$1
	rm -rf "$folder/postgres" && folder_for "$1" postgres &&
		(cd / && on "$1" setpriv --reuid=mcs --regid=mcs --init-groups "$postgres_bin/pg_basebackup" \
			-D "$folder/postgres" -d "host=$(address_of "$2") user=postgres" -R -X stream -c fast) &&
		sed -i '/synchronous_standby_names/d' "$folder/postgres/postgresql.auto.conf" && run_postgres "$1" &&
		server_sql "$2" "ALTER SYSTEM SET synchronous_standby_names = '$1'" &&
		server_sql "$2" 'SELECT pg_reload_conf()' >/dev/null && wait_until 20 is_synchronous "$2"
}

is_synchronous() { [[ $(server_sql "$1" 'SELECT sync_state FROM pg_stat_replication') == sync ]]; }

server_sql() {
	"$psql_client" -qAtX -v ON_ERROR_STOP=1 -h "$hosts_folder/$1/run" -U postgres -d "${3:-postgres}" -c "$2"
}

start_redis() {
	local host=$1
	shift
	folder_for "$host" run
	start_server "$host" redis redis-server --bind "$(address_of "$host")" --port 6379 --protected-mode no --save '' \
		--dir "$hosts_folder/$host/run" --unixsocket "$hosts_folder/$host/run/redis.sock" "$@"
	wait_until 60 redis_pongs "$host"
}

redis_pongs() { [[ $(redis-cli -s "$hosts_folder/$1/run/redis.sock" PING 2>&1) == PONG ]]; }

# $2: the host of the master that it is to watch.
start_sentinel() {
	folder_for "$1" sentinel
	printf '%s\n' "port 26379" 'protected-mode no' "dir $hosts_folder/$1/sentinel" \
		"sentinel monitor mymaster $(address_of "$2") 6379 2" 'sentinel down-after-milliseconds mymaster 1000' \
		'sentinel failover-timeout mymaster 5000' 'sentinel parallel-syncs mymaster 2' >"$hosts_folder/$1/sentinel/sentinel.conf"
	chown mcs:mcs "$hosts_folder/$1/sentinel/sentinel.conf"
	start_server "$1" sentinel redis-server "$hosts_folder/$1/sentinel/sentinel.conf" --sentinel
}

use_servers() { POSTGRES_AT=(-h "$hosts_folder/$1/run") REDIS_AT=(-s "$hosts_folder/$2/run/redis.sock"); }

# --- hosts of the service -------------------------------------------------------------------------

start_host() {
	local host=$1
	shift
	: >"$hosts_folder/$host.out"
	(on "$host" setpriv --pdeathsig TERM -- env -i --default-signal PATH="$PATH" HOME="${HOME:-/}" LANG=C.UTF-8 \
		MCS_BUILD=release MCS_ENV_FILE=/dev/null MCS_VAR="$hosts_folder/$host/var" BIND=0.0.0.0 PORT=3000 \
		VALID_API_KEYS="$(all_keys)" "$@" "$MCS_ROOT/mcs" run) </dev/null >"$hosts_folder/$host.out" 2>&1 &
	server_pid[$host mcs]=$!
	disown
}

await_host() {
	wait_until 60 instance_is_up_or_gone "$hosts_folder/$1.out" "${server_pid[$1 mcs]}"
	grep -q '^mcs: ready' "$hosts_folder/$1.out" && return
	echo "the host $1 did not start:" >&2
	cat "$hosts_folder/$1.out" >&2
	return 1
}

# REST and WebSockets apart: a host that is down loses its WebSockets at once, so that they come back
# elsewhere; a request in its hands is answered with 504. /health and not /ready: that is about the
# databases, which all hosts share, and subscribers can stay when those are down.
start_balancer() {
	local host name down file=$hosts_folder/balancer
	{
		printf '%s\n' global 'maxconn 4000' defaults 'mode http' 'timeout connect 500ms' 'timeout client 60s' \
			'timeout server 4s' 'timeout tunnel 1h' 'timeout check 1500ms' 'retries 3' 'option redispatch 1' \
			'option httpclose' 'http-reuse never' 'option httpchk GET /health' \
			'default-server check inter 500ms fastinter 200ms fall 2 rise 1' \
			'frontend all' "bind 127.0.0.1:$PORT" 'use_backend ws if { path /ws }' 'default_backend api'
		for name in api ws; do
			[[ $name == ws ]] && down=' on-marked-down shutdown-sessions' || down=''
			echo "backend $name"
			for host in web1 web2 web3; do
				echo "server $host $(address_of "$host"):3000$down"
			done
		done
	} >"$file.cfg"
	[[ ! ${balancer_pid:-} ]] || { kill -s KILL "$balancer_pid" && await_gone 5 "$balancer_pid"; }
	setpriv --pdeathsig KILL -- /usr/sbin/haproxy -db -f "$file.cfg" >"$file.log" 2>&1 </dev/null &
	balancer_pid=$!
	disown
}
