# shellcheck shell=bash
# POST /calls as fast as they go while everything runs: the worker plays all the calls, their
# recordings are uploaded, and nobody may be kept waiting. The floor of that is the same as of `post`:
# it leaves no work behind, so it is measured with the worker idle, before and after.

bench_steady() {
	local connections=16 seconds warm rates=() floor_rates=() late pid
	bare() {
		for _ in 1 2 3; do
			hit "$floors/floor/post" "$connections" "$(quick 1 4)" ok post "$key_list" && floor_rates+=("$rate")
		done
	}
	seconds=$(quick 3 40) warm=$(quick 2 20)
	bench_copy floors
	hold_part worker
	start_floors
	bench_copy main
	bare
	# Until calls end as fast as they begin.
	hit "$BASE/calls" "$connections" "$warm" ok post "$key_list"
	in_copy "$B/bench/late" 1000000000 "$seconds" 30 >"$MCS_TEST_DIR/late" &
	pid=$!
	hit "$BASE/calls" "$connections" "$seconds" ok post "$key_list" && rates+=("$rate")
	wait "$pid"
	sleep "$(quick 1 20)" # until the last calls are over
	bare
	late=$(<"$MCS_TEST_DIR/late")
	record "admission and insert @$connections" 'floor d' 'requests/s' "${floor_rates[@]}"
	record "POST /calls, all running @$connections" ours 'requests/s' "${rates[@]}"
	record "POST /calls, all running @$connections" ours 'p99 µs' "$p99"
	record 'states entered meanwhile' ours 'moves/s' "$(jq .moved_rate <<<"$late")"
	record 'uploads meanwhile' ours 'uploads/s' "$(jq .final_rate <<<"$late")"
	record 'lateness p50' ours ms "$(jq .p50_ms <<<"$late")"
	record 'lateness p99' ours ms "$(jq .p99_ms <<<"$late")"
	use floors
	stop_front
	end_copy main
	end_copy floors
}
