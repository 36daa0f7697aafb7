# shellcheck shell=bash
# ./mcs test: the unit tests and the bats suite, as built for release and then under sanitizers.

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
	# Where the tests' instances live and leave their logs; the user mcs must be able to pass.
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
	local logs=("$MCS_TEST_DIR"/*.failed)
	[[ -e ${logs[0]} ]] || logs=()
	print_tally "${logs[*]}"
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
	local bats_files=("$here"/tests/*.bats) sanitized=() unit_tests file
	mapfile -t unit_tests < <(unit_test_names)
	# Two of these measure how late others are served, which means nothing under sanitizers, and take a
	# third of the time; places.bats, environment.bats and harness.bats are about the scripts.
	# MCS_BUILD=asan ./mcs test FILE runs them all the same.
	for file in "${bats_files[@]}"; do
		[[ $file == */@(hostile|restart|places|environment|harness).bats ]] || sanitized+=("$file")
	done
	build_programs release all unit tools
	build_asan >"$MCS_TEST_DIR/asan-build.out" 2>&1 &
	asan_build=$!
	test_mode release "${unit_tests[@]/#/$here/build/release/tests/}" "${bats_files[@]}"
	if ! wait "$asan_build"; then
		cat "$MCS_TEST_DIR/asan-build.out"
		count_line 'not ok - the build under sanitizers'
		return
	fi
	asan_build=''
	test_mode asan "${unit_tests[@]/#/$here/build/asan/tests/}" "${sanitized[@]}"
}

# Those of which there is a source, so that one that was not built is noticed: tests/unit, and the corpora
# of the fuzz targets.
unit_test_names() {
	local file name
	for file in "$here"/tests/unit/test_*.c "$here"/tests/fuzz/fuzz_*.c; do
		name=${file##*/} name=${name%.c}
		echo "${name/#fuzz_/test_corpus_}"
	done
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

# Runs unit test programs and bats files of one build and counts what they say. The logs of a run that
# failed get a folder of their own, which no later run uses.
test_mode() {
	export MCS_BUILD=$1
	local file bats_files=() begin=$SECONDS before=$failed
	sanitize
	for file in "${@:2}"; do
		if [[ $file == *.bats ]]; then
			bats_files+=("$file")
		elif [[ -x $file ]]; then
			echo "# $MCS_BUILD: $(basename "$file")"
			count_tests timeout 300 "$file"
		else
			count_line "not ok - there is no program $file"
		fi
	done
	((${#bats_files[@]} == 0)) || test_bats_files "${bats_files[@]}"
	count_reports
	((failed == before)) || keep_logs "$MCS_BUILD"
	echo "# $MCS_BUILD took $((SECONDS - begin)) s"
}

test_bats_files() {
	local cases
	echo "# $MCS_BUILD: $# bats files"
	cases=$(cat -- "$@" | grep -c '^@test ')
	count_tests bats --tap --timing --print-output-on-failure "$@"
	((planned >= cases)) || count_line "not ok - bats knows of $planned cases, the files have $cases"
}

keep_logs() {
	local name=$1${MCS_SERVER:+-$MCS_SERVER} folder=$MCS_TEST_DIR/$1
	[[ -d $folder ]] || return 0
	rm -rf "$folder"/*/postgres "${MCS_TEST_DIR:?}/$name.failed"
	mv "$folder" "$MCS_TEST_DIR/$name.failed"
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
