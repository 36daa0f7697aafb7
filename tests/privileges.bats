# Least privilege: who the processes are and what they may, who reaches the files and sockets, what
# the database's role may, and that the service's user has no hold on root.

load harness/helpers
load harness/service

settings=(TIME_SCALE=20 REDIS_PASSWORD=secret-of-redis POSTGRES_PASSWORD=secret-of-postgres)

setup_file() {
	((EUID == 0)) || return 0
	local mask
	mask=$(umask)
	umask 000
	start_instance tight "${settings[@]}"
	umask "$mask"
}

setup() {
	((EUID == 0)) || skip 'only root can drop anything'
	use tight
	KEY=demo-key
}

# The processes of the instance but mcs itself, a line each.
service_pids() {
	local number
	while read -r _ number _; do
		echo "$number"
		descendants_of "$number"
	done <"$MCS_VAR/components"
}

descendants_of() {
	local number
	for number in $(children_of "$1"); do
		echo "$number"
		descendants_of "$number"
	done
}

# A field of /proc/PID/status as one line of words.
status_of() { awk -v name="$2:" '$1 == name { $1 = ""; print substr($0, 2) }' "/proc/$1/status"; }

# A command as somebody who has nothing to do with the instance, and as the service's own user.
stranger() { setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$@"; }
service() { setpriv --reuid=mcs --regid=mcs --init-groups -- "$@"; }

# Skips a test that needs a namespace where none can be had: in a chroot whose root is no mount point, in a
# container without the right to it.
need_namespace() {
	local why
	why=$(unshare "$1" true 2>&1) || skip "$why"
}

# Fails, naming the command, when it succeeds (bash's own ! would let the test go on).
cannot() {
	"$@" 2>/dev/null || return 0
	echo "could: $*" >&2
	return 1
}

# --- processes ------------------------------------------------------------------------------------

@test "no process has root's id, a capability, or a way to get one" {
	local number name none=0000000000000000 count=0
	for number in $(service_pids); do
		[[ -e /proc/$number ]] || continue
		name="$number $(<"/proc/$number/comm")"
		same "$name $(status_of "$number" Uid)" "$name $(printf '%s %s %s %s' {,,,}"$(id -u mcs)")"
		same "$name $(status_of "$number" Gid)" "$name $(printf '%s %s %s %s' {,,,}"$(id -g mcs)")"
		same "$name $(status_of "$number" Groups)" "$name $(id -g mcs)"
		local set
		for set in CapInh CapPrm CapEff CapBnd CapAmb; do
			same "$name $set $(status_of "$number" "$set")" "$name $set $none"
		done
		same "$name nnp $(status_of "$number" NoNewPrivs)" "$name nnp 1"
		count=$((count + 1))
	done
	((count > 12))
}

@test "responders, wsd and worker run under a filter of system calls" {
	local number pids
	skip_by_quirk starts-processes
	mapfile -t pids < <(pool_pids)
	((${#pids[@]} == 5))
	for number in "${pids[@]:1}" "$(component_pid wsd)" "$(component_pid worker)"; do
		same "$number $(status_of "$number" Seccomp)" "$number 2"
	done
}

@test "others of their user cannot look into them: no memory, no environment, no core" {
	local number pids
	mapfile -t pids < <(pool_pids)
	for number in "${pids[@]}" "$(component_pid wsd)" "$(component_pid worker)"; do
		[[ -r /proc/$number/environ ]]
		cannot service cat "/proc/$number/environ"
		cannot service head -c 1 "/proc/$number/maps"
		cannot service ls "/proc/$number/fd"
	done
}

@test "a successor in the pool has no more than the child that it was" {
	local pids successor
	skip_by_quirk starts-processes
	[[ ! $(component_pid pool) ]] || skip 'mcs itself starts the pool, and starts another one'
	mapfile -t pids < <(pool_pids)
	kill -KILL "${pids[0]}"
	wait_until 60 has_new_pool "${pids[0]}"
	successor=$(pool_pids | head -n 1)
	same "$(status_of "$successor" Seccomp)" 2
	local number
	for number in $(pool_pids | tail -n +2); do
		same "$(status_of "$number" Seccomp)" 2
		same "$(status_of "$number" NoNewPrivs)" 1
	done
	api GET /ready
	expect 200
}

has_new_pool() {
	local pids
	mapfile -t pids < <(pool_pids)
	((${#pids[@]} == 5)) && [[ ${pids[0]} != "$1" ]]
}

@test "a port below 1024 needs no capability: only mcs itself binds it" {
	local folder number set
	need_namespace -n
	folder=$(instances_folder)
	# In a network of its own, where no such port can be taken.
	setpriv --pdeathsig TERM -- unshare -n bash -c 'ip link set lo up && exec "$@"' - \
		env -i --default-signal PATH="$PATH" HOME=/ ASAN_OPTIONS="${ASAN_OPTIONS:-}" \
		MCS_BUILD="${MCS_BUILD:-release}" MCS_ENV_FILE=/dev/null MCS_VAR="$folder/low" PORT=81 \
		"$MCS_ROOT/mcs" run </dev/null >"$folder/low.out" 2>&1 3>&- &
	echo "$! 81" >"$folder/low.instance"
	await_instance low
	use low
	for number in $(component_pid api) $(pool_pids) $(component_pid wsd) $(component_pid postgres); do
		for set in CapPrm CapAmb CapBnd; do
			same "$number $set $(status_of "$number" $set)" "$number $set 0000000000000000"
		done
	done
	stop_instance low
}

@test "a program that root starts becomes the user mcs, and drops as much" {
	(exec_in_instance TIME_SCALE=1 "$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-worker") \
		2>"$BATS_TEST_TMPDIR/log" 3>&- &
	local number=$!
	wait_until 60 grep -q 'worker\.start' "$BATS_TEST_TMPDIR/log"
	same "$(status_of "$number" Uid)" "$(printf '%s %s %s %s' {,,,}"$(id -u mcs)")"
	same "$(status_of "$number" Groups)" "$(id -g mcs)"
	same "$(status_of "$number" CapPrm) $(status_of "$number" CapBnd)" '0000000000000000 0000000000000000'
	same "$(status_of "$number" NoNewPrivs) $(status_of "$number" Seccomp)" '1 2'
	kill "$number"
	wait "$number"
}

@test "without that user it says so and ends" {
	local program
	need_namespace -m
	for program in mcs-worker mcs-responder; do
		run unshare -m bash -c 'grep -v ^mcs: /etc/passwd >"$1" && mount --bind "$1" /etc/passwd &&
			exec env -i ASAN_OPTIONS="$ASAN_OPTIONS" MCS_ENV_FILE= "$2" </dev/null' \
			- "$BATS_TEST_TMPDIR/passwd" "$MCS_ROOT/build/${MCS_BUILD:-release}/$program"
		same "$status" 1
		match "$output" 'error [a-z]* privileges\.root msg="refuses to run as root: there is no user mcs'
	done
}

@test "passwords and API keys are in nobody's arguments" {
	local number secret
	for number in "$(<"$MCS_VAR/mcs.pid")" $(service_pids); do
		for secret in secret-of-redis secret-of-postgres demo-key test-api-key-1; do
			cannot grep -qsaF "$secret" "/proc/$number/cmdline"
		done
	done
}

# --- files and sockets ----------------------------------------------------------------------------

@test "strangers reach nothing in the instance's folder, also when it was started with umask 000" {
	same "$(find "$MCS_VAR" ! -type l ! -type s -perm /007 ! -path '*/bin/*' ! -path '*/etc/deploy*' ! -path '*/run/*.pid')" ''
	same "$(find "$MCS_VAR" ! -type l ! -type s -perm /022)" ''
	local path
	for path in "" run log bin etc postgres config lock etc/redis.conf log/api.log log/access.log \
		bin/mcs-worker postgres/PG_VERSION run/redis.sock; do
		[[ -e $MCS_VAR/$path ]]
		cannot stranger test -r "$MCS_VAR/$path"
		cannot stranger test -w "$MCS_VAR/$path"
		cannot stranger test -x "$MCS_VAR/$path"
	done
	run stranger ls "$MCS_VAR"
	match "$output" 'Permission denied'
}

@test "strangers cannot connect to PostgreSQL, Redis, wsd or a responder" {
	local sockets path
	mapfile -t sockets < <(find "$MCS_VAR/run" -type s)
	((${#sockets[@]} >= 4))
	for path in "${sockets[@]}"; do
		# An empty reply (52) is a connection; 7 is none.
		run stranger curl -q -s -o /dev/null --max-time 1 --unix-socket "$path" http://localhost/
		same "$path $status" "$path 7"
		run service curl -q -s -o /dev/null --max-time 1 --unix-socket "$path" http://localhost/
		[[ $status != 7 ]]
	done
}

@test "a user that reaches Redis still needs its password" {
	match "$(live PING 2>&1)" NOAUTH
	same "$(REDISCLI_AUTH=secret-of-redis live PING)" PONG
}

# --- the database's role --------------------------------------------------------------------------

# Fails unless the role is refused that statement.
refused() {
	run sql "$1"
	[[ $status != 0 ]] || { echo "not refused: $1" >&2 && return 1; }
	match "$output" 'permission denied|must be (superuser|owner|able)'
}

@test "the role can neither make databases and roles, nor reach beyond its own" {
	refused 'CREATE DATABASE more'
	refused 'CREATE ROLE more'
	refused 'ALTER ROLE mcs SUPERUSER'
	refused 'SET ROLE postgres'
	refused "SELECT pg_read_file('/etc/passwd')"
	refused "SELECT pg_ls_dir('.')"
	refused "COPY (SELECT 1) TO PROGRAM 'true'"
	refused "COPY (SELECT 1) TO '/tmp/mcs-test-copy'"
	refused 'SELECT rolpassword FROM pg_authid'
	refused 'CREATE EXTENSION file_fdw'
	refused "ALTER SYSTEM SET archive_command = 'true'"
	same "$(sql "SELECT string_agg(datname, ',') FROM pg_database
		WHERE pg_get_userbyid(datdba) = current_user")" mock_communications
	same "$(sql "SELECT count(*) FROM pg_auth_members
		WHERE member = (SELECT oid FROM pg_roles WHERE rolname = current_user)")" 0
}

@test "it gets into no other database, and the service's user not in as the superuser" {
	local words=(-X -qAt -h "$MCS_VAR/run" -c 'SELECT 1')
	run service "$psql_client" "${words[@]}" -U mcs -d postgres
	match "$output" 'no pg_hba.conf entry'
	run service "$psql_client" "${words[@]}" -U mcs -d template1
	match "$output" 'no pg_hba.conf entry'
	run service "$psql_client" "${words[@]}" -U postgres -d postgres
	match "$output" 'Peer authentication failed'
	same "$(service "$psql_client" "${words[@]}" -U mcs -d mock_communications)" 1
	same "$("$psql_client" "${words[@]}" -U postgres -d postgres)" 1
}

# --- root and the service's user ------------------------------------------------------------------

@test "where root writes, reads or executes, the service's user cannot write" {
	local path own=(etc/deploy etc/lighttpd.conf)
	[[ ${MCS_SERVER:-lighttpd} == lighttpd ]] || mapfile -t own < <(cd "$MCS_VAR" && find etc/*/)
	for path in "" bin etc log config lock mcs.pid components bin/mcs-admin bin/mcs-responder bin/mcs-wsd \
		bin/mcs-worker etc/components etc/postgresql.conf etc/pg_hba.conf etc/redis.conf "${own[@]}"; do
		same "$path $(stat -c %U "$MCS_VAR/$path")" "$path root"
		cannot service test -w "$MCS_VAR/$path"
	done
	# What is the service's own, and nothing else; root follows no name in there.
	same "$(find "$MCS_VAR" -maxdepth 1 -user mcs -printf '%f\n' | sort | paste -sd ' ')" 'postgres run'
}

@test "what the service's user leaves behind does not lead the next start of root astray" {
	local trap=$BATS_TEST_TMPDIR/trap log=$MCS_VAR/log
	stop_instance tight
	mkdir -m 755 "$trap" "$trap/target"
	chmod 755 "$BATS_TEST_TMPDIR"
	# A log folder as it was once, with names that root's mv, chown, >> and tail would follow.
	chown mcs:mcs "$log"
	truncate -s 11M "$log/api.log"
	echo marked >>"$log/api.log"
	rm -f "$log/api.log.1" "$log/wsd.log" "$log/access.log"
	echo precious >"$trap/file"
	service ln -s "$trap/target" "$log/api.log.1"
	service ln -s "$trap/file" "$log/wsd.log"
	service ln -s "$trap/new" "$log/access.log"
	# A version of PostgreSQL whose programs are the service's user's.
	mkdir "$trap/bin"
	printf '#!/bin/sh\ntouch %s/ran\nexit 1\n' "$trap" |
		tee "$trap/bin/postgres" "$trap/bin/psql" >"$trap/bin/pg_isready"
	chmod 755 "$trap"/bin/*
	cp -p "$MCS_VAR/postgres/PG_VERSION" "$trap/version"
	echo "../../..$trap" >"$MCS_VAR/postgres/PG_VERSION"
	rm "$(instances_folder)/tight.out"
	launch_instance tight "${settings[@]}"
	run await_instance tight
	[[ $status != 0 && ! -e $trap/ran ]]
	match "$output" 'PG_VERSION does not name a version'
	# Nor does a pipe hold it up.
	rm "$MCS_VAR/postgres/PG_VERSION" && mkfifo "$MCS_VAR/postgres/PG_VERSION"
	launch_instance tight "${settings[@]}"
	run await_instance tight
	match "$output" 'PG_VERSION does not name a version'
	rm "$MCS_VAR/postgres/PG_VERSION" && cp -p "$trap/version" "$MCS_VAR/postgres/PG_VERSION"
	start_instance_again tight "${settings[@]}"
	same "$(<"$trap/file")" precious
	same "$(stat -c %U "$trap/file")" root
	same "$(ls -A "$trap/target")" ''
	[[ ! -e $trap/new ]]
	tail -c 100 "$log/api.log.1" | grep -qa marked
	same "$(find "$log" ! -type f ! -path "$log")" ''
	same "$(stat -c %U "$log")" root
	is_ready
	[[ $(mcs logs wsd) != *precious* ]]
}

@test "what runs as the service's user has no terminal to type into" {
	local number terminal session
	for number in $(service_pids); do
		terminal=$(ps -o tty= -p "$number") || continue # a backend of PostgreSQL that has ended
		same "$terminal" '?'
	done
	# Also what only prepares: it leads a session of its own.
	eval "as_user=(setpriv --no-new-privs); $(sed -n '/^as_service()/p' "$MCS_ROOT/tools/mcs-folder.sh")"
	read -r session number < <(as_service sh -c 'ps -o sid=,pid= -p $$')
	[[ $number ]]
	same "$session" "$number"
	# Nor has it the director's connection to the supervisor, which would start components for it.
	same "$(as_service sh -c '[ -e /proc/$$/fd/3 ] && echo open || echo closed' 3</dev/null)" closed
}
