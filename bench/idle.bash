# shellcheck shell=bash
# What an instance costs that nobody uses: processor time in percent of one core, and memory; the same where
# calls are a thousand times faster, and how long a call takes there.

# Of the instance in use; the label goes behind each figure's name.
idle() {
	local seconds name used ours=0 theirs=0
	local -A before=()
	seconds=$(quick 3 60)
	for name in "${cost_components[@]}"; do before[$name]=$(cpu_us "$name"); done
	sleep "$seconds"
	for name in "${cost_components[@]}"; do
		used=$(($(cpu_us "$name") - before[$name]))
		record "processor, idle: $name$1" ours '% of a core' "$(percent "$used" "$seconds")"
		case $name in
			postgres | redis) theirs=$((theirs + used)) ;;
			*) ours=$((ours + used)) ;;
		esac
	done
	record "processor, idle: our processes$1" ours '% of a core' "$(percent "$ours" "$seconds")"
	record "processor, idle: the databases$1" ours '% of a core' "$(percent "$theirs" "$seconds")"
}

percent() { jq -n "$1 / $2 / 10 | round / 1000"; }

# One call after another, from the creation to the recording.
lives() {
	local i lives
	for ((i = 0; i < $(quick 5 100); i++)); do
		# shellcheck disable=SC2119
		create_call || die 'a call was not created'
		wait_until 20 has_recording || die 'a call did not end'
	done
	mapfile -t lives < <(sql 'SELECT round(extract(epoch FROM updated_at - created_at) * 1000) FROM calls')
	record 'a call, TIME_SCALE=1000: its whole life' ours ms "${lives[@]}"
}

bench_idle() {
	local name
	bench_instance idle
	sleep "$(quick 1 5)"
	idle ''
	for name in "${cost_components[@]}"; do
		record "private memory, idle: a process of $name" ours kB "$(memory_kb "$name" Private)"
		record "resident memory, idle: a process of $name" ours kB "$(memory_kb "$name" Rss)"
	done
	end_instance idle
	bench_instance quick TIME_SCALE=1000
	sleep "$(quick 1 5)"
	idle ', TIME_SCALE=1000'
	KEY=$bench_key lives
	end_instance quick
}
