# shellcheck shell=bash
# What people would write for themselves: others/server.js does the same with Node.js, express, ioredis,
# pg and ws, in as many processes as our pool has, on the databases of a copy of ours. It does less: no
# rebuild, no jobs, no sliding window; it admits and inserts with our script and our statement.

bench_others() {
	local repeats seconds connections port number folder=$output/node
	command -v npm >/dev/null || { say 'others: there is no npm, so they are left out' && return; }
	mkdir -p "$folder" && cp "$root"/bench/others/* "$folder/" &&
		(cd "$folder" && npm install --silent --no-audit --no-fund >/dev/null) || die 'npm install failed'
	repeats=$(quick 1 5) seconds=$(quick 1 3)
	bench_copy main
	hold_part worker
	make_calls live
	port=$(free_port)
	in_copy env ADMIT="$(expand_script admit)" INSERT="$(grep -v '^--' "$root/sql/queries/call_insert.sql")" \
		SOCKETS="$MCS_VAR/run" OTHERS_PORT="$port" setpriv --pdeathsig TERM -- node "$folder/server.js" >"$MCS_TEST_DIR/others.log" 2>&1 &
	number=$!
	wait_until 10 curl -q -sf -o /dev/null --noproxy '*' "http://127.0.0.1:$port/health" ||
		die "others/server.js does not answer: $(cat "$MCS_TEST_DIR/others.log")"
	for connections in $(quick 16 '16 64'); do
		compare "$repeats" "$seconds" "$connections" \
			"GET /health|Node.js|http://127.0.0.1:$port/health|ok|get|-" \
			"GET /health|ours|$BASE/health|ok|get|-" \
			"GET /calls/ID, live|Node.js|http://127.0.0.1:$port/|ok|get|$bench_key|$ids" \
			"GET /calls/ID, live|ours|$BASE/|ok|get|$bench_key|$ids" \
			"POST /calls|Node.js|http://127.0.0.1:$port/calls|ok|post|$key_list" \
			"POST /calls|ours|$BASE/calls|ok|post|$key_list"
	done
	kill -s TERM "$number"
	wait "$number"
	end_copy main
}
