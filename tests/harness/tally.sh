# shellcheck shell=bash
# The tally of a test run: counts what TAP says, notices what was not run, and repeats at the end what failed,
# where a person looks. Numbers are continuous over all programs and files that are counted.

passed=0 failed=0 skipped=0
declare -gA count_in_run=() # by RUN/passed, RUN/failed, RUN/skipped
counted_run='' # release, asan, release-nginx …: stands before the names of failed cases
failed_cases=() # of each failed case: its line, and below it the line of the test that failed
timed_cases=()  # RUN|MILLISECONDS|FILE|CASE
reason='' reads_reason=''

# Counts a line of TAP and prints it; $2: the file that it is about.
count_line() {
	local line=$1
	if [[ $line =~ ^((not )?ok )[0-9]+' '(.*)$ ]]; then
		line="${BASH_REMATCH[1]}$((passed + failed + skipped + 1)) ${BASH_REMATCH[3]}"
		note_time "${BASH_REMATCH[3]}" "${2:-}"
	fi
	case $line in
		'ok '*'# skip'*) ((++skipped)) && add_to_run skipped ;;
		'ok '*) ((++passed)) && add_to_run passed ;;
		'not ok '*) ((++failed)) && add_to_run failed ;;
		1..*) return ;;
	esac
	note_failure "$line"
	printf '%s\n' "$line"
}

add_to_run() { count_in_run[$counted_run/$1]=$((${count_in_run[$counted_run/$1]:-0} + 1)); }

# bats says how long a case took, unit tests do not.
note_time() {
	[[ ! $1 =~ ^(.*)' in '([0-9]+)ms ]] || timed_cases+=("$counted_run|${BASH_REMATCH[2]}|$2|${BASH_REMATCH[1]}")
}

# A unit test says which line failed before its "not ok", bats says it after that.
note_failure() {
	case $1 in
		'not ok '*)
			failed_cases+=("${counted_run:+$counted_run: }$1$reason")
			reason='' reads_reason=yes
			;;
		'ok '*) reason='' reads_reason='' ;;
	esac
	if [[ $1 =~ ^'#   '([^ ]+\.c:[0-9]+:.*) ]]; then
		reason=${reason:-$'\n'"#     ${BASH_REMATCH[1]}"}
	elif [[ $reads_reason && $1 =~ 'in test file '(.*', line '[0-9]+)')'$ ]]; then
		failed_cases[-1]+=$'\n'"#     ${BASH_REMATCH[1]}"
	elif [[ $reads_reason && $1 =~ ^'#   '(\`.*\'' failed'.*) ]]; then
		failed_cases[-1]+=": ${BASH_REMATCH[1]}"
		reads_reason=''
	fi
}

# Runs a command that prints TAP, shows its lines as they come, and counts them. Its last argument is the
# program or file.
count_tests() {
	local name status tap_fd
	name=$(basename "${*: -1}")
	exec {tap_fd}< <("$@" 2>&1 </dev/null)
	count_tap "$name" <&"$tap_fd"
	wait $!
	status=$?
	exec {tap_fd}<&-
	count_end "$name" "$status"
}

# Counts the TAP of the program or file $1 on standard input. Sets `planned`, `ran` and `wrong`, for count_end.
count_tap() {
	local line before=$((passed + failed + skipped)) before_failed=$failed
	planned=0
	while IFS= read -r line; do
		[[ $line != 1..+([0-9]) ]] || planned=${line#1..}
		count_line "$line" "$1"
	done
	ran=$((passed + failed + skipped - before)) wrong=$((failed - before_failed))
}

# How it ended: fewer results than it announced, or no plan at all, count as a failure, and so does a status
# that nothing explains. From $3 on: the names of the cases that a bats file has.
count_end() {
	local name=$1 status=$2 cases=("${@:3}") how
	how="ended with status $status"
	((status <= 128 || status > 192)) || how+=" (SIG$(kill -l $((status - 128))))"
	((status != 124)) || how="was stopped, for its time was over,"
	if ((planned && planned < ${#cases[@]})); then
		count_line "not ok - bats knows of $planned cases in $name, which has ${#cases[@]}"
	fi
	if ((ran < planned || planned == 0)); then
		count_line "not ok - $name $how after $ran of $planned cases${cases[ran]:+; the next one: ${cases[ran]}}"
	elif ((status && wrong == 0)); then
		count_line "not ok - $name $how"
	fi
}

# The ten slowest cases of each run.
print_slowest() {
	local run time file name
	for run; do
		[[ " ${timed_cases[*]}" == *" $run|"* ]] || continue
		echo "# the slowest cases of $run:"
		while IFS='|' read -r _ time file name; do
			printf '#   %3d.%d s  %-18s %s\n' $((time / 1000)) $((time % 1000 / 100)) "$file" "$name"
		done < <(printf '%s\n' "${timed_cases[@]}" | grep "^$run|" | sort -t '|' -k 2,2nr | sed 10q)
	done
}

# The last lines of a run; $1: the folders with the logs of what failed, one for each instance in them.
print_tally() {
	local skips=''
	if ((failed)); then
		printf '# failed:\n'
		printf '#   %s\n' "${failed_cases[@]}"
		[[ ! ${1:-} ]] || printf '# its logs: %s\n' "$1"
	fi
	((skipped == 0)) || skips=", $skipped skipped"
	echo "$passed passed, $failed failed$skips"
	((failed == 0 && passed > 0))
}
