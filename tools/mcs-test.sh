# shellcheck shell=bash
# ./mcs test: the unit tests and the bats suite, as built for release and then under sanitizers.

passed=0 failed=0 skipped=0
report_folder='' asan_build=''
servers_to_test=() # other than lighttpd

cmd_test() {
	case ${1:-} in
		--faults) test_faults "${@:2}"; return ;;
		package) test_package; return ;;
		hosts) test_hosts "${@:2}"; return ;;
		--mutants) test_mutants "${@:2}"; return ;;
		--server=*) choose_test_servers "${1#*=}" && shift ;;
		docker) test_docker; return ;;
	esac
	need_packages "${program_packages[@]}" "${test_packages[@]}"
	forget_settings
	# Where the tests' copies live and leave their logs; the user mcs must be able to pass.
	MCS_TEST_DIR=$(mktemp -d /tmp/mcs.XXXXXX) && chmod 711 "$MCS_TEST_DIR" || exit
	export MCS_TEST_DIR MCS_TEST_KEEP=yes
	trap end_test EXIT
	trap 'exit 130' INT TERM HUP
	if ((${#servers_to_test[@]})); then
		test_servers "$@"
	elif (($#)); then
		build_programs "$mode" all unit tools
		test_files "$@"
	else
		test_all
	fi
	if ((failed)); then
		rm -rf "$MCS_TEST_DIR"/*/*/postgres
		echo "# the logs of the copies are in $MCS_TEST_DIR"
	fi
	local skips=''
	((skipped == 0)) || skips=", $skipped skipped"
	echo "$passed passed, $failed failed$skips"
	((failed == 0 && passed > 0))
}

end_test() {
	[[ ! $asan_build ]] || kill "$asan_build" 2>/dev/null
	[[ ! $report_folder ]] || rm -rf "$report_folder"
	((failed)) || rm -rf "${MCS_TEST_DIR:?}"
}

# The tests say themselves what they set; the caller's settings would only disturb them.
forget_settings() {
	local name
	while read -r name; do
		unset "$name"
	done < <(setting_names)
	forget_libpq private
	export MCS_ENV_FILE=/dev/null
}

# The second build is made while the first one's tests run.
test_all() {
	local bats_files=("$here"/tests/*.bats) sanitized=() file
	# Two of these measure how late others are served, which means nothing under sanitizers, and take a
	# third of the time; places.bats builds from nothing, and is about the scripts. MCS_BUILD=asan ./mcs
	# test FILE runs them all the same.
	for file in "${bats_files[@]}"; do
		[[ $file == */@(hostile|restart|places).bats ]] || sanitized+=("$file")
	done
	build_programs release all unit tools
	build_asan >"$MCS_TEST_DIR/asan-build.out" 2>&1 &
	asan_build=$!
	test_mode release "$here"/build/release/tests/test_* "${bats_files[@]}"
	if ! wait "$asan_build"; then
		cat "$MCS_TEST_DIR/asan-build.out"
		count_line 'not ok - the build under sanitizers'
		return
	fi
	asan_build=''
	test_mode asan "$here"/build/asan/tests/test_* "${sanitized[@]}"
}

build_asan() {
	renice -n 10 "$BASHPID" >/dev/null
	build_programs asan all unit tools
}

# Behind other web servers than lighttpd: the release build's bats files, all or those named.
choose_test_servers() {
	servers_to_test=("$1")
	[[ $1 != all ]] || read -ra servers_to_test < <(server_names)
	for MCS_SERVER in "${servers_to_test[@]}"; do
		choose_server
		need_packages "${program_packages[@]}" "$server_package"
	done
}

test_servers() {
	local files=("$@") already
	((${#files[@]})) || files=("$here"/tests/*.bats)
	build_programs release all tools
	echo '| web server | package | tests passed | failed | skipped |
|---|---|---|---|---|' >"$here/build/servers.md"
	for MCS_SERVER in "${servers_to_test[@]}"; do
		choose_server
		already=("$passed" "$failed" "$skipped")
		echo "# behind $MCS_SERVER"
		test_mode release "${files[@]/#tests/$here/tests}"
		echo "| $MCS_SERVER | $(dpkg-query -W -f '${Package} ${Version}' "$server_package") | $((passed - already[0])) |" \
			"$((failed - already[1])) | $((skipped - already[2])) |" >>"$here/build/servers.md"
	done
}

# Some files only: bats files, unit tests by their source or their program.
test_files() {
	local file name files=()
	for file; do
		[[ -e $file ]] || die "no test file $file"
		name=$(basename "$file" .c)
		case $file in
			*.bats) files+=("$(absolute "$file" "$PWD")") ;;
			*) files+=("$programs/tests/$name") ;;
		esac
	done
	test_mode "$mode" "${files[@]}"
}

# Runs unit test programs and bats files of one build and counts what they say.
test_mode() {
	export MCS_BUILD=$1
	local file bats_files=() begin=$SECONDS
	sanitize
	for file in "${@:2}"; do
		if [[ $file == *.bats ]]; then
			[[ ! -e $file ]] || bats_files+=("$file")
		elif [[ -x $file && $file != *.* ]]; then
			echo "# $MCS_BUILD: $(basename "$file")"
			count_tests timeout 300 "$file"
		fi
	done
	if ((${#bats_files[@]})); then
		echo "# $MCS_BUILD: ${#bats_files[@]} bats files"
		count_tests bats --tap --timing --print-output-on-failure "${bats_files[@]}"
	fi
	count_reports
	echo "# $MCS_BUILD took $((SECONDS - begin)) s"
}

# Makes the sanitizers write where nothing is overlooked: also programs whose output nobody sees.
sanitize() {
	report_folder=$(mktemp -d /tmp/mcs-reports.XXXXXX) && chmod 1777 "$report_folder" || exit
	export ASAN_OPTIONS=detect_leaks=1:log_exe_name=1:log_path=$report_folder/asan
	export UBSAN_OPTIONS=print_stacktrace=1:log_exe_name=1:log_path=$report_folder/ubsan
}

count_reports() {
	local file
	for file in "$report_folder"/*; do
		[[ -s $file ]] || continue
		sed 's/^/#   /' "$file"
		count_line "not ok - sanitizer report $(basename "$file")"
	done
	rm -rf "$report_folder"
	report_folder=''
}

# Runs a command that prints TAP, shows its lines as they come, and counts them.
count_tests() {
	local line before=$failed status
	exec {tap_fd}< <("$@" 2>&1 </dev/null)
	while IFS= read -r line <&"$tap_fd"; do
		count_line "$line"
	done
	wait $!
	status=$?
	exec {tap_fd}<&-
	((status == 0 || failed > before)) || count_line "not ok - $(basename "${*: -1}") ended with status $status"
}

count_line() {
	case $1 in
		'ok '*'# skip'*) ((++skipped)) ;;
		'ok '*) ((++passed)) ;;
		'not ok '*) ((++failed)) ;;
		1..*) return ;;
	esac
	printf '%s\n' "$1"
}
