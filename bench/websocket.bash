# shellcheck shell=bash
# The WebSockets of wsd, without a web server: memory, opening, one call with many subscribers, many calls
# with one each; beside the floor (push.c), in turn, on the same Redis. Both listen on TCP. Also how all
# of that goes through the web server.

# Starts an instance and the floor beside it; sets ours and floor to SERVER URL PIDS as load takes them. The
# worker stands still, so that nothing moves but what the bench publishes.
start_websockets() {
	local port bare
	port=$(free_port) bare=$(free_port)
	bench_instance "$1" WSD_LISTEN="127.0.0.1:$port" WSD_MAX_CONNECTIONS=16000
	hold_component worker
	setpriv --pdeathsig TERM -- "$B/bench/push" "$bare" "$MCS_VAR/run/redis.sock" </dev/null &
	push_pid=$!
	push_port=$bare
	ours=(wsd "ws://127.0.0.1:$port/ws" "$(component_pid wsd)")
	floor=(push "ws://127.0.0.1:$bare/ws" "$push_pid")
	wait_until 10 is_subscribed bench:push || die 'the floor did not start'
	wait_until 10 is_subscribed 'mcs:2:{0}:events' || die 'wsd has not subscribed'
}

stop_websockets() {
	kill -s TERM "$push_pid"
	wait "$push_pid"
	end_instance "$1"
}

is_subscribed() { [[ $(live PUBSUB NUMSUB "$1" | tail -n 1) == "${2:-1}" ]]; }

# run_load COMMAND SERVER URL PIDS NUMBERS…: sets figures to what it printed. Without figures, or where sockets or
# Redis failed, the bench ends; lost frames are a figure.
run_load() {
	figures=$(in_instance "$B/tests/load" "$@")
	[[ $figures ]] || die "load $*: no figures"
	jq -e '.refused + .cut + .broken + .unheard + .redis_errors == 0' <<<"$figures" >/dev/null ||
		die "load $*: $figures"
}

figure() { jq "$1" <<<"$figures"; }

# sockets COUNT CALLS LABEL: what idle sockets cost, of servers that have had none before; and, again and
# again, how fast they are opened.
sockets() {
	local count=$1 calls=$2 label=$3 i
	local rates=() bare_rates=()
	start_websockets idle
	for ((i = 0; i < repeats; i++)); do
		run_load idle "${ours[@]}" "$count" "$calls" "$(quick 0.2 1)"
		rates+=("$(figure .opened_a_second)")
		((i > 0)) || record "a socket, private memory, $label" ours bytes "$(figure .private_bytes)"
		run_load idle "${floor[@]}" "$count" "$calls" "$(quick 0.2 1)"
		bare_rates+=("$(figure .opened_a_second)")
		((i > 0)) || record "a bare socket, private memory, $label" 'floor f' bytes "$(figure .private_bytes)"
	done
	record "opening of $label" ours 'sockets/s' "${rates[@]}"
	record "bare opening of $label" 'floor f' 'sockets/s' "${bare_rates[@]}"
	stop_websockets idle
}

# events LABEL UNIT:FILTER… -- NUMBERS…: ours and the floor in turn, a figure for each filter of what load prints.
# The floor is floor_who, and its figures are of `${bare}LABEL`.
events() {
	local label=$1 wanted=() i pair who
	local -A values=()
	shift
	while [[ $1 != -- ]]; do wanted+=("$1"); shift; done
	shift
	for ((i = 0; i < repeats; i++)); do
		for who in $( ((i % 2)) && echo floor ours || echo ours floor); do
			local -n where=$who
			run_load events "${where[@]}" "$@"
			for pair in "${wanted[@]}"; do values["$who $pair"]+="$(figure "${pair#*:}") "; done
		done
	done
	for pair in "${wanted[@]}"; do
		# shellcheck disable=SC2086
		{
			record "$label" ours "${pair%%:*}" ${values["ours $pair"]}
			record "$bare$label" "$floor_who" "${pair%%:*}" ${values["floor $pair"]}
		}
	done
}

bench_websocket() {
	local ours floor direct direct_floor push_pid push_port floor_who='floor f' bare='bare ' figures repeats count used calls rate
	local wrong='frames lost or wrong:.lost + .twice + .disordered' cpu='CPU s a million:.cpu_s_a_million'
	repeats=$(quick 1 5)
	for count in 5000 15000; do
		used=$(quick $((count / 50)) "$count")
		sockets "$used" 1 "$count on one call"
		sockets "$used" "$used" "$count each on its own"
	done
	start_websockets events
	count=$(quick 100 1000)
	events 'fan-out to 1000' 'frames/s:.frames_a_second' "$cpu" "$wrong" \
		-- "$count" 1 1 "$(quick 20 400)" 0
	# The same through the web server, whose part of the processor's time counts as well.
	direct=("${ours[@]}") direct_floor=("${floor[@]}")
	front_wsd=$push_port
	start_front "$B/bench/floor" /floor
	front_wsd=''
	ours=(wsd "${BASE/http/ws}/ws" "$(component_pid wsd),$(component_pid api)")
	floor=(push "${front/http/ws}/floor/ws" "$push_pid,${front_pids[$MCS_VAR]}")
	wait_until 10 curl -q -sf -o /dev/null --noproxy '*' "$front/floor/constant" || die 'the floor does not answer'
	events 'fan-out to 1000 through lighttpd' 'frames/s:.frames_a_second' "$cpu" "$wrong" \
		-- "$count" 1 1 "$(quick 20 200)" 0
	ours=("${direct[@]}") floor=("${direct_floor[@]}")
	stop_front
	calls=$(quick 200 5000)
	# Rate; repeats, more where the tail counts; rounds and events of each call: some three seconds of events,
	# but at the lowest rate.
	while read -r rate repeats numbers; do
		read -ra numbers <<<"$(quick '1 2' "$numbers")"
		! quick || repeats=1
		events "events, $rate a second" 'p50 µs:.p50_us' 'p99 µs:.p99_us' 'most µs:.max_us' \
			'events/s:.events_a_second' "$cpu" "$wrong" -- "$calls" "$calls" "${numbers[@]}" "$rate"
	done <<-END
		1000 5 1 1
		5000 5 1 3
		10000 5 2 3
		20000 15 4 3
		40000 5 8 3
	END
	stop_websockets events
}
