# shellcheck shell=bash
# What a request costs: processor time by process, system calls, instructions, allocations, memory.

# Processor seconds that a million requests take of each component. Arguments: WHAT, then as hit() takes them.
cost_of() {
	local what=$1 seconds name i before=() after=()
	shift
	for name in "${cost_components[@]}"; do before+=("$(cpu_us "$name")"); done
	hit "$@"
	for name in "${cost_components[@]}"; do after+=("$(cpu_us "$name")"); done
	for i in "${!cost_components[@]}"; do
		seconds=$(jq -n "($((after[i] - before[i])) / $requests * 100 | round) / 100")
		record "$what: ${cost_components[i]}" ours 'CPU s a million' "$seconds"
	done
}

# trace_responders STRACE_OPTIONS HIT…: strace's output of the pool meanwhile is in $MCS_TEST_DIR/strace.
trace_responders() {
	local options=$1 tracer children=()
	shift
	mapfile -t children < <(pool_pids | tail -n +2)
	# shellcheck disable=SC2086
	strace -f $options -o "$MCS_TEST_DIR/strace" "${children[@]/#/-p}" 2>/dev/null &
	tracer=$!
	wait_until 30 are_traced "${children[@]}" || die 'strace did not start'
	hit "$1" 1 2 "${@:4}"
	kill -INT "$tracer"
	wait "$tracer"
	requests=$((requests + 2)) # the probes
}

# System calls that a request takes of the responders, and round trips to the databases.
calls_of() {
	local what=$1
	shift
	trace_responders '-c -U calls,name' "$@"
	record "$what: responder" ours 'system calls' \
		"$(awk -v n="$requests" '$2 == "total" { printf "%.1f", $1 / n }' "$MCS_TEST_DIR/strace")"
	awk -v n="$requests" '$1 ~ /^[0-9]+$/ && $1 / n > 0.05 && $2 != "total" { printf "    %.1f %s\n", $1 / n, $2 }' \
		"$MCS_TEST_DIR/strace" >&2
	trace_responders '-e trace=sendto,recvfrom,write,read -s 120' "$@"
	trips "$MCS_TEST_DIR/strace" | awk -v n="$requests" '
		{ count[$1]++ }
		END { printf "%.2f %.2f\n", count["redis"] / n, count["postgres"] / n }' >"$MCS_TEST_DIR/trips"
	record "$what: trips to Redis" ours 'a request' "$(jq -n "$(cut -d' ' -f1 "$MCS_TEST_DIR/trips")")"
	record "$what: trips to PostgreSQL" ours 'a request' "$(jq -n "$(cut -d' ' -f2 "$MCS_TEST_DIR/trips")")"
}

# What valgrind counts in a responder for so many requests: a pool of one child. Arguments: the tool's
# options, a pattern whose last number is wanted, how many requests, curl's arguments.
counted() {
	local options=$1 pattern=$2 count=$3 log=$MCS_TEST_DIR/valgrind.log
	shift 3
	rm -f "$log"
	printf '#!/bin/sh\nexec valgrind %s --log-file=%s %s\n' "$options" "$log" "$B/mcs-responder" >"$MCS_TEST_DIR/counted"
	chmod 755 "$MCS_TEST_DIR/counted"
	start_front "$MCS_TEST_DIR/counted" '' RESPONDERS=1
	wait_until 30 curl -q -sf -o /dev/null --noproxy '*' "$front/ready" || die 'no responder under valgrind'
	curl -q -s -o /dev/null --noproxy '*' -H "Authorization: Bearer $bench_key" "${@:1:$#-1}" "$front${!#}?n=[1-$count]" || die 'no answer under valgrind'
	stop_front
	wait_until 10 grep -q "$pattern" "$log" || die 'valgrind says nothing'
	sleep 0.5
	sed -n "s/.*$pattern *\([0-9,]*\).*/\1/p" "$log" | tr -d , | sort -n | tail -n 1
}

# Instructions and allocations that a request takes of a responder: the difference between many and few.
count_request() {
	local what=$1 few many
	shift
	few=$(counted '--tool=lackey' 'guest instrs:' 100 "$@") || exit
	many=$(counted '--tool=lackey' 'guest instrs:' 600 "$@") || exit
	record "$what: responder" ours instructions "$(((many - few) / 500))"
	few=$(counted '--leak-check=no' 'total heap usage:' 100 "$@") || exit
	many=$(counted '--leak-check=no' 'total heap usage:' 600 "$@") || exit
	record "$what: responder" ours allocations "$(jq -n "($many - $few) / 500 * 10 | round / 10")"
}

# A pool of one, after some requests of each kind and after a million and more.
memory_over_requests() {
	local sum=0 first
	bench_instance single RESPONDERS=1
	hold_component worker
	make_calls single
	mixture() {
		hit "$BASE/" 64 "$1" 200 get "$bench_key" "$ids" && sum=$((sum + requests))
		hit "$BASE/calls" 16 1 201 post "$key_list" && sum=$((sum + requests))
		hit "$BASE/nothing" 16 1 404 get "$bench_key" && sum=$((sum + requests))
		hit "$BASE/metrics" 16 1 401 get - && sum=$((sum + requests))
	}
	mixture 1
	first=$(responder_kb)
	while ((sum < $(quick 10000 1000000))); do mixture "$(quick 1 20)"; done
	record 'requests to one responder' ours requests "$sum"
	record 'a responder, private memory after these' ours kB "$(responder_kb)"
	record 'its growth over these' ours kB "$(($(responder_kb) - first))"
	end_instance single
}

responder_kb() { awk '/^Private_/ { sum += $2 } END { print sum }' "/proc/$(pool_pids | tail -n 1)/smaps_rollup"; }

bench_cost() {
	local seconds
	seconds=$(quick 1 10)
	bench_instance main
	hold_component worker
	make_calls live
	local get=("$BASE/" 16 "$seconds" 200 get "$bench_key" "$ids") \
		health=("$BASE/health" 16 "$seconds" 200 get -) \
		post=("$BASE/calls" 16 "$seconds" 201 post "$key_list")
	cost_of 'GET /health' "${health[@]}"
	cost_of 'GET /calls/ID, live' "${get[@]}"
	cost_of 'POST /calls' "${post[@]}"
	calls_of 'GET /health' "${health[@]}"
	calls_of 'GET /calls/ID, live' "${get[@]}"
	calls_of 'POST /calls' "${post[@]}"
	count_request 'GET /health' /health
	count_request 'GET /calls/ID, live' "/$(head -n 1 "$ids")"
	count_request 'POST /calls' -H 'Content-Type: application/json' \
		-d '{"from": "+1234567890", "to": "+0987654321", "metadata": {"test": true}}' /calls
	end_instance main
	memory_over_requests
}
