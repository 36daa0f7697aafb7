# shellcheck shell=bash
# ./mcs run: takes a folder for the instance, starts the components in order, keeps them alive, stops them.
#
# Each component is a child in a session of its own (so that Ctrl-C reaches only mcs) which the kernel
# tells when mcs dies. What the components are stands in mcs-components.sh.

declare -A pid=() started=() failures=() log_start=()
service_user=mcs
# The words that make a command run as service_user, without a way back.
as_user=(setpriv --no-new-privs)
lock_fd='' folder_fd='' quiet_fd='' web_fd='' stop_wanted=''

# Twice: the second time with the web server's socket as standard input. It is ours, and not the web
# server's, so that who comes while that is started again waits and is not refused.
cmd_run() {
	take_run_options "$@"
	choose_server
	local begin=${MCS_RUN_BEGAN:-$EPOCHREALTIME}
	if [[ ! ${MCS_RUN_BEGAN:-} ]]; then
		need_packages "${program_packages[@]}" "$server_package"
		build_programs "$mode" all
		check_odd_settings
		find_folders
		MCS_VAR=var resolve_config # a wrong setting is told before a folder is looked for
		choose_user
		settle_var var_can_be_entered "the user $service_user, which all services run as, cannot enter"
		load_config
		[[ ! $config_warnings ]] || say "${config_warnings//$'\n'/$'\n'mcs: }"
		! instance_runs || die_running
		! removed_instance >/dev/null || die_not_running
		export MCS_RUN_BEGAN=$begin
		[[ ! $detach ]] || start_detached "${instance_options[@]}"
		become_instance "$here/mcs" run "${instance_options[@]}"
	fi
	unset MCS_RUN_BEGAN
	trap '' USR1 # ./mcs restart may ask before we can
	exec {web_fd}<&0 </dev/null
	load_config
	choose_user
	take_folder
	[[ ! $detach ]] || log_to_file
	trap finish EXIT
	# Only noted here, and looked at between two steps: bash 5.2 crashes when a trap ends it inside
	# of a `read` and then reads again on its way out.
	trap 'stop_wanted=yes' INT TERM HUP
	trap 'restart_wanted=yes' USR1
	trap '' PIPE
	exec {quiet_fd}<> <(:)
	start_everything
	local took=$((${EPOCHREALTIME//[.,]/} - ${begin//[.,]/}))
	printf 'mcs: ready after %d.%d s%s\n\n' $((took / 1000000)) $((took / 100000 % 10)) \
		"$([[ $detach ]] || echo '; Ctrl-C stops it')"
	banner
	: >"$MCS_VAR/ready"
	[[ $quiet ]] || show_events
	supervise
}

# Prints what happens, as a child of its own that reads the logs as the service's user; under root it
# has no terminal to type into, and is our own program, which nobody may look into.
quiet='' events_pid=''
show_events() {
	local name logs=()
	for name in api worker wsd; do
		! component_wanted "$name" || logs+=("$(log_of "$name")")
	done
	(exec {quiet_fd}<&- {lock_fd}>&- {folder_fd}<&- {web_fd}<&- 4<&- setsid "${as_user[@]}" --pdeathsig=KILL -- \
		"$MCS_VAR/bin/mcs-admin" events "${logs[@]}") </dev/null &
	events_pid=$!
}

# Sets what the options say; instance_options are those that the second start is given again.
instance_options=()
take_run_options() {
	local argument
	for argument; do
		case $argument in
			--detach) detach=yes ;;
			--quiet) quiet=yes instance_options+=(--quiet) ;;
			--wait | --wait=*)
				detach=yes wait_seconds=${argument#--wait} wait_seconds=${wait_seconds#=}
				[[ ${wait_seconds:=60} =~ ^[0-9]{1,6}$ ]] || die "run: $argument must be a number of seconds"
				wait_seconds=$((10#$wait_seconds))
				;;
			--server=*) MCS_SERVER=${argument#*=} ;;
			[A-Za-z]*=*) take_setting "$argument" ;;
			*) die "run: unknown argument '$argument'; see ./mcs run --help" ;;
		esac
	done
	[[ ! $detach ]] || instance_options+=(--detach)
}

# Becomes the command that is the instance.
become_instance() {
	! component_wanted api || hold_socket "$@"
	exec "$@" </dev/null 4<&-
}

# Becomes a command with the web server's sockets as standard input and, if there are two, as descriptor
# 4; where that binds them itself, makes sure that it can.
hold_socket() {
	local where
	printf -v where "%s:$PORT," "${listen_addresses[@]}"
	where=${where%,}
	! holds_socket || exec "$programs/mcs-admin" listen "$where" "$@"
	"$programs/mcs-admin" listen "$where" true || exit
	exec "$@" </dev/null 4<&-
}

# --- who runs it, and where -----------------------------------------------------------------------

# PostgreSQL refuses root, and nothing else needs root either.
choose_user() {
	if ((EUID != 0)); then
		service_user=$(id -un)
		return
	fi
	need_service_user
	# HOME: libpq looks there, and fails where it may not look.
	as_user=(env HOME=/nonexistent setpriv "--reuid=$service_user" "--regid=$service_user" --init-groups
		--no-new-privs --bounding-set=-all)
}

need_service_user() {
	! id "$service_user" >/dev/null 2>&1 || return 0
	say "creating the system user $service_user, which all services run as"
	useradd --system --user-group --no-create-home --home-dir /nonexistent \
		--shell /usr/sbin/nologin "$service_user" || die "cannot create the user $service_user"
}

# Runs a command as that user, to its end or ours; in a session of its own, for it shall not be able
# to type into our terminal.
as_service() { (cd / && exec setsid -w "${as_user[@]}" --pdeathsig=KILL -- "$@"); }

var_can_be_entered() { ((EUID != 0)) || as_service test -x "$(existing_parent "$MCS_VAR")"; }

# Prints the first line of a file below MCS_VAR that the service's user wrote and may have made
# anything of: it is read as that user, not for long, and what it says is for the caller to check.
first_line_of() { as_service timeout 5 head -n 1 "$MCS_VAR/$1" 2>/dev/null | head -c 100 | tr -d '\0'; }

existing_parent() {
	local path=$1
	while [[ ! -e $path || $path == "$MCS_VAR" ]]; do path=$(dirname "$path"); done
	echo "$path"
}

# Makes a folder that only the service's user enters.
private_folder() {
	if [[ ! -d $1 ]]; then
		mkdir -m 700 "$1" || die "cannot create $1"
	fi
	((EUID != 0)) || chown "$service_user:$service_user" "$1" || die "cannot give $1 to $service_user"
	chmod 700 "$1" || die "$1 belongs to $(stat -c %U "$1")"
}

# Makes a folder that we write and the service only reads: root trusts the names in it.
readable_folder() {
	mkdir -p "$1" || die "cannot create $1"
	if ((EUID == 0)); then
		chown "root:$service_user" "$1" && chmod 2750 "$1" || die "cannot prepare $1"
	else
		chmod 700 "$1" || die "$1 belongs to $(stat -c %U "$1")"
	fi
}

# The service writes its logs, but their folder is ours: `mv`, and `tail` for ./mcs logs, run as root
# there. The folder was the service's own once: what is in it that such programs could follow goes.
prepare_logs() {
	local log=$MCS_VAR/log name file
	readable_folder "$log"
	find "$log" -mindepth 1 \( ! -type f -o -links +1 \) -exec rm -rf {} +
	for file in "$log"/*.log; do bound_log "$file"; done
	for name in "${component_names[@]}" access; do
		file=$(log_of "$name")
		[[ -e $file ]] || (umask 077 && : >"$file") || die "cannot write to $log"
		((EUID != 0)) || chown "$service_user:$service_user" "$file" || die "cannot give $file to $service_user"
	done
}

# Takes the folder of the instance for us alone, and makes everything in it private.
take_folder() {
	local socket=$run_folder/responder.sock-0 length
	length=$(LC_ALL=C && echo ${#socket})
	((length <= 100)) || die "MCS_VAR=$MCS_VAR is too long: sockets below it would need $length characters of 100"
	mkdir -p "$(dirname "$MCS_VAR")" && umask 077 && mkdir -p "$MCS_VAR" || die "cannot create $MCS_VAR"
	[[ -O $MCS_VAR ]] || die "$MCS_VAR belongs to $(stat -c %U "$MCS_VAR"): run as that user, or set MCS_VAR"
	[[ -e $MCS_VAR/lock || ! $(ls -A "$MCS_VAR") ]] ||
		die "MCS_VAR=$MCS_VAR holds other things: name an empty or a new folder"
	exec {lock_fd}>>"$MCS_VAR/lock" || die "cannot write to $MCS_VAR"
	flock -w 0.3 "$lock_fd" || die_running
	# systemd-tmpfiles leaves a folder alone that is locked itself, should ours be in /tmp.
	exec {folder_fd}<"$MCS_VAR" && flock -n "$folder_fd"
	rm -f "$MCS_VAR/ready"
	echo $$ 2>/dev/null >"$MCS_VAR/mcs.pid" || die "cannot write to $MCS_VAR" # at once: nobody may take the old one for ours
	if ((EUID == 0)); then
		umask 027
		chgrp "$service_user" "$MCS_VAR" && chmod 710 "$MCS_VAR" || die "cannot prepare $MCS_VAR"
	else
		chmod 700 "$MCS_VAR"
	fi
	private_folder "$run_folder"
	readable_folder "$MCS_VAR/bin"
	readable_folder "$MCS_VAR/etc"
	(umask 077 && printf '%s\n' "$config" "MCS_VAR='$MCS_VAR'" "MCS_ENV_FILE=''" "MCS_SERVER=$MCS_SERVER" >"$MCS_VAR/config") ||
		die "cannot write to $MCS_VAR"
	prepare_logs
}

# Sleeps without a process: nothing is ever written to this pipe.
pause() { read -rt "$1" -u "$quiet_fd"; }

end_if_wanted() { [[ ! $stop_wanted ]] || exit 0; }

# --- starting -------------------------------------------------------------------------------------

start_everything() {
	export MCS_ENV_FILE='' # everything is in the environment now, and the file may be unreadable
	prepare_programs
	[[ ! $embedded_postgres ]] || prepare_postgres
	[[ ! $embedded_redis ]] || prepare_redis
	! component_wanted api || prepare_server
	: >"$MCS_VAR/components"
	[[ $embedded_redis ]] || check_redis
	[[ ! $embedded_postgres ]] || end_leftover_postgres
	end_if_wanted
	[[ ! $embedded_postgres ]] || start_component postgres
	[[ ! $embedded_redis ]] || start_component redis
	[[ ! $embedded_postgres ]] || await_component postgres postgres_answers
	[[ ! $embedded_redis ]] || await_component redis redis_answers
	[[ ! $embedded_postgres ]] || create_database || die 'cannot create the database'
	as_service "$MCS_VAR/bin/mcs-admin" migrate >"$MCS_VAR/etc/migrate.out" 2>&1 ||
		die_unless_stopped "$(sed -n 's/^mcs[^:]*: //p' "$MCS_VAR/etc/migrate.out" | tail -n 1)"
	# Who is answered by the web server can create calls: the worker has loaded the open ones before.
	local own=()
	start_wanted wsd worker
	! component_wanted worker || await_component worker live_is_ready "${own[@]}"
	start_wanted pool api
	! component_wanted api || await_component api is_ready "${own[@]}"
}

# Starts those of the components that are wanted, and adds them to `own`.
start_wanted() {
	local name
	for name; do
		component_wanted "$name" || continue
		start_component "$name"
		own+=("$name")
	done
}

is_ready() { [[ $(ready_status) == 200 ]]; }

# A step that a signal interrupted has not failed.
die_unless_stopped() {
	end_if_wanted
	die "$@"
}

# Somebody else's Redis either takes us or we say at once what is wrong with it.
check_redis() {
	local reply
	reply=$(run_redis_cli PING 2>&1)
	[[ $reply == PONG ]] ||
		die_unless_stopped "cannot use Redis (REDIS_HOST=$REDIS_HOST, REDIS_PORT=$REDIS_PORT, REDIS_SENTINELS=$REDIS_SENTINELS, REDIS_USERNAME=$REDIS_USERNAME, REDIS_PASSWORD): ${reply%%$'\n'*}"
}

# A postgres whose mcs was killed may still be writing its last checkpoint.
end_leftover_postgres() {
	local leftover deadline=$((SECONDS + 60))
	leftover=$(first_line_of postgres/postmaster.pid)
	[[ $leftover == +([0-9]) ]] || return 0
	while [[ $(readlink "/proc/$leftover/cwd") == "$MCS_VAR/postgres" ]]; do
		((SECONDS < deadline)) || die "process $leftover still uses $MCS_VAR/postgres"
		as_service bash -pc "kill -s INT $leftover" 2>/dev/null
		pause 0.2
	done
}

# Waits until a component answers ($2: the probe) and it and the others named live.
await_component() {
	local name=$1 probe=$2 component deadline=$((SECONDS + 30))
	until end_if_wanted && "$probe"; do
		for component in "$name" "${@:3}"; do
			[[ $(session_pids "${pid[$component]}") ]] || die_with_log "$component" "$component did not start"
		done
		((SECONDS < deadline)) || die_with_log "$name" "$name did not become ready within 30 s$(why_not_ready "$name")"
		pause 0.05
	done
}

# What the service itself says about it.
why_not_ready() {
	[[ $1 == api ]] || return
	curl -q -s --noproxy '*' --max-time 3 "$probe_url/ready" |
		sed -n 's/.*"message":"\([^"]*\)".*/ (\1)/p'
}

# Shows what the component has logged since this start of it.
die_with_log() {
	local log
	log=$(log_of "$1")
	end_if_wanted
	say "$2; the end of $log:"
	tail -c "+$((${log_start[$1]:-0} + 1))" "$log" | tail -n 6 | sed 's/^/    /' >&2
	exit 1
}

# What a child does before it becomes the program: dies if mcs is gone already (from then on the
# kernel sees to it), waits its delay, opens its log.
# shellcheck disable=SC2016
launcher='
	parent=$1 delay=$2 log=$3; shift 3
	[[ $PPID == "$parent" ]] || exit
	[[ $delay == 0 ]] || read -rt "$delay" -u 3
	umask 077
	files=$(ulimit -Hn)
	[[ $files != unlimited ]] && ((files < 65536)) || files=65536
	ulimit -Sn "$files"
	ulimit -c 0 # whose cores would hold API keys
	cd "$MCS_VAR/bin" && exec "$@" >>"$log" 2>&1 3<&-
'

# Starts a component, after $2 seconds. The process id is the program's own: everything is exec.
start_component() {
	local name=$1 delay=${2:-0} command=() log
	log=$(log_of "$name")
	[[ $name != api ]] || before_api
	component_command "$name"
	log_start[$name]=$(stat -c %s "$log" 2>/dev/null || echo 0)
	(
		exec 3<&"$quiet_fd" {quiet_fd}<&- {lock_fd}>&- {folder_fd}<&-
		if [[ $name == api ]]; then exec <&"$web_fd"; else exec 4<&-; fi
		exec {web_fd}<&- setsid env --default-signal "${as_user[@]}" \
			--pdeathsig="${death_signal[$name]}" -- \
			bash -pc "$launcher" mcs-launcher $$ "$delay" "$log" "${command[@]}"
	) </dev/null &
	pid[$name]=$!
	started[$name]=$EPOCHSECONDS
	write_components
}

# For `status`: name, process, time of start.
write_components() {
	local name
	for name in "${component_names[@]}"; do
		[[ ! ${pid[$name]:-} ]] || echo "$name ${pid[$name]} ${started[$name]}"
	done >"$MCS_VAR/components.new" && mv -f "$MCS_VAR/components.new" "$MCS_VAR/components"
}

banner() {
	local keys=() shown extra=''
	IFS=', ' read -ra keys <<<"$VALID_API_KEYS"
	local key kept=()
	for key in "${keys[@]}"; do [[ ! $key ]] || kept+=("$key"); done
	keys=("${kept[@]}")
	shown=$(printf ', %s' "${keys[@]:0:6}")
	((${#keys[@]} <= 6)) || extra=" and $((${#keys[@]} - 6)) more"
	component_wanted api || return 0
	cat <<-END
		  URL       $url
		  API keys  ${shown:2}$extra
		  Watch     ./mcs watch CALL_ID prints the events of a call, ./mcs follow those of all
		  Logs      $MCS_VAR/log, or ./mcs logs -f

		  curl -X POST $url/calls \\
		    -H 'Authorization: Bearer ${keys[0]}' \\
		    -H 'Content-Type: application/json' \\
		    -d '{"from": "+1234567890", "to": "+0987654321"}'

	END
}

# --- keeping alive --------------------------------------------------------------------------------

# Waits for whatever dies, and starts it again; looks around now and then. Signals end this through their
# traps.
supervise() {
	local dead status name
	while :; do
		[[ ! $restart_wanted ]] || rolling_restart
		set_alarm
		dead=''
		# Here, and only here, a signal may end us at once: one that came just before the wait would
		# otherwise be noted and then forgotten for as long as nothing dies.
		trap 'exit 0' INT TERM HUP
		end_if_wanted
		wait -n -p dead "${pid[@]}" "$alarm_pid" 2>/dev/null # bash would print the whole command that was killed
		status=$?
		trap 'stop_wanted=yes' INT TERM HUP
		pause 0.01 # lets bash take note of what else died
		end_if_wanted
		[[ ${dead:-} != "$alarm_pid" ]] || { alarm_pid='' && look_around; }
		for name in "${component_names[@]}"; do
			[[ ${pid[$name]:-} ]] || continue
			if [[ ${pid[$name]} == "${dead:-}" ]]; then
				revive "$name" "$status"
			elif ! kill -0 "${pid[$name]}" 2>/dev/null; then
				revive "$name" ''
			fi
		done
	done
}

# A child whose end is the time to look around.
alarm_pid='' look_seconds=5
set_alarm() {
	[[ ! $alarm_pid ]] || ! kill -0 "$alarm_pid" 2>/dev/null || return 0
	(exec {quiet_fd}<&- {lock_fd}>&- {folder_fd}<&- {web_fd}<&- 4<&- setpriv --pdeathsig=KILL -- sleep "$look_seconds") </dev/null &
	alarm_pid=$!
}

look_around() {
	has_folder || die "the folder $MCS_VAR was removed, so its instance ends"
	local name socket
	for name in "${component_names[@]}"; do
		socket=$(socket_of "$name")
		[[ $socket && ! -S $socket && ${pid[$name]:-} ]] || continue
		((EPOCHSECONDS - ${started[$name]} >= 10)) || continue # it may be about to make it
		say "the socket $socket was removed; $name is started again"
		kill -s "${death_signal[$name]}" "${pid[$name]}" 2>/dev/null
	done
	for name in "${component_names[@]}" access mcs; do
		bound_log "$(log_of "$name")"
	done
}

# Whether our folder is there, and nobody else's in its place. A lock file that is missing alone is the
# work of a cleaner, or a mistake: there is another then.
has_folder() {
	[[ ! $MCS_VAR/lock -ef /proc/self/fd/$lock_fd ]] || return 0
	[[ ! -e $MCS_VAR/lock && -x $MCS_VAR/bin/mcs-admin ]] || return
	exec {lock_fd}>&-
	exec {lock_fd}>>"$MCS_VAR/lock" && flock -n "$lock_fd"
}

# Keeps the end of a log as one old file when it has grown too large. Whoever writes it goes on at its
# beginning (all append), and nobody need be told; a line that is written at this moment may be lost.
log_kilobytes=10240
bound_log() {
	(($(stat -c %s "$1" 2>/dev/null || echo 0) > log_kilobytes * 1024)) || return 0
	(umask 077 && tail -c "${log_kilobytes}k" "$1" >"$1.1") 2>/dev/null || rm -f "$1.1"
	: >"$1"
}

# Starts a component again that died: at once, then after ever longer pauses while it keeps dying.
revive() {
	local name=$1 status=$2 how delays=(0 0.2 0.5 1 2 5) count
	how=${status:+" with status $status"}
	[[ ! $status ]] || ((status <= 128)) || how=" of SIG$(kill -l "$status")"
	((EPOCHSECONDS - ${started[$name]} < 10)) && count=${failures[$name]:-0} || count=0
	failures[$name]=$((count < 5 ? count + 1 : 5))
	tell_session "${pid[$name]}" TERM
	end_session "${pid[$name]}" 3
	start_component "$name" "${delays[count]}"
	say "$name died$how, started again as process ${pid[$name]}"
}

# --- stopping -------------------------------------------------------------------------------------

# Stops whatever was started, in the order of its use; also the way out when a start fails.
finish() {
	trap '' INT TERM HUP USR1
	local had_components=${pid[*]:-}
	[[ ! $alarm_pid$events_pid ]] || kill ${alarm_pid:+"$alarm_pid"} ${events_pid:+"$events_pid"} 2>/dev/null
	[[ ! $had_components ]] || say 'stopping'
	exec {web_fd}<&- 4<&-
	# lighttpd takes nothing new and waits for its connections, the WebSockets among them until wsd
	# has closed them; so these three are told before the first of them is waited for.
	local name
	for name in api worker wsd; do tell_stop "$name"; done
	for name in api worker wsd; do await_stop "$name"; done
	for name in pool redis postgres; do
		tell_stop "$name"
		await_stop "$name"
	done
	# Unless our folder was moved away, and this is another instance's.
	[[ ! $MCS_VAR/lock -ef /proc/self/fd/$lock_fd ]] ||
		rm -rf "$run_folder"/*.sock* "$run_folder/fcgid" "$MCS_VAR/components" "$MCS_VAR/mcs.pid" "$MCS_VAR/restarted" "$MCS_VAR/ready"
	[[ ! $had_components ]] || say 'stopped'
}

tell_stop() { [[ ! ${pid[$1]:-} ]] || kill -s "${stop_signal[$1]}" "${pid[$1]}" 2>/dev/null; }

await_stop() {
	[[ ${pid[$1]:-} ]] || return
	end_session "${pid[$1]}" "${stop_seconds[$1]}" || say "$1 did not stop in time and was killed"
	unset "pid[$1]"
}

# Prints the processes of a component's session that are not dead yet, and its first one even while it
# has no session of its own yet.
session_pids() {
	local file stat fields
	for file in /proc/[0-9]*/stat; do
		{ read -r stat <"$file"; } 2>/dev/null || continue
		read -ra fields <<<"${stat##*) }" # state, parent, group, session
		[[ ${fields[0]} != [ZX] ]] || continue
		[[ ${fields[3]} != "$1" && ${stat%% *} != "$1" ]] || echo "${stat%% *}"
	done
}

tell_session() {
	local left
	mapfile -t left < <(session_pids "$1")
	((${#left[@]} == 0)) || kill -s "$2" "${left[@]}" 2>/dev/null
}

# Waits until a session has no process left; after $2 seconds kills them and returns false.
end_session() {
	local deadline=$((SECONDS + $2)) left
	while left=$(session_pids "$1") && [[ $left ]]; do
		if ((SECONDS > deadline)); then
			mapfile -t left <<<"$left"
			kill -KILL "${left[@]}" 2>/dev/null
			pause 0.1
			return 1
		fi
		pause 0.03
	done
	return 0
}
