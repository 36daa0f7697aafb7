# shellcheck shell=bash
# What people would write for themselves: others/server.js does the same with Node.js, express, ioredis,
# pg and ws, in as many processes as our pool has, on the databases of an instance of ours, without a web
# server before it. It does less: it admits and inserts with our script and our statement, but survives
# no loss, plays no calls, and pushes frames as they come, as the floor f does.
# shellcheck source=bench/websocket.bash
. "$root/bench/websocket.bash"

bench_others() {
	local repeats seconds connections port number folder=$output/node ours floor floor_who=Node.js bare='' figures
	command -v npm >/dev/null || { say 'others: there is no npm, so they are left out' && return; }
	mkdir -p "$folder" && cp "$root"/bench/others/* "$folder/" &&
		(cd "$folder" && npm install --silent --no-audit --no-fund >/dev/null) || die 'npm install failed'
	repeats=$(quick 1 5) seconds=$(quick 1 3)
	bench_instance main
	hold_component worker
	make_calls live
	port=$(free_port)
	exec_in_instance ADMIT="$(expand_script admit)" INSERT="$(grep -v '^--' "$root/sql/queries/call_insert.sql")" \
		SOCKETS="$MCS_VAR/run" OTHERS_PORT="$port" setpriv --pdeathsig TERM -- node "$folder/server.js" >"$MCS_TEST_DIR/others.log" 2>&1 &
	number=$!
	wait_until 10 curl -q -sf -o /dev/null --noproxy '*' "http://127.0.0.1:$port/health" ||
		die "others/server.js does not answer: $(cat "$MCS_TEST_DIR/others.log")"
	for connections in $(quick 16 '16 64'); do
		compare "$repeats" "$seconds" "$connections" \
			"GET /health|Node.js|http://127.0.0.1:$port/health|200|get|-" \
			"GET /health|ours|$BASE/health|200|get|-" \
			"GET /calls/ID, live|Node.js|http://127.0.0.1:$port/|200|get|$bench_key|$ids" \
			"GET /calls/ID, live|ours|$BASE/|200|get|$bench_key|$ids" \
			"POST /calls|Node.js|http://127.0.0.1:$port/calls|201|post|$key_list" \
			"POST /calls|ours|$BASE/calls|201|post|$key_list"
	done
	wait_until 10 is_subscribed bench:push "$(children_of "$number" | wc -l)" || die 'others/server.js does not listen to Redis'
	ours=(wsd "${BASE/http/ws}/ws" "$(component_pid wsd),$(component_pid api)")
	floor=(push "ws://127.0.0.1:$port/ws" "$number,$(children_of "$number" | paste -sd,)")
	events 'fan-out to 1000' 'frames/s:.frames_a_second' 'CPU s a million:.cpu_s_a_million' \
		'frames lost or wrong:.lost + .twice + .disordered' -- "$(quick 100 1000)" 1 1 "$(quick 20 200)" 0
	kill -s TERM "$number"
	wait "$number"
	end_instance main
}
