# shellcheck shell=bash
# Around a bats run: two running instances of the service on private ports and folders, beside whatever else
# runs on the machine. `fast` plays calls twenty times faster than life, `real` does not. ./mcs test starts them
# once for all files of a run (hold_instances), a plain bats for itself.
#
# All files use them at the same time: a file takes fresh keys, and looks at its own calls. What a file
# disturbs (it holds or kills a component, empties Redis, sets a clock), and what it counts over a whole instance,
# belongs to an instance that it starts for itself.

# shellcheck source=tests/harness/helpers.bash
. "${BASH_SOURCE[0]%/*}/harness/helpers.bash"

setup_suite() {
	[[ ! ${MCS_TEST_SHARED:-} ]] || return 0
	if [[ ! ${MCS_TEST_DIR:-} ]]; then
		MCS_TEST_DIR=$(mktemp -d /tmp/mcs.XXXXXX) && chmod 711 "$MCS_TEST_DIR"
	fi
	export MCS_TEST_DIR
	start_shared
}

start_shared() {
	local folder
	folder=$(instances_folder)
	rm -rf "${folder:?}"
	mkdir -m 711 "$folder" && launch_instance fast TIME_SCALE=20 && launch_instance real &&
		await_instance fast && await_instance real
}

# For ./mcs test: starts the instances, says so with the file `shared`, and ends them on SIGTERM. Status 1: they
# did not start, or something was left.
hold_instances() {
	local ended='' sleeper
	trap 'ended=yes' TERM
	start_shared || exit
	: >"$(instances_folder)/shared"
	until [[ $ended ]]; do
		sleep infinity &
		sleeper=$!
		wait "$sleeper"
	done
	kill "$sleeper"
	unset MCS_TEST_SHARED
	teardown_suite
}

# Everything must be gone afterwards: no process, no socket.
teardown_suite() {
	local file failed=0
	[[ ! ${MCS_TEST_SHARED:-} ]] || return 0
	for file in "$(instances_folder)"/*.instance; do
		[[ -e $file ]] || continue
		stop_instance "$(basename "$file" .instance)" || failed=1
	done
	if ! wait_until 20 nothing_runs; then
		echo 'still running after the end:' >&2
		leftover_processes >&2
		failed=1
	fi
	file=$(find "$(instances_folder)" -type s)
	if [[ $file ]]; then
		printf 'sockets left: %s\n' "$file" >&2
		failed=1
	fi
	[[ ${MCS_TEST_KEEP:-} ]] || rm -rf "$MCS_TEST_DIR"
	return "$failed"
}

nothing_runs() { [[ ! $(leftover_processes) ]]; }

# Prints the processes that belong to one of the instances, by the folder in their environment.
leftover_processes() {
	local file number
	for file in /proc/[0-9]*/environ; do
		number=${file//[!0-9]/}
		grep -qszF "MCS_VAR=$(instances_folder)/" "$file" || continue
		[[ -d /proc/$number ]] && printf '%s %s\n' "$number" "$(tr '\0' ' ' <"/proc/$number/cmdline")"
	done 2>/dev/null
	return 0
}
