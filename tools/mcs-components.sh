# shellcheck shell=bash
# The components of an instance: what each is started with, how it is prepared, and when it answers.
# The supervisor keeps them alive: see write_table() in mcs-director.sh.

# In the order in which they start; `api` is the web server. Where that does not start the responders,
# choose_server() puts the component `pool` before it.
component_names=(postgres redis wsd worker api)
# Components of one step stop together, after those of the step before. A stopping lighttpd waits for its
# connections; the WebSockets among them end when wsd closes them.
declare -A stop_step=([events]=0 [api]=1 [wsd]=1 [worker]=1 [pool]=2 [redis]=3 [postgres]=4)
declare -A stop_signal=([postgres]=INT [redis]=TERM [wsd]=TERM [worker]=TERM [pool]=TERM [api]=INT [events]=TERM)
# What a component gets when the supervisor is killed. On INT lighttpd would wait for its connections.
declare -A death_signal=([postgres]=INT [redis]=TERM [wsd]=TERM [worker]=TERM [pool]=TERM [api]=TERM [events]=KILL)
# Seconds that a component may take to stop before it is killed.
declare -A stop_seconds=([postgres]=60 [redis]=10 [wsd]=15 [worker]=20 [pool]=15 [api]=15 [events]=1)

# Sets `command` to the words that start a component, in the folder bin/, as the service's user. Redis reads
# its configuration from its input: it takes a path with a bracket for a pattern, and starts with defaults if
# nothing matches. `events` is no component of the service: it prints what happens.
component_command() {
	case $1 in
		postgres)
			command=("$postgres_bin/postgres" -D "$MCS_VAR/postgres"
				-c "config_file=$MCS_VAR/etc/postgresql.conf") ;;
		redis) command=(bash -pc 'exec redis-server - <../etc/redis.conf') ;;
		wsd) command=("$MCS_VAR/bin/mcs-wsd") ;;
		worker) command=("$MCS_VAR/bin/mcs-worker") ;;
		pool) command=("$MCS_VAR/bin/mcs-admin" listen "${RESPONDER_LISTEN:-$run_folder/responder.sock}" ./mcs-responder) ;;
		api) server_command ;;
		events) command=("$MCS_VAR/bin/mcs-admin" events "$MCS_VAR"/log/{api,worker,wsd}.log) ;;
	esac
}

# The log of a component. The responders always log with the web server; -: with mcs itself.
log_of() { [[ $1 == events ]] && echo - || echo "$MCS_VAR/log/${1/#pool/api}.log"; }

# The socket file that a component must have; nothing where it has none, or only a TCP port.
socket_of() {
	local socket=''
	case $1 in
		postgres) socket=$run_folder/.s.PGSQL.${POSTGRES_PORT:?} ;;
		redis) socket=$run_folder/redis.sock ;;
		wsd) socket=${WSD_LISTEN:-$run_folder/wsd.sock} ;;
		pool) socket=${RESPONDER_LISTEN:-$run_folder/responder.sock} ;;
		api) [[ $MCS_SERVER != lighttpd ]] || socket=$(responder_socket) ;;
	esac
	[[ $socket != /* ]] || echo "$socket"
}

# Where lighttpd's pool of responders listens.
responder_socket() { echo "$(sed -n 's/^var.mcs_responder_socket = "\(.*\)"$/\1/p' "$MCS_VAR/etc/vars.conf")-0"; }

# Whether this configuration has the component at all.
component_wanted() {
	case $1 in
		postgres) [[ $embedded_postgres ]] ;;
		redis) [[ $embedded_redis ]] ;;
		pool) has_pool_component && component_wanted api ;;
		events) [[ ! ${quiet:-} ]] ;;
		*) [[ ,$PARTS, == *,$1,* ]] ;;
	esac
}

# --- PostgreSQL -----------------------------------------------------------------------------------

# Sets postgres_bin: the programs that fit the data, or the newest ones.
find_postgres() {
	local data=$MCS_VAR/postgres version
	if [[ -e $data/PG_VERSION ]]; then
		version=$(first_line_of postgres/PG_VERSION)
		[[ $version =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "$data/PG_VERSION does not name a version"
	else
		version=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | cut -d/ -f5 | sort -n | tail -n 1)
	fi
	postgres_bin=/usr/lib/postgresql/$version/bin
	[[ -x $postgres_bin/postgres ]] ||
		die "no PostgreSQL ${version/#\*/} in /usr/lib/postgresql${version:+, which the data in $data needs}"
}

# A data folder is complete or missing: it gets its name when initdb has finished.
prepare_postgres() {
	find_postgres
	configure_postgres >"$MCS_VAR/etc/postgresql.conf" || die "cannot write to $MCS_VAR/etc"
	configure_postgres_users
	[[ ! -e $MCS_VAR/postgres/PG_VERSION ]] || return 0
	say 'creating the database folder'
	rm -rf "$MCS_VAR/postgres.new"
	private_folder "$MCS_VAR/postgres.new"
	as_service "$postgres_bin/initdb" -D "$MCS_VAR/postgres.new" -U postgres -A trust \
		--encoding=UTF8 --no-locale >"$MCS_VAR/etc/initdb.out" 2>&1 ||
		die "initdb failed: $(grep -m 1 -i -E 'error|fatal' "$MCS_VAR/etc/initdb.out")"
	rm -rf "$MCS_VAR/postgres"
	mv "$MCS_VAR/postgres.new" "$MCS_VAR/postgres" || exit
}

# The socket's folder lets in nobody but the instance's own user (and root), who is trusted to be the
# role, and in its database only. The superuser is for the user that runs mcs: under root, a program of
# the service cannot have PostgreSQL run commands.
configure_postgres_users() {
	local etc=$MCS_VAR/etc superuser='peer map=mcs' role=${POSTGRES_USER//\"/\"\"} db=${POSTGRES_DB//\"/\"\"}
	[[ $POSTGRES_USER != postgres ]] || superuser=trust # who names it has it
	printf '%s\n' "local all postgres $superuser" "local \"$db\" \"$role\" trust" \
		>"$etc/pg_hba.conf" && echo "mcs \"$(id -un)\" postgres" >"$etc/pg_ident.conf" ||
		die "cannot write to $etc"
}

configure_postgres() {
	cat <<-END
		# Written at each start of ./mcs run; initdb's own findings about the machine come first.
		include '$MCS_VAR/postgres/postgresql.conf'
		listen_addresses = ''
		port = ${POSTGRES_PORT:?}
		unix_socket_directories = '"$run_folder"'
		unix_socket_permissions = 0700
		hba_file = '$MCS_VAR/etc/pg_hba.conf'
		ident_file = '$MCS_VAR/etc/pg_ident.conf'
		max_connections = $((80 + RESPONDERS))
		shared_buffers = 64MB
		max_wal_size = 512MB
		max_wal_senders = 0
		max_logical_replication_workers = 0
		wal_level = minimal
		jit = off
		timezone = 'UTC'
		log_timezone = 'UTC'
		log_line_prefix = '%m [%p] '
		log_checkpoints = off
		log_error_verbosity = terse # a refused row would be logged with the API key in it
	END
}

admin_psql() {
	"$postgres_bin/psql" -qAtX -v ON_ERROR_STOP=1 -h "$run_folder" -p "$POSTGRES_PORT" -U postgres \
		-d postgres "$@"
}

postgres_answers() {
	"$postgres_bin/pg_isready" -q -t 1 -h "$run_folder" -p "$POSTGRES_PORT" -U postgres -d postgres
}

# The role without special rights and the database that it owns, where they are missing.
create_database() {
	admin_psql -v role="$POSTGRES_USER" -v db="$POSTGRES_DB" <"$here/sql/database.sql" >/dev/null
}

# --- Redis ----------------------------------------------------------------------------------------

prepare_redis() {
	configure_redis >"$MCS_VAR/etc/redis.conf" || die "cannot write to $MCS_VAR/etc"
}

configure_redis() {
	cat <<-END
		# Written at each start of ./mcs run. Nothing is saved: a worker reloads Redis from PostgreSQL.
		port 0
		unixsocket "$run_folder/redis.sock"
		unixsocketperm 700
		dir "$run_folder"
		save ""
		appendonly no
		maxmemory-policy noeviction
		daemonize no
		# A crash report contains the arguments of the last command, with API keys.
		crash-log-enabled no
	END
	local quoted=${REDIS_PASSWORD//\\/\\\\}
	quoted=${quoted//\"/\\\"}
	[[ ! $REDIS_PASSWORD ]] || printf 'requirepass "%s"\n' "$quoted"
	[[ ! $REDIS_USERNAME || $REDIS_USERNAME == default ]] ||
		printf 'user %s on ~* &* +@all "%s"\n' "$REDIS_USERNAME" "${quoted:+>}${quoted:-nopass}"
}

# Sets where to the master that the first Sentinel which answers names, as redis-cli's options.
find_redis_master() {
	local sentinels sentinel host port
	IFS=, read -ra sentinels <<<"$REDIS_SENTINELS"
	for sentinel in "${sentinels[@]}"; do
		host=${sentinel%:*} host=${host#[} host=${host%]}
		{ read -r host && read -r port; } < <(timeout 2 redis-cli -h "$host" -p "${sentinel##*:}" \
			SENTINEL get-master-addr-by-name "$REDIS_MASTER_NAME" 2>/dev/null) || continue
		where=(-h "$host" -p "$port")
		return
	done
	echo "no Sentinel names a master $REDIS_MASTER_NAME"
	return 1
}

# Sets where to the first address of a host that accepts a connection. redis-cli itself would wait for a silent
# one, and try IPv6 only where there is no IPv4.
find_redis_address() {
	local host=$1 port=$2 address
	while read -r address; do
		timeout 2 redis-cli -h "$address" -p "$port" PING >/dev/null 2>&1 || continue
		where=(-h "$address" -p "$port")
		return
	done < <(timeout 5 getent ahosts "$host" | awk '$2 == "STREAM" { print $1 }')
	echo "no address of $host, port $port, answers"
	return 1
}

run_redis_cli() {
	local where=(-h "$REDIS_HOST" -p "$REDIS_PORT") socket=$REDIS_HOST
	[[ ! $REDIS_SENTINELS ]] || { find_redis_master && socket=''; } || return
	[[ ! $embedded_redis ]] || socket=$run_folder/redis.sock
	if [[ $socket == /* ]]; then
		where=(-s "$socket")
	else
		find_redis_address "${where[1]}" "${where[3]}" || return
	fi
	[[ ! $REDIS_USERNAME$REDIS_PASSWORD ]] || export REDISCLI_AUTH=$REDIS_PASSWORD
	[[ ! $REDIS_USERNAME ]] || where+=(--user "$REDIS_USERNAME")
	redis-cli "${where[@]}" "$@"
}

redis_answers() { [[ $(run_redis_cli PING 2>/dev/null) == PONG ]]; }

# --- our programs and the web server --------------------------------------------------------------

# Programs run from a copy in bin/, which a build does not change and their user can read. All new ones must
# start before the first replaces its predecessor; otherwise this says why and the old ones stay. (--version
# fails when a library is missing.)
own_programs=(responder wsd worker admin)

prepare_programs() {
	local program new why
	for program in "${own_programs[@]}"; do
		new=$MCS_VAR/bin/.new-$program
		why=$({ cp "$programs/mcs-$program" "$new" && chmod 755 "$new"; } 2>&1) &&
			why=$(as_service "$new" --version 2>&1 >/dev/null) && continue
		rm -f "$MCS_VAR/bin"/.new-*
		why=${why:-it does not start}
		die "cannot use $programs/mcs-$program: ${why#cp: }"
	done
	for program in "${own_programs[@]}"; do
		mv -f "$MCS_VAR/bin/.new-$program" "$MCS_VAR/bin/mcs-$program" || die "cannot write to $MCS_VAR/bin"
	done
}

# The configuration of the clone, with the variables of this start. In bin-path a blank would end the program's
# name, so lighttpd gets a relative one: it starts in bin/. It listens on the socket that it is given.
prepare_lighttpd() {
	local etc=$MCS_VAR/etc
	copy_lighttpd_folder && print_own_vars >"$etc/vars.conf" &&
		sed 's|^include_shell .*|include "vars.conf"|' "$here/lighttpd.conf" >"$etc/lighttpd.conf" ||
		die "cannot write to $etc"
}

print_own_vars() {
	print_vars /dev/stdin ./mcs-responder "$MCS_VAR/etc/deploy/lighttpd" deploy/lighttpd && print_listeners /dev/stdin
}

copy_lighttpd_folder() {
	local folder=$MCS_VAR/etc/deploy
	mkdir -p "$folder" && rm -rf "$folder/lighttpd" && cp -r "$here/deploy/lighttpd" "$folder/" &&
		chmod -R u=rwX,go=rX "$folder"
}

# Whether a worker has loaded the open calls into Redis.
live_is_ready() { as_service "$MCS_VAR/bin/mcs-admin" ready >"$MCS_VAR/etc/ready.out" 2>&1; }

# The status of GET /ready, 000 when nothing answers.
ready_status() {
	curl -q -s -o /dev/null -w '%{http_code}' --noproxy '*' --max-time 3 "$probe_url/ready"
}
