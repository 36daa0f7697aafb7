# shellcheck shell=bash
# Requests that change nothing, beside the floors: throughput and latency at 1 to 256 connections.

bench_rest() {
	local repeats seconds connections counts=(1 16 64 256) live_ids cold_ids strict full cases
	repeats=$(quick 1 7) seconds=1
	! quick || counts=(16)
	# One whose keys are at their limit, and stay there: nothing moves.
	bench_instance strict MAX_CONCURRENT_CALLS_PER_KEY=3 MAX_CPS_PER_KEY=1000
	hold_component worker
	strict=$BASE
	start_front "$B/mcs-responder" '' MAX_CONCURRENT_CALLS_PER_KEY=1000000 MAX_CPS_PER_KEY=1
	full=$front
	KEY=$bench_key
	for _ in 1 2 3; do
		create_call || die 'no call at the limit'
	done
	bench_instance main
	hold_component worker
	start_floors
	make_calls cold && cold_ids=$ids && make_cold
	make_calls live && live_ids=$ids
	cases=(
		"a file|floor a|$floors/file.html|200|get|-"
		"a constant|floor b|$floors/floor/constant|200|get|-"
		"GET /health|ours|$BASE/health|200|get|-"
		"a GET of Redis|floor c|$floors/floor/get|200|get|$bench_key"
		"GET /calls/ID, live|ours|$BASE/|200|get|$bench_key|$live_ids"
		"our script refuses|floor c, refused|$floors/floor/refuse|429|post|$bench_key"
		"429|ours|$strict/calls|429|post|$bench_key"
		"429, calls a second|ours|$full/calls|429|post|$bench_key"
		"GET /calls/ID, cold|ours|$BASE/|200|get|$bench_key|$cold_ids"
		"GET /metrics|ours|$BASE/metrics|200|get|$bench_key"
		"404|ours|$BASE/nothing|404|get|$bench_key"
		"401|ours|$BASE/metrics|401|get|-"
	)
	for connections in "${counts[@]}"; do
		compare "$repeats" "$seconds" "$connections" "${cases[@]}"
	done
	end_instance main
	end_instance strict
}
