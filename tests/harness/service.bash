# shellcheck shell=bash
# What several bats files know about the inside of an instance; loaded after helpers.bash.
#
#   sql STATEMENT                 runs it in the database of the instance in use; bare values
#   live ARGS…                    redis-cli for that instance
#   live_key KIND NAME            the Redis key of that kind (call, slots, window) for an id or API key
#   burst COUNT [CURL ARGS…]      that many POST /calls at once with $KEY (one by one where a crowd
#                                 would take a second; AT_ONCE=100 nevertheless); sets `statuses`, such as "201:2 429:38"; the
#                                 replies are in $replies/1 …
#   count_of STATUS               how many of the burst's replies had that status
#   burst_at_limit COUNT [ARGS…]  a burst that meets the limit of 2 (LIMIT) calls a second, judged by the rows: it may
#                                 take longer than a second
#   too_many_a_second [KEY]       how many calls of the key were one more than LIMIT within a second
#   hold_window                   the calls in the window of $KEY count as created a minute from now: so long
#                                 another one is refused. empty_window removes them, as a second does
#   fill_slots                    gives $KEY three slots that are free again in a minute; empty_slots takes them
#   hold_locks STATEMENT          a session that has run this in a transaction, which stays open until free_locks
#   take_keys COUNT               sets `keys` to fresh keys
#   has_status STATUS             whether $call_id is in that state by now
#   has_recording                 whether its recording's URL is there
#   is_cold                       whether Redis has forgotten $call_id; forget_live makes it so
#   nothing_moves                 whether no call and no upload of the instance is open
#   slots_of KEY                  how many slots the API key holds
#   component_pid NAME                 the process of a component: postgres, redis, wsd, worker, api
#   is_another COMPONENT PID      whether the component runs, and not as that process
#   pool_pids                     the responders, their parent first; whichever there are where the
#                                 web server starts processes
#   signal_component SIGNAL NAME       to all processes of a component
#   are_gone PID…                 whether none of them lives; await_gone SECONDS PID… waits for it
#   start_instance_again NAME [VAR=…] start_instance for a name that was used before
#   is_ready                      whether GET /ready says so
#   raw REQUEST                   bytes to the web server as they are; prints what comes back
#   watch ID [WSCAT OPTIONS…]     a WebSocket through the web server
#   has_ipv6                      whether ::1 is there; need_ipv6 skips a test where it is not
#   create_large_call              create_call with the largest body there may be
#   gather_deaf COUNT              that many connections that ask for $call_id again and again and read
#                                  nothing, in `deaf`; let_deaf_go closes them
#   others_are_served              fails unless five requests are answered within half a minute

# shellcheck source=tests/harness/fixtures.bash
. "$MCS_ROOT/tests/harness/fixtures.bash"

iso_time='[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z'
uuid='[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'

psql_client=$(printf '%s\n' /usr/lib/postgresql/*/bin/psql | sort -V | tail -n 1)

sql() {
	"$psql_client" -qAtX -v ON_ERROR_STOP=1 "${POSTGRES_AT[@]}" -U mcs -d mock_communications -c "$1"
}

hold_locks() {
	local answer
	coproc locker { "$psql_client" -qAtX -v ON_ERROR_STOP=1 "${POSTGRES_AT[@]}" -U mcs -d mock_communications 3>&- 4>&-; }
	locker_number=$!
	echo "BEGIN; $1; SELECT 'held';" >&"${locker[1]}"
	while read -r -t 60 answer <&"${locker[0]}" && [[ $answer != held ]]; do :; done
	same "$answer" held
}

free_locks() {
	local number=$locker_number
	echo 'COMMIT; \q' >&"${locker[1]}"
	wait "$number"
}

live() { redis-cli "${REDIS_AT[@]}" "$@"; }

live_key() { live --raw --scan --pattern "mcs:2:{*}:$1:$2"; }

burst() {
	local count=$1 at_once=${AT_ONCE:-}
	shift
	[[ $at_once ]] || at_once=$(quirk slow-crowd && echo 1 || echo 100)
	replies=$BATS_TEST_TMPDIR/replies
	rm -rf "$replies"
	mkdir "$replies"
	statuses=$(curl -q -sS --noproxy '*' --max-time 60 -Z --parallel-immediate --parallel-max "$at_once" \
		-X POST -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \
		-d '{"from": "+1234567890", "to": "+0987654321"}' "$@" \
		-o "$replies/#1" -w '%{http_code}\n' "$BASE/calls?n=[1-$count]" | sort | uniq -c |
		awk '{ printf "%s%s:%s", (NR > 1 ? " " : ""), $2, $1 }')
}

count_of() {
	[[ " $statuses " =~ \ $1:([0-9]+) ]] && echo "${BASH_REMATCH[1]}" || echo 0
}

burst_at_limit() {
	burst "$@" || return
	if (($(count_of 201) < ${LIMIT:-2} || $(count_of 201) + $(count_of 429) != $1)); then
		echo "of $1 requests: $statuses" >&2
		return 1
	fi
	same "$(sql "SELECT count(*) FROM calls WHERE api_key = '$KEY'")" "$(count_of 201)" && same "$(too_many_a_second "$KEY")" 0
}

too_many_a_second() {
	sql "SELECT count(*) FROM (
			SELECT created_at - lag(created_at, ${LIMIT:-2}) OVER (ORDER BY created_at) AS gap
			FROM calls WHERE api_key = '${1:-$KEY}') AS t
		WHERE gap < interval '0.999 s'"
}

hold_window() {
	local key
	key=$(live_key window "$KEY")
	[[ $key ]] && live EVAL "for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
		redis.call('ZINCRBY', KEYS[1], 60000000, id) end" 1 "$key" >/dev/null
}

empty_window() { live DEL "$(live_key window "$KEY")" >/dev/null; }

# $call_id is a call of the key.
fill_slots() {
	local shard now
	shard=$(live_key call "$call_id") shard=${shard%%call:*}
	now=$(live EVAL "local t = redis.call('TIME')
		local wall, now = string.match(redis.call('GET', KEYS[1]), '(%d+) (%d+)')
		return string.format('%.0f', t[1] * 1000000 + t[2] - wall + now)" 1 "${shard}clock")
	now=$((now + 60000000))
	live ZADD "${shard}slots:$KEY" "$now" a "$now" b "$now" c >/dev/null
}

empty_slots() { live ZREM "$(live_key slots "$KEY")" a b c >/dev/null; }

take_keys() {
	local i
	keys=()
	for ((i = 0; i < $1; i++)); do
		fresh_key || return
		keys+=("$KEY")
	done
}

has_status() {
	api GET "/calls/$call_id" || return
	[[ $status_code == 200 && $(json .status) == "$1" ]]
}

has_recording() {
	api GET "/calls/$call_id" || return
	[[ $status_code == 200 && $(json .recording_url) == https://* ]]
}

is_cold() { [[ ! $(live_key call "$call_id") ]]; }

forget_live() {
	local key
	key=$(live_key call "$call_id")
	[[ ! $key ]] || live DEL "$key" >/dev/null
	is_cold
}

nothing_moves() {
	[[ $(sql "SELECT count(*) FROM calls WHERE upload_status IN ('WAITING', 'PENDING')") == 0 ]]
}

slots_of() {
	local key
	key=$(live_key slots "$1")
	[[ $key ]] && live ZCARD "$key" || echo 0
}

no_slots() { [[ $(slots_of "$1") == 0 ]]; }

# Whether the component runs, and not as that process.
is_another() { [[ $(component_pid "$1") && $(component_pid "$1") != "$2" ]]; }

component_pid() { awk -v name="$1" '$1 == name { print $2 }' "$MCS_VAR/components"; }

# The pool's parent is the one that has children; not one of these, which LeakSanitizer gives a child
# for a moment.
pool_pids() {
	local owner
	owner=$(component_pid pool)
	if [[ $owner ]]; then
		echo "$owner"
		children_of "$owner"
		return
	fi
	owner=$(component_pid api)
	if quirk starts-processes; then
		ps -o pid=,stat=,comm= -s "$owner" | awk '$3 == "mcs-responder" && $2 !~ /Z/ { print $1 }'
		return
	fi
	ps -o pid=,ppid= -s "$owner" | awk -v web="$owner" '
		$1 != web { parent[$1] = $2; children[$2]++ }
		END {
			for (p in parent) if (!(parent[p] in parent) && children[p] >= most) { most = children[p]; first = p }
			if (first) print first
			for (p in parent) if (parent[p] == first) print p
		}'
}

children_of() { tr ' ' '\n' <"/proc/$1/task/$1/children" | sed '/^$/d'; }

# Stops (STOP) or continues (CONT) all processes of a component. PostgreSQL's are each in a session of
# their own, so they are found as children.
signal_component() {
	local number
	number=$(component_pid "$2")
	kill -s "$1" "$number"
	for number in $(children_of "$number"); do
		kill -s "$1" "$number" || :
	done
}

# Whether none of these processes is left (or only as a zombie that nobody has waited for yet).
are_gone() {
	local number
	for number; do
		! grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$number/status" || return
	done
}

# Waits until none of these processes lives; shows those that are left otherwise.
await_gone() {
	wait_until "$1" are_gone "${@:2}" && return
	ps -o pid,ppid,stat,wchan:24,lstart,args "${@:2}" >&2
	return 1
}

# Starts an instance again under the name that it had: what it said before must not be taken for new.
start_instance_again() {
	rm -f "$(instances_folder)/$1.out"
	start_instance "$@"
}

# Sends a request as it stands (printf's escapes) to the web server; prints all that comes back.
raw() {
	local socket
	exec {socket}<>"/dev/tcp/127.0.0.1/$PORT"
	(trap '' PIPE && printf '%b' "$1" >&"$socket") 2>/dev/null # it may be refused before it is all there
	timeout 20 cat <&"$socket"
	exec {socket}>&-
}

is_ready() {
	api GET /ready
	[[ $status_code == 200 ]]
} 2>/dev/null

watch() {
	local id=$1
	shift
	"$WSCAT" --timeout 30 "$@" "ws://127.0.0.1:$PORT/ws?call_id=$id"
}

has_ipv6() { grep -qs '^0\{31\}1 ' /proc/net/if_inet6; }

need_ipv6() { has_ipv6 || skip 'no IPv6 here'; }

create_large_call() {
	local frame='{"from":"+1","to":"+2","metadata":{"x":""}}'
	printf '{"from":"+1","to":"+2","metadata":{"x":"%*s"}}' $((65536 - ${#frame})) '' >"$BATS_TEST_TMPDIR/large"
	create_call "@$BATS_TEST_TMPDIR/large"
}

# Each asks for 20 MB: more than the kernel's buffers of a connection hold.
gather_deaf() {
	local i requests='' socket
	for ((i = 0; i < 300; i++)); do
		requests+="GET /calls/$call_id HTTP/1.1"$'\r\n'"Host: x"$'\r\n'"Authorization: Bearer $KEY"$'\r\n\r\n'
	done
	deaf=()
	for ((i = 0; i < $1; i++)); do
		exec {socket}<>"/dev/tcp/127.0.0.1/$PORT"
		printf '%s' "$requests" >&"$socket"
		deaf+=("$socket")
	done
	wait_until 60 are_stuck "$1"
}

# Whether so many connections of the web server have had no more taken from them for a while.
are_stuck() {
	local before after
	before=$(stuck_queues)
	sleep 0.5
	after=$(stuck_queues)
	[[ $before == "$after" && $(wc -l <<<"$after") -ge $1 ]]
}

stuck_queues() { ss -tnH state established "sport = :$PORT" | awk '$2 > 100000 { print $2, $4 }' | sort; }

let_deaf_go() {
	local socket
	for socket in "${deaf[@]}"; do exec {socket}>&-; done
	deaf=()
}

others_are_served() {
	local begin=$SECONDS i
	for i in {1..5}; do
		KEY='' api GET /health
		expect 200 || return
	done
	((SECONDS - begin < 30))
}

# Becomes a command with the environment of the instance's own programs and VAR=value words before it;
# for subshells and background jobs.
exec_in_instance() {
	set -a
	# shellcheck disable=SC1091
	. "$MCS_VAR/config"
	set +a
	exec env MCS_ENV_FILE= "$@"
}

# Fails, showing both (or, of many lines, what differs), unless they are equal.
same() {
	[[ $1 == "$2" ]] && return
	if [[ $1$2 == *$'\n'* ]]; then
		diff <(printf '%s\n' "$1") <(printf '%s\n' "$2") >&2
	else
		printf 'got:      %s\nexpected: %s\n' "$1" "$2" >&2
	fi
	return 1
}

# Fails, showing the text, unless it matches the regular expression.
match() {
	[[ $1 =~ $2 ]] && return
	printf 'got: %s\ndoes not match: %s\n' "$1" "$2" >&2
	return 1
}

# Fails unless the last reply is an error with these: status, message. Byte for byte, in bash alone:
# some cases ask this a hundred times.
expect_error() {
	local name message=$2
	expect "$1" || return
	case $1 in
		400) name='Bad Request' ;;
		401) name='Unauthorized' ;;
		404) name='Not Found' ;;
		405) name='Method Not Allowed' ;;
		413) name='Payload Too Large' ;;
		415) name='Unsupported Media Type' ;;
		426) name='Upgrade Required' ;;
		429) name='Rate limit exceeded' ;;
		503) name='Service Unavailable' ;;
	esac
	message=${message//\\/\\\\}
	same "$body" "{\"error\":\"$name\",\"message\":\"${message//\"/\\\"}\"}" || return
	match "$(<"$headers")" $'\r\n[Cc]ontent-[Tt]ype: application/json\r\n'
}
