# shellcheck shell=bash
# The tally of a test run: counts what TAP says, notices what was not run, and repeats at the end what failed,
# where a person looks.

passed=0 failed=0 skipped=0
failed_cases=() # of each failed case: its line, and below it the line of the test that failed
reason='' reads_reason=''

# Counts a line of TAP and prints it.
count_line() {
	case $1 in
		'ok '*'# skip'*) ((++skipped)) ;;
		'ok '*) ((++passed)) ;;
		'not ok '*) ((++failed)) ;;
		1..*) return ;;
	esac
	note_failure "$1"
	printf '%s\n' "$1"
}

# A unit test says which line failed before its "not ok", bats says it after that.
note_failure() {
	case $1 in
		'not ok '*)
			failed_cases+=("${MCS_BUILD:+$MCS_BUILD: }$1$reason")
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

# Runs a command that prints TAP, shows its lines as they come, and counts them. Fewer results than it
# announced, or no plan at all, count as a failure. Sets `planned`.
count_tests() {
	local line before=$((passed + failed + skipped)) before_failed=$failed status name ran
	name=$(basename "${*: -1}")
	planned=0
	exec {tap_fd}< <("$@" 2>&1 </dev/null)
	while IFS= read -r line <&"$tap_fd"; do
		[[ $line != 1..+([0-9]) ]] || planned=${line#1..}
		count_line "$line"
	done
	wait $!
	status=$?
	exec {tap_fd}<&-
	ran=$((passed + failed + skipped - before))
	if ((ran < planned || planned == 0)); then
		count_line "not ok - $name ended with status $status after $ran of $planned cases"
	elif ((status && failed == before_failed)); then
		count_line "not ok - $name ended with status $status"
	fi
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
