# shellcheck shell=bash
# What the bats files share. `load harness/helpers` at the top of a file; the instance `fast` is then in use.
#
#   use NAME                       the instance that the following lines are about: BASE, PORT, MCS_VAR
#   fresh_key                      sets KEY to an API key of that instance which no other test has used
#   api METHOD PATH [CURL ARGS…]   a request with $KEY (KEY='' for none); sets status_code and body
#   post PATH JSON [CURL ARGS…]    the same with a JSON body
#   create_call [JSON]             POST /calls; sets call_id too, fails unless it is 201
#   expect STATUS                  fails, showing the reply, unless status_code is that
#   json FILTER                    jq -r on the body
#   header NAME                    a header of the last reply
#   wait_until SECONDS COMMAND…    polls until the command succeeds
#   mcs ARGS…                      ./mcs for the instance in use
#   quirk NAME                    whether the web server of this run is so; see quirks.bash
#   start_instance NAME [VAR=value…]   one more instance; it stops at the latest with the test (or file, when
#   stop_instance NAME                 started in setup_file) that started it. Not under bats' `run`.
#   log_of COMPONENT                    prints the log of a component of the instance in use
#   hold_component COMPONENT                 stops a component's processes where they are; release_component COMPONENT lets them
#                                  go on
#
# An instance is what ./mcs run starts; ./mcs test docker has projects of docker compose instead, see
# tests/docker/instances.bash.

MCS_ROOT=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
if [[ $MCS_ROOT == *=* && ${MCS_TEST_DIR:-} ]]; then # which env takes for a variable
	ln -sfn "$MCS_ROOT" "$MCS_TEST_DIR/clone"
	MCS_ROOT=$MCS_TEST_DIR/clone
fi
# shellcheck source=tests/harness/quirks.bash
. "$MCS_ROOT/tests/harness/quirks.bash"
# shellcheck disable=SC2034
WSCAT=$MCS_ROOT/build/${MCS_BUILD:-release}/tests/wscat

instances_folder() { echo "$MCS_TEST_DIR/${MCS_BUILD:-release}${MCS_SERVER:+-$MCS_SERVER}"; }

# --- waiting --------------------------------------------------------------------------------------

wait_until() {
	local deadline=$((${EPOCHREALTIME//[.,]/} + $1 * 1000000))
	shift
	until "$@"; do
		if ((${EPOCHREALTIME//[.,]/} > deadline)); then
			echo "waited without success for: $*" >&2
			return 1
		fi
		sleep 0.05
	done
}

# --- instances of the service ------------------------------------------------------------------------

# Prints a port that nobody listens on and that no instance of this run has got before.
free_port() {
	local port
	exec {ports_fd}>>"$MCS_TEST_DIR/ports"
	flock "$ports_fd"
	while :; do
		port=$((12000 + RANDOM % 20000))
		grep -qx "$port" "$MCS_TEST_DIR/ports" && continue
		(: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo "$port" >&"$ports_fd"
	exec {ports_fd}>&-
	echo "$port"
}

# The keys of the specification, and k01 … k99, k100 … k499 for fresh_key.
all_keys() {
	printf 'test-api-key-1,test-api-key-2,demo-key'
	printf ',k%02d' {1..499}
}

# Starts an instance with nothing of this environment but what is named; see await_instance.
launch_instance() {
	local name=$1 folder port number
	folder=$(instances_folder)
	port=$(free_port)
	shift
	if [[ -e $folder/$name.instance ]] && read -r number _ <"$folder/$name.instance" && ! process_is_gone "$number"; then
		echo "the instance $name runs already: does another file use that name?" >&2
		return 1
	fi
	: >"$folder/$name.out" # an instance of that name may have been ready before
	setpriv --pdeathsig TERM -- env -i --default-signal PATH="$PATH" HOME="${HOME:-/}" LANG=C.UTF-8 \
		ASAN_OPTIONS="${ASAN_OPTIONS:-}" UBSAN_OPTIONS="${UBSAN_OPTIONS:-}" \
		MCS_BUILD="${MCS_BUILD:-release}" MCS_SERVER="${MCS_SERVER:-lighttpd}" MCS_ENV_FILE=/dev/null \
		MCS_VAR="$folder/$name" PORT="$port" \
		VALID_API_KEYS="$(all_keys)" "$@" "$MCS_ROOT/mcs" run \
		</dev/null >"$folder/$name.out" 2>&1 3>&- 4>&- &
	echo "$! $port" >"$folder/$name.instance"
}

# Waits until a launched instance is ready; shows why when it ends instead.
await_instance() {
	local name=$1 folder number port
	folder=$(instances_folder)
	read -r number port <"$folder/$name.instance"
	wait_until 90 instance_is_up_or_gone "$folder/$name.out" "$number"
	grep -q '^mcs: ready' "$folder/$name.out" && return
	echo "the instance $name did not start:" >&2
	cat "$folder/$name.out" >&2
	return 1
}

instance_is_up_or_gone() { grep -q '^mcs: ready' "$1" || ! kill -0 "$2" 2>/dev/null; }

start_instance() {
	launch_instance "$@"
	await_instance "$1"
	use "$1"
}

stop_instance() {
	local folder number port
	folder=$(instances_folder)
	read -r number port <"$folder/$1.instance" || return
	kill -s TERM "$number" 2>/dev/null
	wait_until 60 process_is_gone "$number"
	rm -f "$folder/$1.instance"
}

process_is_gone() { [[ ! -d /proc/$1 || $(<"/proc/$1/stat") == *') Z '* ]] 2>/dev/null; }

# From here on everything is about this instance. POSTGRES_AT and REDIS_AT are where psql and redis-cli
# find its databases: an instance that has no sockets for us names their ports.
use() {
	local number postgres redis
	read -r number PORT postgres redis <"$(instances_folder)/$1.instance" || return
	INSTANCE=$1
	BASE=http://127.0.0.1:$PORT
	export MCS_VAR PORT
	MCS_VAR=$(instances_folder)/$1
	POSTGRES_AT=(-h "$MCS_VAR/run") REDIS_AT=(-s "$MCS_VAR/run/redis.sock")
	[[ ! $postgres ]] || POSTGRES_AT=(-h 127.0.0.1 -p "$postgres") REDIS_AT=(-h 127.0.0.1 -p "$redis")
}

log_of() { cat "$MCS_VAR/log/$1.log"; }
hold_component() { signal_component STOP "$1"; }
release_component() { signal_component CONT "$1"; }

mcs() { MCS_ENV_FILE=/dev/null "$MCS_ROOT/mcs" "$@"; }

# Hands out another key on each call, to all files and processes; they are counted for each instance.
fresh_key() {
	local counter
	counter=$(instances_folder)/$INSTANCE.keys
	exec {keys_fd}>>"$counter"
	flock "$keys_fd"
	echo >&"$keys_fd"
	local number
	number=$(wc -l <"$counter")
	printf -v KEY 'k%02d' "$number"
	exec {keys_fd}>&-
	((number <= 499)) || { echo 'no fresh key is left' >&2 && return 1; }
}

# --- requests -------------------------------------------------------------------------------------

api() {
	local method=$1 path=$2 how=(-X "$1")
	shift 2
	[[ $method != HEAD ]] || how=(-I)
	[[ ! ${KEY:-} ]] || how+=(-H "Authorization: Bearer $KEY")
	headers=$BATS_TEST_TMPDIR/headers
	: >"$headers"
	: >"$BATS_TEST_TMPDIR/body"
	status_code=$(curl -q -sS --noproxy '*' --max-time 30 --path-as-is "${how[@]}" -D "$headers" \
		-o "$BATS_TEST_TMPDIR/body" -w '%{http_code}' "$@" "$BASE$path") || return
	body=$(<"$BATS_TEST_TMPDIR/body")
}

post() {
	local path=$1 text=$2
	shift 2
	api POST "$path" -H 'Content-Type: application/json' --data-binary "$text" "$@"
}

create_call() {
	local text='{"from": "+1234567890", "to": "+0987654321"}'
	post /calls "${1:-$text}" || return
	expect 201 || return
	# shellcheck disable=SC2034
	call_id=$(json .call_id)
}

expect() {
	[[ $status_code == "$1" ]] && return
	echo "status $status_code, expected $1; body: $body" >&2
	return 1
}

json() { jq -r "$1" <<<"$body"; }

# The value of a header of the last reply, without regard to the case of its name.
header() {
	sed -n "s/^$1: *\\(.*\\)\$/\\1/Ip" "$headers" | tr -d '\r' | tail -n 1
}

if [[ ${MCS_TEST_DOCKER:-} ]]; then
	# shellcheck source=tests/docker/instances.bash
	. "$MCS_ROOT/tests/docker/instances.bash"
fi

[[ ! ${MCS_TEST_DIR:-} || ! -e $(instances_folder)/fast.instance ]] || use fast
