# shellcheck shell=bash
# ./mcs restart: a rolling restart of everything but the databases, without a failed request. The director
# of the instance does it, when the supervisor gets SIGUSR1, and says in the file `restarted` how it ended.

generation=0

cmd_restart() {
	(($# == 0)) || die 'restart takes no arguments'
	load_running_config || die_not_running
	local number outcome file=$MCS_VAR/restarted deadline=$((SECONDS + 90))
	number=$(running_pid) || die "$MCS_VAR/mcs.pid does not say which process it is"
	# The space for the outcome is taken before anything is done: a full disk shows here.
	rm -f "$file" && { print_outcome wanted >"$file"; } 2>/dev/null ||
		die "not restarted: cannot write to $MCS_VAR (is the disk full?)"
	# An instance that is busy takes no note of the signal: it is sent again.
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

# In the director. What has to be written is written first, in a subshell: a failure there ends nothing.
# lighttpd becomes the new one itself; clients that come meanwhile (less than a second) wait in its listening
# socket.
rolling_restart() {
	local begin=${EPOCHREALTIME//[.,]/} outcome=''
	note_outcome restarting
	note_responders
	if ! outcome=$(prepare_programs 2>&1); then
		outcome="not restarted: ${outcome#mcs: }"
	else
		say 'restarting'
		! component_wanted worker || renew_worker
		! component_wanted wsd || component_wanted api || { renew_wsd && await_replaced wsd; }
		! component_wanted api || renew_behind_web_server || outcome='not everything was restarted; see the logs'
	fi
	[[ $outcome ]] || outcome="restarted in $(((${EPOCHREALTIME//[.,]/} - begin) / 1000)) ms"
	say "$outcome"
	note_outcome "$outcome"
}

# Written into its place, for whoever asked: that needs no space on the disk. One line of always the same
# length, in one write.
print_outcome() { printf '%-400.400s\n' "${1//$'\n'/ }"; }
note_outcome() { print_outcome "$1" 1<>"$MCS_VAR/restarted"; } 2>/dev/null

# Several workers at once are nothing special. The supervisor kills the old one if that does not end.
renew_worker() {
	ask replace worker
	await_replaced worker
}

await_replaced() { until is_replaced "$1"; do sleep 0.03; done; }

# Where the pool is a component of its own it re-executes itself, and clients of the web server notice nothing.
renew_behind_web_server() {
	[[ $MCS_SERVER != lighttpd ]] || { renew_wsd_and_api; return; }
	local pool old_pool=()
	if has_pool_component; then
		pool=$(pid_of pool) || return
		read -ra old_pool < <(children_of "$pool")
		kill -s HUP "$pool" || return
	fi
	reload_server && renew_wsd && await_restart 20 have_ended "${old_pool[@]}" &&
		await_restart 20 is_replaced wsd && await_restart 20 is_ready
}

# lighttpd is told to restart gracefully: it takes nothing new until its connections have ended. The
# WebSockets among them end when the old wsd, which no new connection reaches any more, closes them; their
# clients find the new one.
renew_wsd_and_api() {
	local api socket old_pool
	api=$(pid_of api) || return
	read -ra old_pool < <(children_of "$api")
	generation=$((generation + 1))
	write_vars && write_table || return
	socket=$(responder_socket)
	kill -s USR1 "$api" || return
	sleep 0.1 # for the handshakes that lighttpd has begun
	renew_wsd && await_restart 20 api_has_pool "$socket" && await_restart 20 is_ready &&
		await_restart 15 have_ended "${old_pool[@]}" && await_restart 15 is_replaced wsd
}

# There is always a wsd that listens: lighttpd would not try again for a second or two after it found
# none. The new one takes the socket's path over from the old one; a port it can only take after it.
renew_wsd() {
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

# Whether lighttpd has started its new pool. It looks only once a second whether its connections have
# ended, unless something wakes it; a SIGCHLD does, and means nothing more.
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

# Of the web server: the parent of the pool. Of that: the responders.
children_of() { cat "/proc/$1/task/$1/children"; }

# Each generation of the pool has a socket of its own: on the old path lighttpd could take the old
# pool, while that finishes, for its own, and not start another one.
write_vars() {
	print_own_vars | sed "/^var.mcs_responder_socket/s/responder\\.sock/responder.$generation.sock/" \
		>"$MCS_VAR/etc/vars.conf.new" && mv -f "$MCS_VAR/etc/vars.conf.new" "$MCS_VAR/etc/vars.conf"
}
