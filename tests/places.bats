# README's first command where newcomers try it: in a clone below root's home directory, in an ordinary
# user's, and in folders whose names are full of special characters. A place has a person's environment,
# and nothing of the tests' own.

load harness/helpers
load harness/service

# What separates, quotes or stands for a pattern somewhere, and letters of two bytes.
odd='a b,c [x]{y,z} äö;#%&(é)+=@~!^.d'

setup() {
	name=place$BATS_TEST_NUMBER
	owner=(setpriv --pdeathsig TERM --)
	home=${HOME:-/}
}

teardown() {
	[[ ! -e $(instances_folder)/$name.instance ]] || stop_instance "$name"
	[[ ! -L $place/var ]] || rm -rf "$(readlink "$place/var")"
	[[ ! ${base:-} ]] || rm -rf "$base"
	[[ ! ${user:-} ]] || userdel -r "$user" 2>/dev/null
}

# A clone as git makes it, with what is changed here and not committed yet.
clone_to() {
	[[ -e $MCS_ROOT/.git ]] || skip 'this tree is no git clone'
	place=$1
	git -c safe.directory='*' clone -q "${@:2}" "$MCS_ROOT" "$place"
	git -C "$MCS_ROOT" -c safe.directory='*' diff --binary HEAD | git -C "$place" apply --allow-empty
}

# The tree and what was built of it, without git.
copy_to() {
	place=$1
	mkdir -p "$place/build"
	tar -C "$MCS_ROOT" --exclude=./.git --exclude=./var --exclude=./.env --exclude=./build -c . |
		tar -C "$place" --no-same-owner -x
	cp -a "$MCS_ROOT/build/${MCS_BUILD:-release}" "$place/build/"
}

# Runs a command in the place as its owner; exec_in_place becomes it.
in_place() { (exec_in_place "$@"); }
exec_in_place() {
	cd "$place" && exec "${owner[@]}" env -i --default-signal PATH=/usr/local/bin:/usr/bin:/bin HOME="$home" \
		PORT="$port" MCS_BUILD="${MCS_BUILD:-release}" MCS_SERVER="${MCS_SERVER:-lighttpd}" \
		ASAN_OPTIONS="${ASAN_OPTIONS:-}" "$@"
}

# ./mcs run there, until it is ready or has ended; VAR=value words go into its environment.
run_in_place() {
	local folder
	folder=$(instances_folder)
	port=$(free_port)
	: >"$folder/$name.out"
	exec_in_place "$@" ./mcs run </dev/null >"$folder/$name.out" 2>&1 3>&- 4>&- &
	echo "$! $port" >"$folder/$name.instance"
	wait_until 600 instance_is_up_or_gone "$folder/$name.out" "$!"
	await_instance "$name"
	BASE=http://127.0.0.1:$port PORT=$port KEY=test-api-key-1
}

@test "a fresh clone below root's home directory: built from nothing, it runs; var/ is a link to its data" {
	((EUID == 0)) || skip 'not root here'
	base=$(mktemp -d "$(getent passwd root | cut -d: -f6)/mcs-place.XXXXXX")
	chmod 700 "$base"
	clone_to "$base/mock"
	run_in_place
	create_call
	match "$(in_place ./mcs status)" "ready at http://localhost:$port\$"
	match "$(readlink "$place/var")" '^/var/lib/mcs/[0-9a-f]{12}$'
	stop_instance "$name"
	# A second start finds the data; one after `rm -r var` does not.
	run_in_place
	same "$(in_place ./mcs psql -qAtc 'SELECT count(*) FROM calls')" 1
	stop_instance "$name"
	rm -r "$place/var"
	run_in_place
	same "$(in_place ./mcs psql -qAtc 'SELECT count(*) FROM calls')" 0
	# Nor is an instance out of reach when the link goes while it runs.
	elsewhere=$(readlink "$place/var")
	rm -r "$place/var"
	match "$(in_place ./mcs status)" "ready at http://localhost:$port\$"
	match "$(in_place ./mcs run 2>&1)" "^mcs: already running in $elsewhere"
	in_place ./mcs stop
	rm -rf "$elsewhere"
}

@test "a clone with core.autocrlf=true has the files as they are in the repository" {
	base=$(mktemp -d /tmp/mcs-place.XXXXXX)
	clone_to "$base/mock" -c core.autocrlf=true
	same "$(git -C "$place" ls-files --eol | awk 'substr($1, 2) != substr($2, 2)' | head -n 3)" ''
	"$place/mcs" help >"$BATS_TEST_TMPDIR/help"
}

@test "in an ordinary user's home directory" {
	((EUID == 0)) || skip 'not root here: all tests run so'
	user=mcs-place-$$
	useradd --create-home --shell /bin/bash "$user"
	home=$(getent passwd "$user" | cut -d: -f6)
	copy_to "$home/mock"
	chown -R "$user:" "$place"
	owner=(setpriv --pdeathsig TERM --reuid="$user" --regid="$user" --init-groups --)
	run_in_place
	create_call
	match "$(in_place ./mcs status)" "ready at http://localhost:$port\$"
	[[ -d $place/var && ! -L $place/var ]]
	same "$(find "$place/var" ! -user "$user")" ''
	in_place ./mcs stop
}

@test "in a folder whose path is full of special characters; tests and lighttpd.conf run there, too" {
	base=$(mktemp -d /tmp/mcs-place.XXXXXX)
	chmod 711 "$base"
	copy_to "$base/$odd"
	run_in_place
	create_call
	same "$(in_place ./mcs redis CONFIG GET port)" "$(printf 'port\n0')"
	in_place ./mcs restart
	match "$(in_place ./mcs status)" "ready at http://localhost:$port\$"
	match "$(in_place ./mcs test tests/unit/test_id.c)" $'\n[1-9][0-9]* passed, 0 failed$'
	in_place ./mcs stop
	exec_in_place /usr/sbin/lighttpd -D -f lighttpd.conf >"$BATS_TEST_TMPDIR/lighttpd.out" 2>&1 3>&- 4>&- &
	local server=$!
	wait_until 60 answers_health || { cat "$BATS_TEST_TMPDIR/lighttpd.out" && return 1; }
	kill "$server"
	wait "$server" || :
}

answers_health() { api GET /health && expect 200; } 2>/dev/null

@test "MCS_VAR may be such a folder behind lighttpd; where it may not, a line says so" {
	base=$(mktemp -d /tmp/mcs-place.XXXXXX)
	chmod 711 "$base"
	copy_to "$base/mock"
	local other
	port=$(free_port)
	run in_place MCS_VAR="$base/a,b" MCS_SERVER=lighttpd ./mcs run
	match "$output" "^mcs: MCS_VAR=$base/a,b: to PostgreSQL's clients a comma separates hosts"
	for other in 'a b' 'a;b' 'a[b' 'a{b' 'a&b' 'a#b' 'a"b' "a'b" 'a\b' 'a$b'; do
		run in_place MCS_VAR="$base/$other" MCS_SERVER=nginx ./mcs run
		same "$status ${#lines[@]}" '1 1'
		[[ $output == "mcs: MCS_VAR=$base/$other"* ]]
	done
	same "$(ls "$base")" mock
	[[ ${MCS_SERVER:-lighttpd} == lighttpd ]] || return 0
	run_in_place MCS_VAR="$base/a b[x]{y}é;#%"
	create_call
	same "$(MCS_VAR="$base/a b[x]{y}é;#%" "$MCS_ROOT/mcs" redis CONFIG GET port)" "$(printf 'port\n0')"
	MCS_VAR="$base/a b[x]{y}é;#%" "$MCS_ROOT/mcs" restart
}

@test "MCS_VAR in a folder that the user mcs cannot enter is refused with a line that says what to do" {
	((EUID == 0)) || skip 'not root here'
	base=$(mktemp -d /tmp/mcs-place.XXXXXX)
	chmod 700 "$base"
	run env MCS_VAR="$base/var" MCS_ENV_FILE=/dev/null PORT="$(free_port)" "$MCS_ROOT/mcs" run
	same "$status $output" "1 mcs: the user mcs, which all services run as, cannot enter $base/var; set MCS_VAR to a folder elsewhere, e.g. /var/lib/mcs"
}
