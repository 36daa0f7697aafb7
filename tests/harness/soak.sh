# shellcheck shell=bash
# ./mcs soak MINUTES: one long load with random faults of tests/faults/cases.bash, the accounting of the
# fault suite at its end, and whether memory, descriptors and Redis's keys are back where they were.

cmd_soak() {
	[[ $# == 1 && $1 == +([0-9]) && $1 != 0 ]] || die 'usage: ./mcs soak MINUTES'
	local minutes=$1 before after names=() options=() in_hand=0 count=0 begin=$EPOCHSECONDS
	prepare_faults
	use_fault_instance main || exit
	read_soak_faults
	# What programs take when they have worked for the first time is theirs to keep.
	start_load "$MCS_TEST_DIR/warm" 10 && wait "$load_pid"
	wait_until 30 all_ended
	live --scan --pattern 'mcs:2:{*}:call:*' | xargs -r redis-cli -s "$MCS_VAR/run/redis.sock" DEL >/dev/null
	before=$(soak_sample)
	start_load "$MCS_TEST_DIR/soak" $((minutes * 60))
	soak_faults $((EPOCHSECONDS + minutes * 60 - 20))
	wait "$load_pid"
	wait_until 60 all_ended || count_line 'not ok - calls or jobs remain'
	wait_until 60 is_ready || count_line 'not ok - it is not ready'
	echo "# $count faults; $(<"$MCS_TEST_DIR/soak.json")"
	if account "$MCS_TEST_DIR/soak.log" also=0,500,502 in_hand="$in_hand" late=30000; then
		count_line "ok - accounting after $((EPOCHSECONDS - begin)) s"
	else
		count_line 'not ok - accounting'
	fi
	sleep 62 # as long as the record of a call that is over is kept
	after=$(soak_sample)
	compare_samples
	print_tally "$MCS_TEST_DIR"
}

# Those of the main instance; what each may cost in failed requests.
read_soak_faults() {
	local line name instance seconds option what
	for line in "${case_table[@]}"; do
		IFS='|' read -r name instance seconds option what <<<"$line"
		[[ $instance == main ]] || continue
		names+=("$name")
		option=${option##*in_hand=}
		options+=("${option:-0}")
	done
}

soak_faults() {
	local i
	sleep 5
	while ((EPOCHSECONDS < $1)); do
		i=$((RANDOM % ${#names[@]}))
		printf '# %(%H:%M:%S)T %s\n' -1 "${names[i]}"
		"fault_${names[i]}" >/dev/null 2>&1 || count_line "not ok - ${names[i]} did not happen"
		in_hand=$((in_hand + options[i])) count=$((count + 1))
		sleep $((4 + RANDOM % 8))
	done
}

# A line a component: name, KiB of memory of its own, descriptors, processes; and Redis's keys, where the
# windows of API keys that were used are not counted.
soak_sample() {
	local name number memory files processes size
	for name in wsd worker api; do
		memory=0 files=0 processes=0
		for number in $(pgrep -s "$(component_pid "$name")"); do
			size=$(awk '/^Pss:/ { print $2 }' "/proc/$number/smaps_rollup")
			memory=$((memory + size)) processes=$((processes + 1))
			files=$((files + $(find "/proc/$number/fd" -mindepth 1 | wc -l)))
		done
		echo "$name $memory $files $processes"
	done
	size=$(live INFO memory | sed -n 's/^used_memory:\([0-9]*\).*/\1/p')
	echo "redis $((size / 1024)) $(live CLIENT LIST | wc -l) 1"
	echo "keys $(live --scan | grep -c -v ':window:') 0 0"
}

compare_samples() {
	local name memory files processes then_memory then_files then_processes text
	while read -r name memory files processes then_memory then_files then_processes; do
		text="$name: $memory then $then_memory"
		[[ $name == keys ]] || text+=" KiB, $files then $then_files descriptors, $processes then $then_processes processes"
		if ((then_memory <= memory * 3 / 2 + 2048 && then_files <= files + 8 && then_processes <= processes)) &&
			[[ $name != keys || $memory == "$then_memory" ]]; then
			count_line "ok - $text"
		else
			count_line "not ok - $text"
		fi
	done < <(join <(sort <<<"$before") <(sort <<<"$after"))
}
