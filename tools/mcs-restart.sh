# shellcheck shell=bash
# ./mcs restart: a rolling restart of everything but the databases, without a failed request. The director
# of the instance does it, when the supervisor gets SIGUSR1, and says in the file `restarted` how it ended.

generation=0

cmd_restart() {
	(($# == 0)) || die 'restart takes no arguments'
	load_running_config || die_not_running
	local number outcome file=$MCS_VAR/restarted deadline=$((SECONDS + 90))
	number=$(running_pid) || die "$MCS_VAR/mcs.pid does not say which process it is"
	# Reserves the space for the outcome, so that a full disk shows before anything is done.
	rm -f "$file" && { print_outcome wanted >"$file"; } 2>/dev/null ||
		die "not restarted: cannot write to $MCS_VAR (is the disk full?)"
	# A busy instance ignores the signal, so it is sent again.
	while read_outcome && [[ $outcome == wanted ]]; do
		kill -s USR1 "$number" 2>/dev/null || die "cannot reach process $number"
		((SECONDS < deadline)) || die "process $number does not answer"
		sleep 0.5
	done
	while read_outcome && [[ $outcome == restarting ]]; do
		instance_runs || die 'the instance stopped meanwhile'
		((SECONDS < deadline)) || die 'the restart does not finish'
		sleep 0.05
	done
	[[ -e $file ]] || die 'the instance stopped meanwhile'
	say "$outcome"
	[[ $outcome == restarted* ]]
}

read_outcome() { read -r outcome <"$file"; } 2>/dev/null

# In the director. It writes its files first, in a subshell, so that a failure ends nothing. lighttpd re-executes
# itself; new connections wait in its listening socket for less than a second.
rolling_restart() {
	local begin=${EPOCHREALTIME//[.,]/} outcome=''
	note_outcome restarting
	note_responders
	if ! outcome=$(prepare_programs 2>&1); then
		outcome="not restarted: ${outcome#mcs: }"
	else
		say 'restarting'
		! component_wanted worker || replace_worker
		! component_wanted wsd || component_wanted api || { replace_wsd && await_replaced wsd; }
		! component_wanted api || restart_web_server || outcome='not everything was restarted; see the logs'
	fi
	[[ $outcome ]] || outcome="restarted in $(((${EPOCHREALTIME//[.,]/} - begin) / 1000)) ms"
	say "$outcome"
	note_outcome "$outcome"
}

# Overwrites the line that ./mcs restart reads, always with the same length and in one write: that needs no
# space on the disk.
print_outcome() { printf '%-400.400s\n' "${1//$'\n'/ }"; }
note_outcome() { print_outcome "$1" 1<>"$MCS_VAR/restarted"; } 2>/dev/null

# Two workers may run at once. The supervisor kills the old one if it does not end.
replace_worker() {
	ask replace worker
	await_replaced worker
}

await_replaced() { until is_replaced "$1"; do sleep 0.03; done; }

# A pool that is a component of its own re-executes itself, so clients of the web server notice nothing.
restart_web_server() {
	[[ $MCS_SERVER != lighttpd ]] || { restart_lighttpd; return; }
	local pool old_pool=()
	if has_pool_component; then
		pool=$(pid_of pool) || return
		read -ra old_pool < <(children_of "$pool")
		kill -s HUP "$pool" || return
	fi
	reload_server && replace_wsd && await_restart 20 have_ended "${old_pool[@]}" &&
		await_restart 20 is_replaced wsd && await_restart 20 is_ready
}

# lighttpd restarts gracefully: it accepts nothing until its connections have ended. The WebSockets among them end
# when the old wsd closes them; their clients reconnect to the new one.
restart_lighttpd() {
	local api socket old_pool
	api=$(pid_of api) || return
	read -ra old_pool < <(children_of "$api")
	generation=$((generation + 1))
	write_vars && write_table || return
	socket=$(responder_socket)
	kill -s USR1 "$api" || return
	sleep 0.1 # for the handshakes that lighttpd has begun
	replace_wsd && await_restart 20 api_has_pool "$socket" && await_restart 20 is_ready &&
		await_restart 15 have_ended "${old_pool[@]}" && await_restart 15 is_replaced wsd
}

# Some wsd always listens on a unix socket, since lighttpd waits for a second or two after a failed connection:
# the new one takes over the path. A port is free only after the old one has ended.
replace_wsd() {
	component_wanted wsd || return 0
	if [[ $(socket_of wsd) ]]; then
		ask replace wsd
	else
		ask stop wsd
		until ask state wsd && [[ $reply == absent ]]; do sleep 0.03; done
		ask start wsd
	fi
}

is_replaced() {
	component_wanted "$1" || return 0
	ask state "$1"
	[[ $reply == running* ]]
}

# Whether lighttpd has started its new pool. lighttpd checks once a second whether its connections have ended;
# a SIGCHLD makes it check at once, and has no other effect.
api_has_pool() { [[ -S $1 ]] || { kill -s CHLD "$(pid_of api)"; return 1; }; }

await_restart() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < deadline)) && is_running api && { ! component_wanted wsd || is_running wsd; } || return
		sleep 0.03
	done
}

have_ended() {
	local number
	for number; do
		! kill -0 "$number" 2>/dev/null || return 1
	done
}

# Prints the children of a process: of the web server the pool's parent, of the pool's parent the responders.
children_of() { cat "/proc/$1/task/$1/children"; }

# Each generation of the pool has its own socket: on the same path lighttpd would take the old pool, which is
# still finishing, for the new one, and start none.
write_vars() {
	print_own_vars | sed "/^var.mcs_responder_socket/s/responder\\.sock/responder.$generation.sock/" \
		>"$MCS_VAR/etc/vars.conf.new" && mv -f "$MCS_VAR/etc/vars.conf.new" "$MCS_VAR/etc/vars.conf"
}
