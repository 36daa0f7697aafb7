# shellcheck shell=bash
# ./mcs test: which test files run with which build behind which web server. How they run is runs.sh's.

report_folder=''
servers_to_test=() # other than lighttpd

# How long files take, in seconds, where build/test.times does not say it. The longest ones start first.
long_files='
faults.bats 100
hostile.bats 95
mcs.bats 90
places.bats 80
refusals.bats 60
variants.bats 55
privileges.bats 50
postgres.bats 45
rest.bats 45
restart.bats 40
worker.bats 30
environment.bats 30
limits.bats 25
lifecycle.bats 25
uploads.bats 20
websocket.bats 20
input.bats 20
names.bats 15
specification.bats 15
'

# What the run under sanitizers leaves out, and why: mostly files about scripts and configurations, in which no C
# code runs that other files do not run, too.
# MCS_BUILD=asan ./mcs test FILE runs them all the same.
declare -gA not_sanitized=(
	[environment]='the environment of ./mcs and of the programs'
	[harness]='the scripts of the tests'
	[hostile]='measures how late others are served, which means nothing under sanitizers'
	[install]='make install, and the files that it installs'
	[places]='the folders that ./mcs runs in'
	[restart]='measures how late others are served, which means nothing under sanitizers'
	[specification]='the examples of the pages: requests that rest.bats and websocket.bats make, too'
	[variants]='the configurations of the web servers'
	[webserver]='the configurations of the web servers'
)

# What a web server can change: routing, bodies, headers, WebSocket, what is hostile in them, and its restarts.
server_files=(rest limits websocket input hostile variants restart)

cmd_test() {
	case ${1:-} in
		--faults) test_faults "${@:2}"; return ;;
		package) test_package; return ;;
		hosts) test_hosts "${@:2}"; return ;;
		--mutants) test_mutants "${@:2}"; return ;;
		--stress) test_stress "${@:2}"; return ;;
		--server=*) choose_test_servers "${1#*=}" && shift ;;
		docker) test_docker; return ;;
		autobahn) test_autobahn "${@:2}"; return ;;
	esac
	need_packages "${program_packages[@]}" "${test_packages[@]}"
	forget_settings
	# Where the tests' instances live and leave their logs; the user mcs must be able to pass.
	MCS_TEST_DIR=$(mktemp -d /tmp/mcs.XXXXXX) && chmod 711 "$MCS_TEST_DIR" || exit
	export MCS_TEST_DIR MCS_TEST_KEEP=yes
	trap end_test EXIT
	trap 'exit 130' INT TERM HUP
	if ((${#servers_to_test[@]})); then
		add_servers "$@"
	elif (($#)); then
		add_files "$@"
	else
		add_all
	fi
	test_runs
	((${#servers_to_test[@]} == 0)) || write_servers
	cp "$MCS_TEST_DIR/times" "$here/build/test.times"
	local logs=("$MCS_TEST_DIR"/*.failed)
	[[ -e ${logs[0]} ]] || logs=()
	print_tally "${logs[*]}"
}

end_test() {
	kill_jobs
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

# The build under sanitizers is made, and its files run, beside those of the release build.
add_all() {
	local unit_tests file sanitized=()
	mapfile -t unit_tests < <(unit_test_names)
	for file in "$here"/tests/*.bats; do
		[[ ${not_sanitized[$(basename "$file" .bats)]:-} ]] || sanitized+=("$file")
	done
	build_programs release all unit tools
	add_run release "${unit_tests[@]/#/$here/build/release/tests/}" "$here"/tests/*.bats
	build_run asan
	add_run asan "${unit_tests[@]/#/$here/build/asan/tests/}" "${sanitized[@]}"
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

# Some files only: bats files, unit tests by their source or their program.
add_files() {
	local file name files=()
	for file; do
		[[ -e $file ]] || die "no test file $file"
		name=$(basename "$file" .c)
		case $file in
			*.bats) files+=("$(absolute "$file" "$PWD")") ;;
			*) files+=("$programs/tests/$name") ;;
		esac
	done
	build_programs "$mode" all unit tools
	add_run "$mode" "${files[@]}"
}

# --- other web servers ----------------------------------------------------------------------------

# NAME,NAME… or all.
choose_test_servers() {
	IFS=, read -ra servers_to_test <<<"$1"
	[[ $1 != all ]] || read -ra servers_to_test < <(server_names)
	for MCS_SERVER in "${servers_to_test[@]}"; do
		choose_server
		need_packages "${program_packages[@]}" "$server_package"
	done
}

# Behind other web servers than lighttpd: the files that they can change, or those named.
add_servers() {
	local files=("$@") server
	((${#files[@]})) || files=("${server_files[@]/%/.bats}")
	files=("${files[@]#tests/}")
	build_programs release all tools
	for server in "${servers_to_test[@]}"; do
		add_run "release-$server" "${files[@]/#/$here/tests/}"
	done
}

# The table of docs/webservers.md.
write_servers() {
	echo '| web server | package | tests passed | failed | skipped |
|---|---|---|---|---|' >"$here/build/servers.md"
	for MCS_SERVER in "${servers_to_test[@]}"; do
		choose_server
		echo "| $MCS_SERVER | $(dpkg-query -W -f '${Package} ${Version}' "$server_package") | $(counts_of "release-$MCS_SERVER") |"
	done >>"$here/build/servers.md"
}

counts_of() { echo "${count_in_run[$1/passed]:-0} | ${count_in_run[$1/failed]:-0} | ${count_in_run[$1/skipped]:-0}"; }
