# shellcheck shell=bash
# What a copy costs that nobody uses: processor time in percent of one core, and memory.

bench_idle() {
	local seconds name before=() after=() i
	seconds=$(quick 3 60)
	bench_copy idle
	sleep "$(quick 1 5)"
	for name in "${cost_parts[@]}"; do before+=("$(cpu_us "$name")"); done
	sleep "$seconds"
	for name in "${cost_parts[@]}"; do after+=("$(cpu_us "$name")"); done
	local ours=0 theirs=0 used
	for i in "${!cost_parts[@]}"; do
		used=$((after[i] - before[i]))
		name=${cost_parts[i]}
		record "processor, idle: $name" ours '% of a core' "$(jq -n "$used / $seconds / 10000")"
		case $name in
			postgres | redis) theirs=$((theirs + used)) ;;
			*) ours=$((ours + used)) ;;
		esac
	done
	record 'processor, idle: our processes' ours '% of a core' "$(jq -n "$ours / $seconds / 10000")"
	record 'processor, idle: the databases' ours '% of a core' "$(jq -n "$theirs / $seconds / 10000")"
	for name in "${cost_parts[@]}"; do
		record "private memory, idle: $name" ours kB "$(private_kb "$name")"
	done
	end_copy idle
}
