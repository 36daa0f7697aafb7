# shellcheck shell=bash
# POST /calls as fast as they go while everything runs: the worker plays all the calls, their
# recordings are uploaded, and nobody may be kept waiting. The floor of that is the same as of `post`:
# it leaves no work behind, so it is measured when there is none, in turn.

# In the instance in use: sets rate, p99 (µs, of the POSTs) and late. Before that calls end as fast as they
# begin; after it all are over.
play_steadily() {
	local pid open i
	open=$(open_calls)
	hit "$BASE/calls" 16 "$(quick 2 20)" 201 post "$key_list"
	in_instance "$B/bench/late" 1000000000 "$(quick 3 30)" 30 >"$MCS_TEST_DIR/late" &
	pid=$!
	hit "$BASE/calls" 16 "$(quick 3 30)" 201 post "$key_list"
	wait "$pid" || die 'nobody says how late calls moved on'
	late=$(<"$MCS_TEST_DIR/late")
	for ((i = 0; i < 60; i++)); do # seldom: the question costs the database something as well
		sleep 1
		has_ended "$open" && return
	done
	die 'calls are left over'
}

# What a call takes of each component from its creation to its recording.
note_cost() {
	local name total
	total=$(sql 'SELECT sum(total_calls) FROM metrics')
	for name in "${cost_components[@]}"; do
		record "a call, all of it: $name" ours 'CPU s a million' \
			"$(jq -n "($(cpu_us "$name") - ${before[$name]}) / ($total - $calls) * 100 | round / 100")"
	done
}

bench_steady() {
	local i name rate rates=() floor_rates=() late calls
	local -A values=() before=()
	note() { values[$1]+="$(jq "$2" <<<"$late") "; }
	bench_instance floors
	hold_component worker
	start_floors
	bench_instance main
	calls=$(sql 'SELECT sum(total_calls) FROM metrics')
	for name in "${cost_components[@]}"; do before[$name]=$(cpu_us "$name"); done
	for ((i = 0; i < $(quick 1 3); i++)); do
		hit "$floors/floor/post" 16 "$(quick 1 8)" 201 post "$key_list" && floor_rates+=("$rate")
		play_steadily && rates+=("$rate")
		values[slowest]+="$p99 "
		note moved .moved_rate
		note uploads .final_rate
		note p50 .p50_ms
		note p99 .p99_ms
	done
	note_cost
	record 'admission and insert @16' 'floor d' 'requests/s' "${floor_rates[@]}"
	record 'POST /calls, all running @16' ours 'requests/s' "${rates[@]}"
	# shellcheck disable=SC2086
	{
		record 'POST /calls, all running @16' ours 'p99 µs' ${values[slowest]}
		record 'states entered meanwhile' ours 'moves/s' ${values[moved]}
		record 'uploads meanwhile' ours 'uploads/s' ${values[uploads]}
		record 'lateness p50' ours ms ${values[p50]}
		record 'lateness p99' ours ms ${values[p99]}
	}
	end_instance main
	end_instance floors
}
