# shellcheck shell=bash
# ./mcs run --detach: the instance in the background, for CI. Messages about installing, building, wrong settings
# and the port appear here as usual. Once the instance has its folder it logs to log/mcs.log there.

detach='' wait_seconds=''

# In the process that a person started: starts the instance, with that command as its director, and waits
# until it is ready (--wait), or until it has its folder.
start_detached() {
	local child state deadline=$((SECONDS + ${wait_seconds:-60})) log=$MCS_VAR/log/mcs.log logged mcs
	mcs=$(own_mcs)
	logged=$(stat -c %s "$log" 2>/dev/null || echo 0)
	(become_instance "$@") &
	child=$!
	trap 'kill -s TERM "$child"; exit 130' INT TERM HUP
	until state=$(state_of_start "$child") && [[ $state == ready || ! $wait_seconds ]]; do
		kill -0 "$child" 2>/dev/null || fail_detached "$child" "$log" "$logged"
		((SECONDS < deadline)) ||
			die "not ready within $wait_seconds s; it continues as process $child: $mcs status, $mcs logs mcs, $mcs stop"
		sleep 0.05
	done
	if [[ $state == ready ]]; then
		say "ready in the background as process $child; $mcs stop stops it"
	else
		say "starting in the background as process $child; $mcs status tells when it is ready, $mcs stop stops it"
	fi
	echo
	banner
	exit 0
}

# Prints "starting" or "ready"; false before the instance has its folder.
state_of_start() {
	[[ $(running_pid) == "$1" ]] || return
	[[ -e $MCS_VAR/ready ]] && echo ready || echo starting
}

# Shows what the instance has added to its log ($3: its size before), which is what it said last.
fail_detached() {
	wait "$1"
	local status=$? before=$3
	if [[ -e $2 ]]; then
		(($(stat -c %s "$2") >= before)) || before=0
		tail -c "+$((before + 1))" "$2" >&2
	fi
	exit "$((status ? status : 1))"
}

# In the director, once the instance has its folder.
log_to_file() {
	order log
	exec >>"$MCS_VAR/log/mcs.log" 2>&1
}
