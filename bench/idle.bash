# shellcheck shell=bash
# What a copy costs that nobody uses: processor time in percent of one core, and memory.

# Of the copy in use; the label goes behind each figure's name.
idle() {
	local seconds name used ours=0 theirs=0
	local -A before=()
	seconds=$(quick 3 60)
	for name in "${cost_parts[@]}"; do before[$name]=$(cpu_us "$name"); done
	sleep "$seconds"
	for name in "${cost_parts[@]}"; do
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

bench_idle() {
	local name
	bench_copy idle
	sleep "$(quick 1 5)"
	idle ''
	for name in "${cost_parts[@]}"; do
		record "private memory, idle: a process of $name" ours kB "$(memory_kb "$name" Private)"
		record "resident memory, idle: a process of $name" ours kB "$(memory_kb "$name" Rss)"
	done
	end_copy idle
}
