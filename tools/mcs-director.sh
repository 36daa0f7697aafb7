# shellcheck shell=bash
# The director of an instance, a child of mcs-supervisor: takes the folder, prepares the components, has the
# supervisor start them in order, and then waits for ./mcs restart. supervisor/control.h says what it can ask.

declare -A log_start=()

# Does not return. When the instance ends, the supervisor closes the connection, and the next request ends this
# process.
direct_instance() {
	local took
	trap '' PIPE
	load_config
	choose_user
	take_folder
	[[ ! $detach ]] || log_to_file
	start_everything
	took=$((${EPOCHREALTIME//[.,]/} - ${began//[.,]/}))
	printf 'mcs: ready after %d.%d s%s\n\n' $((took / 1000000)) $((took / 100000 % 10)) \
		"$([[ $detach ]] || echo '; Ctrl-C stops it')"
	banner
	: >"$MCS_VAR/ready"
	[[ $quiet ]] || order start events
	while ask ready && [[ $reply == restart ]]; do rolling_restart; done
	exit
}

# --- the supervisor -------------------------------------------------------------------------------

# Sends a request and sets `reply`.
ask() { printf '%s\n' "$*" >&3 && read -r reply <&3 || exit; } 2>/dev/null

# Sends a request that must not fail.
order() {
	ask "$@"
	[[ $reply == ok ]] || die "cannot $*: ${reply#failed }"
}

is_running() { ask state "$1" && [[ $reply == @(running|replacing)* ]]; }

# Prints the process of a component that runs.
pid_of() { is_running "$1" && echo "${reply#* }"; }

take_lock() {
	ask take
	[[ $reply != busy ]] || die_running
	[[ $reply == ok ]] || die "cannot write to $MCS_VAR"
}

# Tells the supervisor what the components are: see supervisor/table.h. Processes that run are not touched.
write_table() {
	local name command socket table=$MCS_VAR/etc/components
	for name in "${component_names[@]}" events; do
		component_wanted "$name" || continue
		component_command "$name"
		socket=$(socket_of "$name")
		table_line "$name" "${stop_step[$name]}" "${stop_signal[$name]}" "${stop_seconds[$name]}" \
			"${death_signal[$name]}" "$(log_of "$name")" "${socket:--}" \
			"$([[ $name == api ]] && holds_socket && echo sockets || echo -)" "${command[@]}"
	done >"$table.new" && mv -f "$table.new" "$table" || return
	ask table
	[[ $reply == ok ]]
}

table_line() { local IFS=$'\t' && echo "$*"; }

# --- starting -------------------------------------------------------------------------------------

start_everything() {
	prepare_programs
	[[ ! $embedded_postgres ]] || prepare_postgres
	[[ ! $embedded_redis ]] || prepare_redis
	! component_wanted api || prepare_server
	write_table || die "cannot write $MCS_VAR/etc/components"
	[[ $embedded_redis ]] || check_redis
	[[ ! $embedded_postgres ]] || end_leftover_postgres
	local started=()
	start_wanted postgres redis
	[[ ! $embedded_postgres ]] || await_component postgres postgres_answers
	[[ ! $embedded_redis ]] || await_component redis redis_answers
	[[ ! $embedded_postgres ]] || create_database || die 'cannot create the database'
	as_service "$MCS_VAR/bin/mcs-admin" migrate >"$MCS_VAR/etc/migrate.out" 2>&1 ||
		die "$(sed -n 's/^mcs[^:]*: //p' "$MCS_VAR/etc/migrate.out" | tail -n 1)"
	# The worker loads the open calls before the web server starts, so its first clients can create calls.
	started=()
	start_wanted wsd worker
	! component_wanted worker || await_component worker live_is_ready "${started[@]}"
	start_wanted pool api
	! component_wanted api || await_component api is_ready "${started[@]}"
}

# Starts the wanted ones of these components, and adds them to `started`.
start_wanted() {
	local name
	for name; do
		component_wanted "$name" || continue
		log_start[$name]=$(stat -c %s "$(log_of "$name")" 2>/dev/null || echo 0)
		order start "$name"
		started+=("$name")
	done
}

is_ready() { [[ $(ready_status) == 200 ]]; }

# A Redis that is not ours is checked first, so that the message names the settings.
check_redis() {
	local said
	said=$(run_redis_cli PING 2>&1)
	[[ $said == PONG ]] ||
		die "cannot use Redis (REDIS_HOST=$REDIS_HOST, REDIS_PORT=$REDIS_PORT, REDIS_SENTINELS=$REDIS_SENTINELS, REDIS_USERNAME=$REDIS_USERNAME, REDIS_PASSWORD): ${said%%$'\n'*}"
}

# After a SIGKILL of the supervisor, PostgreSQL may still be writing its last checkpoint.
end_leftover_postgres() {
	local leftover deadline=$((SECONDS + 60))
	leftover=$(first_line_of postgres/postmaster.pid)
	[[ $leftover == +([0-9]) ]] || return 0
	while [[ $(readlink "/proc/$leftover/cwd") == "$MCS_VAR/postgres" ]]; do
		((SECONDS < deadline)) || die "process $leftover still uses $MCS_VAR/postgres"
		as_service bash -pc "kill -s INT $leftover" 2>/dev/null
		sleep 0.2
	done
}

# Waits until a component answers ($2: the probe); fails when it or another one named is not running.
await_component() {
	local name=$1 probe=$2 component deadline=$((SECONDS + 30))
	until "$probe"; do
		for component in "$name" "${@:3}"; do
			is_running "$component" || die_with_log "$component" "$component did not start"
		done
		((SECONDS < deadline)) || die_with_log "$name" "$name did not become ready within 30 s$(why_not_ready "$name")"
		sleep 0.05
	done
}

# Prints the reason that /ready gives.
why_not_ready() {
	[[ $1 == api ]] || return
	curl -q -s --noproxy '*' --max-time 3 "$probe_url/ready" |
		sed -n 's/.*"message":"\([^"]*\)".*/ (\1)/p'
}

# Shows what the component has logged since it was started.
die_with_log() {
	local log
	log=$(log_of "$1")
	say "$2; the end of $log:"
	tail -c "+$((${log_start[$1]:-0} + 1))" "$log" | tail -n 6 | sed 's/^/    /' >&2
	exit 1
}
