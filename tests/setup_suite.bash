# shellcheck shell=bash
# Around the whole bats run: two running instances of the service on private ports and folders, beside
# whatever else runs on the machine. `fast` plays calls twenty times faster than life, `real` does not.

# shellcheck source=tests/harness/helpers.bash
. "${BASH_SOURCE[0]%/*}/harness/helpers.bash"

setup_suite() {
	if [[ ! ${MCS_TEST_DIR:-} ]]; then
		MCS_TEST_DIR=$(mktemp -d /tmp/mcs.XXXXXX) && chmod 711 "$MCS_TEST_DIR"
	fi
	export MCS_TEST_DIR
	rm -rf "${MCS_TEST_DIR:?}/${MCS_BUILD:-release}"
	mkdir -m 711 "$(instances_folder)"
	launch_instance fast TIME_SCALE=20
	launch_instance real
	await_instance fast
	await_instance real
}

# Everything must be gone afterwards: no process, no socket.
teardown_suite() {
	local file failed=0
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
