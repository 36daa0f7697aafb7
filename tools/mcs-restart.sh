# shellcheck shell=bash
# ./mcs restart: a rolling restart of everything but the databases, without a failed request. The
# running mcs does it, on SIGUSR1, and says in the file `restarted` how it ended.

restart_wanted='' generation=0

cmd_restart() {
	(($# == 0)) || die 'restart takes no arguments'
	load_running_config || die_not_running
	local number outcome file=$MCS_VAR/restarted deadline=$((SECONDS + 90))
	number=$(running_pid) || die "$MCS_VAR/mcs.pid does not say which process it is"
	# The space for the outcome is taken before anything is done: a full disk shows here.
	rm -f "$file" && { print_outcome wanted >"$file"; } 2>/dev/null ||
		die "not restarted: cannot write to $MCS_VAR (is the disk full?)"
	# It takes note between two steps; a signal that comes at the wrong moment is sent again.
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

# In the running mcs. What has to be written is written first, in subshells: who dies there ends nothing.
# lighttpd becomes the new one itself; who comes meanwhile (less than a second) waits in its listening
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
		! component_wanted wsd || component_wanted api || renew_wsd
		! component_wanted api || renew_behind_web_server || outcome='not everything was restarted; see the logs'
	fi
	[[ $outcome ]] || outcome="restarted in $(((${EPOCHREALTIME//[.,]/} - begin) / 1000)) ms"
	say "$outcome"
	restart_wanted=''
	note_outcome "$outcome"
}

# Written into its place, for whoever asked: that needs no space on the disk. One line of always the same
# length, in one write.
print_outcome() { printf '%-400.400s\n' "${1//$'\n'/ }"; }
note_outcome() { print_outcome "$1" 1<>"$MCS_VAR/restarted"; } 2>/dev/null

# Several workers at once are nothing special.
renew_worker() {
	local old=${pid[worker]}
	start_component worker
	kill -s TERM "$old" 2>/dev/null
	end_session "$old" "${stop_seconds[worker]}"
}

# Where the pool is a component of its own it renews itself, and nobody who comes to the web server can tell.
renew_behind_web_server() {
	[[ $MCS_SERVER != lighttpd ]] || { renew_wsd_and_api; return; }
	local old=${pid[wsd]:-} old_pool=()
	if has_pool_component; then
		read -ra old_pool <"/proc/${pid[pool]}/task/${pid[pool]}/children"
		kill -s HUP "${pid[pool]}" || return
	fi
	reload_server && { [[ ! $old ]] || renew_wsd; } &&
		await_restart 20 have_ended "${old_pool[@]}" ${old:+"$old"} && await_restart 20 is_ready
}

# lighttpd is told to restart gracefully: it takes nothing new until its connections have ended. The
# WebSockets among them end when the old wsd, which nobody can come to any more, sends its watchers
# away; they find a new one.
renew_wsd_and_api() {
	local old=${pid[wsd]:-} socket old_pool
	read -ra old_pool < <(api_children)
	generation=$((generation + 1))
	write_vars || return
	socket=$(responder_socket)
	kill -s USR1 "${pid[api]}" || return
	pause 0.1 # for the handshakes that lighttpd has in hand
	[[ ! $old ]] || renew_wsd || return
	await_restart 20 api_has_pool "$socket" && await_restart 20 is_ready &&
		await_restart 15 have_ended "${old_pool[@]}" ${old:+"$old"}
}

# There is always a wsd that listens: lighttpd would not try again for a second or two after it found
# none. The new one takes the socket's path over from the old one; a port it can only take after it.
renew_wsd() {
	local old=${pid[wsd]} socket=${WSD_LISTEN:-$run_folder/wsd.sock} before
	if [[ $socket == /* ]]; then
		before=$(stat -c %i "$socket" 2>/dev/null)
		start_component wsd
		await_restart 10 is_another_file "$socket" "$before"
		kill -s TERM "$old" 2>/dev/null
	else
		kill -s TERM "$old" 2>/dev/null
		end_session "$old" "${stop_seconds[wsd]}"
		start_component wsd
	fi
}

is_another_file() { [[ $(stat -c %i "$1" 2>/dev/null) != "$2" ]]; }

# Whether lighttpd has started its new pool. It looks only once a second whether its connections have
# ended, unless something wakes it; a SIGCHLD does, and means nothing more.
api_has_pool() { [[ -S $1 ]] || { kill -s CHLD "${pid[api]}"; return 1; }; }

await_restart() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < deadline)) && kill -0 ${pid[api]:+"${pid[api]}"} ${pid[wsd]:+"${pid[wsd]}"} 2>/dev/null || return
		pause 0.03
	done
	return 0 # and not what `pause` said
}

have_ended() {
	local number
	for number; do
		! kill -0 "$number" 2>/dev/null || return 1
	done
}

# The parent of the pool, as lighttpd's child.
api_children() { cat "/proc/${pid[api]}/task/${pid[api]}/children"; }

# Each generation of the pool has a socket of its own: on the old path lighttpd could take the old
# pool, while that finishes, for its own, and not start another one.
write_vars() {
	print_own_vars | sed "/^var.mcs_responder_socket/s/responder\\.sock/responder.$generation.sock/" \
		>"$MCS_VAR/etc/vars.conf.new" && mv -f "$MCS_VAR/etc/vars.conf.new" "$MCS_VAR/etc/vars.conf"
}
