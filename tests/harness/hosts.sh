# shellcheck shell=bash
# ./mcs test hosts [NAME...]: the service on several hosts, which are network namespaces. The hosts are
# tests/hosts/hosts.bash's, what happens to them tests/hosts/cases.bash's; load, accounting and the rows of
# the table are those of the fault suite.

host_cases=() # tests/hosts/cases.bash fills it

# Twice: the second time in namespaces of its own, which end with it, and whatever runs in them.
test_hosts() {
	((EUID == 0)) || die 'the tests with several hosts need root (they make network namespaces)'
	if [[ ! ${MCS_HOSTS_INSIDE:-} ]]; then
		need_packages "${program_packages[@]}" "${test_packages[@]}" haproxy
		forget_settings
		build_programs release all tools
		MCS_TEST_DIR=$(mktemp -d /tmp/mcs.XXXXXX) && chmod 711 "$MCS_TEST_DIR" || exit
		export MCS_TEST_DIR BATS_TEST_TMPDIR=$MCS_TEST_DIR
		trap 'exit 130' INT TERM HUP
		MCS_HOSTS_INSIDE=yes unshare --net --pid --fork --kill-child --mount-proc -- "$here/mcs" test hosts "$@"
		local status=$?
		rm -rf "$MCS_TEST_DIR"/*/*/postgres
		((status == 0)) && rm -rf "${MCS_TEST_DIR:?}" || echo "# the logs of the hosts are in $MCS_TEST_DIR"
		return "$status"
	fi
	local line name set seconds options what wanted=" $* " begin=$SECONDS current=''
	prepare_hosts
	table_head >"$here/build/hosts.md"
	for line in "${host_cases[@]}"; do
		IFS='|' read -r name set seconds options what <<<"$line"
		[[ $wanted == '  ' || $wanted == *" $name "* ]] || continue
		[[ $set == "$current" ]] || use_set "$set" || return
		current=$set
		run_case hosts "$name" "$seconds" "$options" "$what" || current='' # its hosts are not for the next one
	done
	echo "# the tests with several hosts took $((SECONDS - begin)) s; their table is build/hosts.md"
	print_tally "$MCS_TEST_DIR"
}

prepare_hosts() {
	export MCS_BUILD=release INSTANCE=hosts PORT=3000 BASE=http://127.0.0.1:3000 MCS_VAR=$MCS_TEST_DIR/release/hosts
	mkdir -m 711 "$MCS_TEST_DIR/release" && mkdir -m 711 "$MCS_VAR" || exit
	choose_user
	find_postgres
	# shellcheck source=/dev/null
	for file in harness/helpers harness/service faults/account hosts/hosts hosts/cases; do . "$here/tests/$file.bash"; done
	make_network || die 'cannot make a network'
}

# A set of servers, and the hosts of the service that use them.
use_set() {
	local begin=$SECONDS
	end_hosts
	if ! { make_members && start_balancer && "${1}_set"; } >"$MCS_TEST_DIR/$1.start" 2>&1 || ! wait_until 20 is_ready; then
		cat "$MCS_TEST_DIR/$1.start"
		count_line "not ok - the hosts of the set $1 did not start"
		return 1
	fi
	echo "# the hosts of the set $1 started in $((SECONDS - begin)) s"
}
