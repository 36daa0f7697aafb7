# shellcheck shell=bash
# The same with next to nothing in the table, with millions of finished calls, and with many live ones: four
# instances side by side, driven in turn. What knows neither table nor live calls (wsd's sockets, a responder's
# memory, round trips) is left out.
# shellcheck source=bench/idle.bash
. "$root/bench/idle.bash"
# shellcheck source=bench/steady.bash
. "$root/bench/steady.bash"

# Finished calls from all over the table: sets ids.
find_cold() {
	ids=$MCS_TEST_DIR/$name.cold
	sql "SELECT 'calls/' || id FROM calls TABLESAMPLE SYSTEM (least(100, 4000000.0 / ${sizes[$name]}))
	      WHERE upload_status = 'COMPLETED' AND api_key = '$bench_key' ORDER BY random() LIMIT 1000" >"$ids"
}

start_grown() {
	bench_instance "$name"
	fill_with_finished "${sizes[$name]}"
	[[ $name != ten ]] || idle ", ${labels[ten]}"
	[[ $name != live ]] || preload "$(quick 1000 100000)" 3600 0 queued
	hold_component worker
	find_cold
	cases[$name GET /calls/ID, cold]="$BASE/|200|get|$bench_key|$ids"
	make_calls "$name"
	cases[$name GET /calls/ID]="$BASE/|200|get|$bench_key|$ids"
	cases[$name GET /metrics]="$BASE/metrics|200|get|$bench_key"
	cases[$name GET /health]="$BASE/health|200|get|-"
	cases[$name POST /calls]="$BASE/calls|201|post|$key_list"
	start_front "$B/mcs-responder" '' MAX_CONCURRENT_CALLS_PER_KEY=1
	cases[$name 429]="$front/calls|429|post|$bench_key"
}

compare_grown() {
	local name list=()
	for name in "${names[@]}"; do list+=("$1, ${labels[$name]}|ours|${cases[$name $1]}"); done
	compare "$(quick 1 11)" 1 16 "${list[@]}"
}

# Processor time of all components together.
cost_grown() {
	local i name how before
	local -A values=()
	for ((i = 0; i < $(quick 1 3); i++)); do
		for name in "${names[@]}"; do
			use "$name"
			IFS='|' read -ra how <<<"${cases[$name $1]}"
			before=$(cpu_of_all)
			hit "${how[0]}" 16 1 "${how[@]:1}"
			values[$name]+="$(jq -n "($(cpu_of_all) - $before) / $requests * 10 | round / 10") "
		done
	done
	for name in "${names[@]}"; do
		# shellcheck disable=SC2086
		record "$1, ${labels[$name]}" ours 'CPU s a million' ${values[$name]}
	done
}

drain_grown() {
	local i name rate
	local -A rates=()
	for ((i = 0; i < $(quick 1 3); i++)); do
		for name in "${names[@]}"; do
			use "$name"
			release_component worker
			drain "$(quick 1000 40000)" "$(quick 12 30)"
			rates[$name]+="$rate "
			forget_open
			hold_component worker
		done
	done
	for name in "${names[@]}"; do
		# shellcheck disable=SC2086
		record "transitions, ${labels[$name]}" ours 'moves/s' ${rates[$name]}
	done
}

# Compared with figures, not with an empty table.
play_the_largest() {
	local label=${labels[ten]} late under_way
	use ten
	release_component worker
	paced queued 5500
	forget_open
	record "transitions, paced: lateness p99, $label" ours ms "$(jq .p99_ms <<<"$late")"
	paced upload 5500
	record "uploads of 3 s that end, $label" ours 'uploads/s' "$(jq .final_rate <<<"$late")"
	play_steadily
	record "POST /calls, all running, $label @16" ours 'requests/s' "$rate"
	record "lateness p99, $label" ours ms "$(jq .p99_ms <<<"$late")"
}

bench_growth() {
	local -A labels=([none]='0 finished' [million]='1000000 finished' [ten]='10000000 finished' [live]='100000 live')
	local -A sizes=([none]=16000 [million]=$(quick 16000 1000000) [ten]=$(quick 32000 10000000) [live]=16000) cases=()
	local names=(none million ten live) name what ids
	for name in "${names[@]}"; do start_grown; done
	for what in 'GET /calls/ID' 'GET /calls/ID, cold' 'GET /metrics' 'GET /health' 429 'POST /calls'; do compare_grown "$what"; done
	for what in 'GET /calls/ID' 'GET /calls/ID, cold' 'POST /calls'; do cost_grown "$what"; done
	for name in "${names[@]}"; do use "$name" && forget_open; done
	drain_grown
	for name in none million live; do end_instance "$name"; done
	play_the_largest
	end_instance ten
}
