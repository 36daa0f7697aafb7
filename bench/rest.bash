# shellcheck shell=bash
# Requests that change nothing, beside the floors: throughput and latency at 1 to 256 connections.

# Lets Redis forget them, as it does of calls that ended an hour ago.
make_cold() {
	sed 's|^calls/||' "$ids" | grep -F -f - <(live --scan --pattern 'mcs:{?}:call:*') | xargs -n 500 \
		redis-cli "${REDIS_AT[@]}" UNLINK >/dev/null
}

bench_rest() {
	local repeats seconds connections counts=(1 16 64 256) live_ids cold_ids strict cases
	repeats=$(quick 1 9) seconds=1
	! quick || counts=(16)
	# One whose keys are at their limit, and stay there: nothing moves.
	bench_copy strict MAX_CONCURRENT_CALLS_PER_KEY=3 MAX_CPS_PER_KEY=1000
	hold_part worker
	strict=$BASE
	KEY=$bench_key
	for _ in 1 2 3; do
		create_call || die 'no call at the limit'
	done
	bench_copy main
	hold_part worker
	start_floors
	make_calls cold && cold_ids=$ids && make_cold
	make_calls live && live_ids=$ids
	cases=(
		"a file|floor a|$floors/file.html|ok|get|-"
		"a constant|floor b|$floors/floor/constant|ok|get|-"
		"GET /health|ours|$BASE/health|ok|get|-"
		"a GET of Redis|floor c|$floors/floor/get|ok|get|$bench_key"
		"GET /calls/ID, live|ours|$BASE/|ok|get|$bench_key|$live_ids"
		"429|ours|$strict/calls|refused|post|$bench_key"
		"GET /calls/ID, cold|ours|$BASE/|ok|get|$bench_key|$cold_ids"
		"GET /metrics|ours|$BASE/metrics|ok|get|$bench_key"
		"404|ours|$BASE/nothing|refused|get|$bench_key"
		"401|ours|$BASE/metrics|refused|get|-"
	)
	for connections in "${counts[@]}"; do
		compare "$repeats" "$seconds" "$connections" "${cases[@]}"
	done
	stop_front
	end_copy main
	end_copy strict
}
