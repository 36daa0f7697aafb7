# shellcheck shell=bash
# ./mcs test --faults [NAME...]: breaks things under load, one after the other, and accounts for every
# call, answer and event afterwards. The faults are tests/faults/cases.bash's, the accounting is
# tests/faults/account.bash's. Also what ./mcs soak shares with it.

case_table=() # tests/faults/cases.bash fills it
load_keys=6 load_rate=90 load_subscribers=300
load_settings=(TIME_SCALE=8 MAX_CPS_PER_KEY=12 MAX_CONCURRENT_CALLS_PER_KEY=12 LOG_LEVEL=info)
fault_folders=()

# What the cases need around them: the bats files' helpers, without bats.
prepare_faults() {
	((EUID == 0)) || die 'the fault suite needs root (it mounts, and stops processes of the user mcs)'
	need_packages "${program_packages[@]}" "${test_packages[@]}"
	forget_settings
	build_programs release all tools
	MCS_TEST_DIR=$(mktemp -d /tmp/mcs.XXXXXX) && chmod 711 "$MCS_TEST_DIR" || exit
	export MCS_TEST_DIR BATS_TEST_TMPDIR=$MCS_TEST_DIR
	trap end_faults EXIT
	trap 'exit 130' INT TERM HUP
	# shellcheck source=/dev/null
	. "$here/tests/harness/helpers.bash"
	# shellcheck source=/dev/null
	. "$here/tests/harness/service.bash"
	# shellcheck source=/dev/null
	. "$here/tests/faults/account.bash"
	# shellcheck source=/dev/null
	. "$here/tests/faults/cases.bash"
	fault_folders=("$MCS_TEST_DIR/release" "$MCS_TEST_DIR/faults")
	mkdir -m 711 "${fault_folders[@]}"
}

end_faults() {
	local file folder
	trap '' INT TERM HUP
	for folder in "${fault_folders[@]}"; do
		for file in "$folder"/*.instance; do
			[[ -e $file ]] || continue
			MCS_BUILD=$(basename "$folder") stop_instance "$(basename "$file" .instance)"
		done
	done
	! mountpoint -q "$MCS_TEST_DIR/release/disk/postgres" || umount "$MCS_TEST_DIR/release/disk/postgres"
	if ((failed)); then
		rm -rf "$MCS_TEST_DIR"/*/*/postgres
	else
		rm -rf "${MCS_TEST_DIR:?}"
	fi
}

# --- the instances, each started when a case first wants it ------------------------------------------

main_instance() { MCS_BUILD=release start_instance main "${load_settings[@]}"; }

points_instance() {
	build_programs faults all
	MCS_BUILD=faults start_instance points "${load_settings[@]}"
}

# Its PostgreSQL lives on a file system of 160 MB.
disk_instance() {
	local folder=$MCS_TEST_DIR/release/disk
	export MCS_BUILD=release
	start_instance disk "${load_settings[@]}" && stop_instance disk || return
	mv "$folder/postgres" "$folder/postgres.0" && mkdir "$folder/postgres" &&
		mount -t tmpfs -o size=160m,mode=700 tmpfs "$folder/postgres" &&
		cp -a "$folder/postgres.0/." "$folder/postgres/" && rm -rf "$folder/postgres.0" &&
		chown mcs:mcs "$folder/postgres" || return
	start_instance disk "${load_settings[@]}"
}

# Everything in it takes the time from a clock that the file clock/now sets off.
clock_instance() {
	local folder=$MCS_TEST_DIR/clock
	build_programs faults all
	mkdir -m 755 "$folder" && cp "$here/build/release/tests/clock.so" "$folder/" && echo 0 >"$folder/now" &&
		chmod 644 "$folder/now" || return
	MCS_BUILD=faults start_instance clock "${load_settings[@]}" LD_PRELOAD="$folder/clock.so" CLOCK_FILE="$folder/now"
}

use_fault_instance() {
	export MCS_BUILD=release
	[[ $1 != points && $1 != clock ]] || MCS_BUILD=faults
	if [[ -e $MCS_TEST_DIR/$MCS_BUILD/$1.instance ]]; then
		use "$1"
	else
		"$1_instance"
	fi
}

# --- a case ---------------------------------------------------------------------------------------

# Starts the load for $2 seconds with fresh keys; its log is $1.log, its totals $1.json.
start_load() {
	local keys=() i
	for ((i = 0; i < load_keys; i++)); do
		fresh_key || return
		keys+=("$KEY")
	done
	setpriv --pdeathsig KILL -- "$here/build/release/tests/load" traffic 127.0.0.1 "$PORT" "$1.log" "$2" \
		"$load_rate" "$load_subscribers" 20 "${keys[@]}" >"$1.json" &
	load_pid=$!
}

# What a case that failed leaves behind is not for the next one.
end_fault_instance() {
	local folder
	folder=$(instances_folder)
	stop_instance "$1" 2>/dev/null
	! mountpoint -q "$folder/$1/postgres" || umount "$folder/$1/postgres"
	rm -rf "$folder/$1/postgres" "$MCS_TEST_DIR/clock"
	mkdir -p "$MCS_TEST_DIR/failed" && mv "$folder/$1" "$MCS_TEST_DIR/failed/$1.$failed"
}

# A row for docs/reliability.md: what happened, what clients saw, and the mutants that this case fails.
table_row() {
	local mutants late
	late=$(sed -n 's/.*(at most \([0-9]* ms\) late.*/\1/p' "$4.out")
	mutants=$(mutants_of "$1")
	if [[ ! -e $4.json ]]; then
		printf '| %s | – | – | – | – | – | – | – | %s | %s |\n' "$2" "${3:-kept}" "$mutants"
		return
	fi
	jq -r --arg what "$2" --arg wrong "${3:-kept}" --arg mutants "$mutants" --arg late "${late:-–}" '"| " + ([$what,
		.created, .unavailable, (.other + .no_answer), "\(.slowest_ms) ms", $late, .cuts, "\(.longest_away_ms) ms",
		$wrong, $mutants] | map(tostring) | join(" | ")) + " |"' "$4.json"
}

table_head() {
	echo '| fault, under load | created | 503 | requests cut | slowest answer | calls late by | WebSockets cut | away at most | promises | fails with |'
	echo '|---|---|---|---|---|---|---|---|---|---|'
}

# What the clients saw, in a line.
load_line() {
	jq -r '"#   created \(.created) (\(.created_a_second)/s), 429 \(.limited), 503 \(.unavailable), other \(.other), none \(.no_answer), slowest \(.slowest_ms) ms; sockets \(.sockets_mean), cuts \(.cuts), away at most \(.longest_away_ms) ms, followed \(.followed), wrong \(.wrong)"' "$1.json"
}

# run_case KIND NAME SECONDS OPTIONS WHAT: puts SECONDS of load (0: none) on the instance in use, calls KIND_NAME
# meanwhile, and accounts for the load. KIND is fault or hosts; build/faults.md or build/hosts.md gets a row.
run_case() {
	local kind=$1 name=$2 seconds=$3 options=$4 what=$5 file=$MCS_TEST_DIR/$2 begin=$SECONDS wrong=''
	[[ $kind == hosts ]] || wait_until 30 is_ready 2>/dev/null || wrong+=' not-ready-before'
	if ((seconds)); then
		start_load "$file" "$seconds" || wrong+=' no-load'
		wait_until 30 load_is_on "$file.log" || wrong+=' too-little-load'
	fi
	"${kind}_$name" >"$file.out" 2>&1 || wrong+=' the-fault-did-not-happen'
	((seconds == 0)) || account_for "$file" "$options"
	[[ $kind == hosts ]] || wait_until 30 is_ready 2>/dev/null || wrong+=' not-ready-after'
	table_row "$name" "$what" "$wrong" "$file" >>"$here/build/${kind/%fault/faults}.md"
	if [[ $wrong ]]; then
		sed -n '/^  ok/!s/^/#   /p' "$file.out" | cut -c 1-1500
		count_line "not ok - $name:$wrong ($((SECONDS - begin)) s)"
		return 1
	fi
	[[ $kind == fault ]] || sed -n '/^  /!s/^/#   /p' "$file.out" | cut -c 1-300
	count_line "ok - $name ($((SECONDS - begin)) s)"
}

# Waits for the end of the load whose files are $1.*, and compares its log with the database; adds to `wrong`.
account_for() {
	wait "$load_pid" || wrong+=' load-failed'
	[[ $(jq .sockets_max "$1.json") -ge 200 ]] || wrong+=' too-few-subscribers'
	wait_until 30 all_ended 2>>"$1.out" || wrong+=' not-ended'
	# shellcheck disable=SC2086
	account "$1.log" $2 >>"$1.out" 2>&1 || wrong+=' account'
	load_line "$1"
}

run_fault_case() {
	local name=$1 instance=$2
	if ! use_fault_instance "$instance" >"$MCS_TEST_DIR/$instance.start" 2>&1; then
		cat "$MCS_TEST_DIR/$instance.start"
		count_line "not ok - $name (its instance did not start)"
		return
	fi
	run_case fault "$name" "${@:3}" || end_fault_instance "$instance"
}

test_faults() {
	local line name instance seconds options what wanted=" $* " begin=$SECONDS
	prepare_faults
	table_head >"$here/build/faults.md"
	for line in "${case_table[@]}"; do
		IFS='|' read -r name instance seconds options what <<<"$line"
		((seconds)) && [[ $wanted == '  ' || $wanted == *" $name "* ]] || continue
		run_fault_case "$name" "$instance" "$seconds" "$options" "$what"
	done
	echo "# the fault suite took $((SECONDS - begin)) s; its table is build/faults.md"
	print_tally "$MCS_TEST_DIR/failed"
}
