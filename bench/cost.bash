# shellcheck shell=bash
# What a request costs: processor time by process, system calls, instructions, allocations, memory.

# Processor seconds that a million requests take of each part. Arguments: WHAT, then as hit() takes them.
cost_of() {
	local what=$1 seconds name i before=() after=()
	shift
	for name in "${cost_parts[@]}"; do before+=("$(cpu_us "$name")"); done
	hit "$@"
	for name in "${cost_parts[@]}"; do after+=("$(cpu_us "$name")"); done
	for i in "${!cost_parts[@]}"; do
		seconds=$(jq -n "($((after[i] - before[i])) / $requests * 100 | round) / 100")
		record "$what: ${cost_parts[i]}" ours 'CPU s a million' "$seconds"
	done
}

# System calls that a request takes of the responders.
calls_of() {
	local what=$1 number tracer children=()
	shift
	for number in $(pool_pids | tail -n +2); do children+=(-p "$number"); done
	strace -f -c -U calls,name -o "$MCS_TEST_DIR/strace" "${children[@]}" 2>/dev/null &
	tracer=$!
	sleep 0.5
	hit "$1" 1 2 "${@:4}"
	kill -INT "$tracer"
	wait "$tracer"
	record "$what: responder" ours 'system calls' \
		"$(awk -v n="$requests" '$2 == "total" { printf "%.1f", $1 / n }' "$MCS_TEST_DIR/strace")"
	awk -v n="$requests" '$1 ~ /^[0-9]+$/ && $1 / n > 0.05 && $2 != "total" { printf "    %.1f %s\n", $1 / n, $2 }' \
		"$MCS_TEST_DIR/strace" >&2
}

# Commands that Redis (of those that no script calls) and transactions that PostgreSQL has seen so far.
redis_commands() {
	live INFO commandstats | awk -F'[:=,]' '$1 ~ /^cmdstat_(evalsha|mget)$/ { sum += $3 } END { print sum + 0 }'
}
transactions() { sql "SELECT xact_commit FROM pg_stat_database WHERE datname = 'mock_communications'"; }

# Round trips to the databases that a request takes: each is a command (a script is one) or a transaction.
trips_of() {
	local what=$1 commands commits
	shift
	sleep 11 # an idle backend tells its statistics within ten seconds
	commits=$(transactions) commands=$(redis_commands)
	hit "$@"
	sleep 11
	commands=$(($(redis_commands) - commands)) commits=$(($(transactions) - commits - 1))
	record "$what: trips to Redis" ours 'a request' "$(jq -n "$commands / $requests * 100 | round / 100")"
	record "$what: trips to PostgreSQL" ours 'a request' "$(jq -n "$commits / $requests * 100 | round / 100")"
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
	wait_until 10 grep -q "$pattern" "$log"
	sleep 0.5
	sed -n "s/.*$pattern *\([0-9,]*\).*/\1/p" "$log" | tr -d , | sort -n | tail -n 1
}

# Instructions and allocations that a request takes of a responder: the difference between many and few.
count_request() {
	local what=$1 few many
	shift
	few=$(counted '--tool=lackey' 'guest instrs:' 100 "$@")
	many=$(counted '--tool=lackey' 'guest instrs:' 600 "$@")
	record "$what: responder" ours instructions "$(((many - few) / 500))"
	few=$(counted '--leak-check=no' 'total heap usage:' 100 "$@")
	many=$(counted '--leak-check=no' 'total heap usage:' 600 "$@")
	record "$what: responder" ours allocations "$(jq -n "($many - $few) / 500 * 10 | round / 10")"
}

bench_cost() {
	local seconds
	seconds=$(quick 1 10)
	bench_copy main
	hold_part worker
	make_calls live
	local get=("$BASE/" 16 "$seconds" ok get "$bench_key" "$ids") \
		health=("$BASE/health" 16 "$seconds" ok get -) \
		post=("$BASE/calls" 16 "$seconds" ok post "$key_list")
	cost_of 'GET /health' "${health[@]}"
	cost_of 'GET /calls/ID, live' "${get[@]}"
	cost_of 'POST /calls' "${post[@]}"
	calls_of 'GET /health' "${health[@]}"
	calls_of 'GET /calls/ID, live' "${get[@]}"
	calls_of 'POST /calls' "${post[@]}"
	trips_of 'GET /calls/ID, live' "${get[@]}"
	trips_of 'POST /calls' "${post[@]}"
	count_request 'GET /health' /health
	count_request 'GET /calls/ID, live' "/$(head -n 1 "$ids")"
	count_request 'POST /calls' -H 'Content-Type: application/json' \
		-d '{"from": "+1234567890", "to": "+0987654321", "metadata": {"test": true}}' /calls
	local before
	before=$(private_kb responders)
	hit "$BASE/" 64 "$(quick 2 75)" ok get "$bench_key" "$ids"
	record 'a responder, private memory' ours kB "$before"
	record "the same, $requests requests later" ours kB "$(private_kb responders)"
	end_copy main
}
