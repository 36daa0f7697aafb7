# shellcheck shell=bash
# Runs test files beside each other and counts what they say. A run is one build behind one web server: its
# unit test programs, and its bats files, which share the instances of tests/setup_suite.bash. Every file is
# a process of its own with a time limit; its output is printed when it ends.

jobs_beside=${MCS_TEST_JOBS:-6}     # files at the same time: most of them wait most of the time
file_seconds=${MCS_TEST_SECONDS:-900} # the time limit of a file

runs=()                # their names: BUILD or BUILD-SERVER, such as release, asan, release-nginx
queue=()               # RUN|FILE, what is not started yet, in the order in which it will be
declare -gA run_state=() # of a run: building, starting, open (its files may start), failed
declare -gA files_left=() # of a run: how many files have not ended yet
declare -gA instances_of=() # of a run: the process that holds its shared instances
declare -gA job_of=()    # of a process: what it is for, "file RUN|FILE", "build RUN", "start RUN", "instances RUN"
declare -gA began_at=()  # of a process: when it started, in seconds

# add_run NAME FILE...: a run of these unit test programs and bats files.
add_run() {
	local run=$1 file
	runs+=("$run")
	files_left[$run]=0
	for file in "${@:2}"; do
		queue+=("$run|$file")
		((++files_left[$run]))
	done
}

# Runs all that was added. A run with the state `building` begins when its build has ended, see build_run.
test_runs() {
	local run
	sort_queue
	sanitize
	for run in "${runs[@]}"; do
		[[ ${run_state[$run]:-} == building ]] || start_run "$run"
	done
	while ((${#job_of[@]})) || can_start; do
		while ((${#job_of[@]} - ${#instances_of[@]} < jobs_beside)) && start_next; do :; done
		end_one
	done
	count_reports
	counted_run=''
	for run in "${runs[@]}"; do keep_logs "$run"; done
	print_slowest "${runs[@]}"
}

can_start() {
	local job
	for job in "${queue[@]}"; do
		[[ ${run_state[${job%%|*}]} != open ]] || return 0
	done
	return 1
}

# Notes a process that was just started, and what it is for.
note_job() {
	job_of[$!]=$1 began_at[$!]=$SECONDS
}

# --- a run ----------------------------------------------------------------------------------------

build_of() { echo "${1%%-*}"; }

# Makes the build of a run, beside what is running; the run begins when it is done.
build_run() {
	run_state[$1]=building
	{ renice -n 10 "$BASHPID" && build_programs "$(build_of "$1")" all unit tools; } >"$MCS_TEST_DIR/$1-build.out" 2>&1 &
	note_job "build $1"
}

# Starts the shared instances; the run is open when they are ready.
start_run() {
	local run=$1 ready=$MCS_TEST_DIR/$1/shared
	run_state[$run]=open
	[[ -e $here/tests/setup_suite.bash && " ${queue[*]} " == *"$run|"*.bats* ]] || return 0
	run_state[$run]=starting
	(
		become_run "$run"
		# shellcheck disable=SC2016
		exec setpriv --pdeathsig TERM -- bash -c '. "$1/tests/setup_suite.bash" && hold_instances' - "$here"
	) >"$MCS_TEST_DIR/$run-instances.out" 2>&1 </dev/null &
	instances_of[$run]=$!
	note_job "instances $run"
	(until [[ -e $ready ]] || ! kill -0 "${instances_of[$run]}"; do sleep 0.2; done) 2>/dev/null &
	note_job "start $run"
}

# The environment of a run's processes.
become_run() {
	export MCS_BUILD MCS_TEST_SHARED=yes
	MCS_BUILD=$(build_of "$1")
	unset MCS_SERVER
	[[ $1 != *-* ]] || export MCS_SERVER="${1#*-}"
	[[ $MCS_BUILD != asan ]] || renice -n 5 "$BASHPID" >/dev/null
}

# Ends the shared instances when the last file of the run has ended.
end_run() {
	[[ ! ${instances_of[$1]:-} ]] || kill -s TERM "${instances_of[$1]}"
}

# Nothing of it will run any more.
fail_run() {
	local job left=()
	count_line "not ok - $2"
	run_state[$1]=failed
	for job in "${queue[@]}"; do
		[[ $job == "$1|"* ]] || left+=("$job")
	done
	queue=("${left[@]}")
}

# --- a file ---------------------------------------------------------------------------------------

# The longest ones first, by how long they took in the last run, or else by long_files.
sort_queue() {
	local job file sorted=()
	mapfile -t sorted < <(for job in "${queue[@]}"; do
		file=$(basename "${job#*|}")
		echo "$([[ $job != asan* ]] && echo 0 || echo 1)|$(seconds_of "${job%%|*}" "$file")|$job"
	done | sort -s -t '|' -k 1,1n -k 2,2nr | cut -d '|' -f 3-)
	queue=("${sorted[@]}")
}

# How long a file is expected to take.
seconds_of() {
	local seconds
	seconds=$(awk -v run="$1" -v file="$2" '$1 == run && $2 == file { print $3; exit }' "$here/build/test.times" 2>/dev/null)
	[[ $seconds ]] || seconds=$(awk -v file="$2" '$1 == file { print $2; exit }' <<<"$long_files")
	echo "${seconds:-0}"
}

# Starts the first file in the queue whose run is open. Whether a program was built is known only then.
start_next() {
	local i job run file
	for i in "${!queue[@]}"; do
		job=${queue[i]} run=${queue[i]%%|*} file=${queue[i]#*|}
		[[ ${run_state[$run]} == open ]] || continue
		unset 'queue[i]'
		if [[ $file != *.bats && ! -x $file ]]; then
			counted_run=$run count_line "not ok - there is no program $file"
			forget_file "$run"
			return 0
		fi
		(
			become_run "$run"
			[[ $file != *.bats ]] || set -- bats --tap --timing --print-output-on-failure
			exec setpriv --pdeathsig TERM -- timeout -k 20 "$file_seconds" "$@" "$file"
		) >"$(output_of "$job")" 2>&1 </dev/null &
		note_job "file $job"
		return 0
	done
	return 1
}

output_of() { echo "$MCS_TEST_DIR/${1%%|*}-$(basename "$1").out"; }

# --- what ended -----------------------------------------------------------------------------------

# Waits for one process to end, and counts it. (bash 5.2 has a wait -n that overlooks some.)
end_one() {
	local number status kind what
	until find_ended; do sleep 0.1; done
	read -r kind what <<<"${job_of[$number]}"
	unset "job_of[$number]"
	counted_run=${what%%|*}
	"end_$kind" "$what" "$status" $((SECONDS - began_at[$number]))
}

# Sets `number` to a process that has ended, and its `status`.
find_ended() {
	for number in "${!job_of[@]}"; do
		kill -0 "$number" 2>/dev/null && continue
		wait "$number"
		status=$?
		return 0
	done
	return 1
}

end_file() {
	local run=${1%%|*} file=${1#*|} status=$2 took=$3 name cases=() output
	name=$(basename "$file") output=$(output_of "$1")
	echo "# $run: $name ($took s)"
	[[ $file != *.bats ]] || mapfile -t cases < <(sed -n 's/^@test \(.*\) {.*/\1/p' "$file")
	count_tap "$name" <"$output"
	((status != 137 || took < file_seconds)) || status=124 # it had to be killed
	count_end "$name" "$status" "${cases[@]}"
	echo "$run $name $took" >>"$MCS_TEST_DIR/times"
	forget_file "$run"
}

# One file less of a run.
forget_file() { ((--files_left[$1])) || end_run "$1"; }

end_build() {
	if (($2)); then
		cat "$MCS_TEST_DIR/$1-build.out"
		fail_run "$1" "the build $1"
	else
		start_run "$1"
	fi
}

end_start() {
	if [[ -e $MCS_TEST_DIR/$1/shared ]]; then
		run_state[$1]=open
	else
		fail_run "$1" "the shared instances of $1 did not start"
	fi
}

end_instances() {
	unset "instances_of[$1]"
	(($2)) || return 0
	cat "$MCS_TEST_DIR/$1-instances.out"
	count_line "not ok - the shared instances of $1 did not end well"
}

# Ends whatever still runs.
kill_jobs() {
	((${#job_of[@]} == 0)) || kill -s TERM "${!job_of[@]}" 2>/dev/null
}

# --- what they leave ------------------------------------------------------------------------------

# The logs of a run that failed get a folder of their own, which no later run uses.
keep_logs() {
	local folder=$MCS_TEST_DIR/$1
	[[ -d $folder && " ${failed_cases[*]} " == *" $1: "* ]] || return 0
	rm -rf "$folder"/*/postgres "${MCS_TEST_DIR:?}/$1.failed"
	mv "$folder" "$folder.failed"
}

# Makes the sanitizers write where nothing is overlooked: also programs whose output nobody sees.
sanitize() {
	report_folder=$(mktemp -d /tmp/mcs-reports.XXXXXX) && chmod 1777 "$report_folder" || exit
	export ASAN_OPTIONS=detect_leaks=1:log_exe_name=1:log_path=$report_folder/asan
	export UBSAN_OPTIONS=print_stacktrace=1:log_exe_name=1:log_path=$report_folder/ubsan
}

count_reports() {
	local file
	counted_run=${runs[-1]} # the release build has no sanitizers
	for file in "$report_folder"/*; do
		[[ -s $file ]] || continue
		sed 's/^/#   /' "$file"
		count_line "not ok - sanitizer report $(basename "$file")"
	done
	rm -rf "$report_folder"
	report_folder=''
}
