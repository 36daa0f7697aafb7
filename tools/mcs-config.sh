# shellcheck shell=bash
# Building, and the resolved configuration of the instance that a command is about: the variables of
# common/config.def, exported, MCS_VAR absolute.

case $mode in
	release | debug | asan | faults) ;;
	*) die "MCS_BUILD=$mode must be release, debug, asan or faults" ;;
esac
programs=$here/build/$mode

# Builds targets of the mode $1; one at a time in this tree, also for several commands.
build_programs() {
	local built=$1
	shift
	mkdir -p "$here/build" || die "cannot write to $here/build"
	flock "$here/build/.$built.lock" make -s -C "$here" -j"$(nproc)" MODE="$built" "$@" ||
		die 'the build failed'
}

# An absolute form of a path that need not exist yet; $2 is the folder it is relative to.
absolute() { [[ $1 == /* ]] && realpath -sm "$1" || realpath -sm "$2/$1"; }

# Decides MCS_ENV_FILE and MCS_VAR; says in var_is_default whether that is the clone's own var/.
# The settings file is read by mcs-admin only, so without a build it cannot name the folder.
find_folders() {
	if [[ ! ${MCS_ENV_FILE+set} && -e $here/.env ]]; then
		MCS_ENV_FILE=$here/.env
	fi
	[[ ! ${MCS_ENV_FILE:-} ]] || MCS_ENV_FILE=$(absolute "$MCS_ENV_FILE" "$PWD")
	export MCS_ENV_FILE=${MCS_ENV_FILE:-}
	var_is_default=''
	if [[ ${MCS_VAR:-} ]]; then
		MCS_VAR=$(absolute "$MCS_VAR" "$PWD")
	else
		[[ ! ${MCS_VAR+set} ]] || unset MCS_VAR
		local named=var
		if [[ -x $programs/mcs-admin ]]; then
			named=$(resolve_config && eval "$config" && echo "$MCS_VAR") || exit
		fi
		MCS_VAR=$(absolute "$named" "$here")
	fi
	# What a link stands for: see keep_var_elsewhere.
	[[ ! -L $MCS_VAR ]] || MCS_VAR=$(realpath -m "$MCS_VAR")
	[[ $MCS_VAR != "$here/var" ]] || var_is_default=yes
	# An instance may run in the folder elsewhere although somebody has removed the link to it.
	if [[ $var_is_default && ! -e $MCS_VAR ]]; then
		MCS_VAR=$(folder_elsewhere)
		instance_runs || MCS_VAR=$here/var
	fi
	export MCS_VAR
}

# The folder that var/ is a link to where it has to be one.
folder_elsewhere() {
	local state=/var/lib/mcs
	((EUID == 0)) || state=${XDG_STATE_HOME:-${HOME:-}/.local/state}/mcs
	echo "$state/$(sha256sum <<<"$here" | cut -c 1-12)"
}

# Whether a folder can hold the sockets and the settings of every component, whatever that takes for a
# separator, a quote or a pattern.
is_plain_path() { [[ $1 =~ ^[A-Za-z0-9/._+@~-]{1,75}$ ]]; }

# A clone whose path is not plain has its var/ elsewhere; $1 names one more check that var/ has to pass, and
# $2 says what it means when it fails. A person who names a folder gets that one, or a line about it.
choose_var() {
	local why="the path of $here has characters that not every component can handle, or is too long"
	if is_plain_path "$MCS_VAR" || [[ ! $var_is_default ]]; then
		"$1" && return
		why=$2
		[[ $var_is_default ]] || die "$why $MCS_VAR; set MCS_VAR to a folder elsewhere, e.g. /var/lib/mcs"
		why+=" $here"
	fi
	keep_var_elsewhere "$why"
}

# Makes var/ a link to a folder elsewhere, with what is in it so far. Where that folder is there and the
# link is not, somebody removed the link, and meant the data.
keep_var_elsewhere() {
	local state lock
	! instance_runs || die_running
	exec {lock}>"$here/build/.var.lock" && flock "$lock" || die "cannot write to $here/build"
	if [[ ! -L $here/var ]]; then # or another ./mcs run was quicker
		MCS_VAR=$(folder_elsewhere) state=${MCS_VAR%/*}
		is_plain_path "$MCS_VAR" || die "$1; set MCS_VAR to a folder elsewhere"
		! instance_runs || die_running
		say "$1: var/ becomes a link to $MCS_VAR"
		rm -rf "$MCS_VAR" && mkdir -p "$state" && chmod 711 "$state" &&
			if [[ -e $here/var ]]; then mv "$here/var" "$MCS_VAR"; else mkdir "$MCS_VAR"; fi &&
			ln -s "$MCS_VAR" "$here/var" || die "cannot create $MCS_VAR"
	fi
	exec {lock}>&-
	MCS_VAR=$(realpath -m "$here/var")
}

# Sets `config` to NAME='value' lines, and config_warnings to what is wrong in spite of all; the line
# about a wrong value becomes ours.
resolve_config() {
	[[ -x $programs/mcs-admin ]] || die 'not built yet: ./mcs run builds and starts it, ./mcs build only builds'
	local fault
	fault=$(mktemp) || exit
	if config=$("$programs/mcs-admin" config --shell 2>"$fault"); then
		config_warnings=$(sed 's/^mcs-admin: //' "$fault")
		rm -f "$fault"
		return
	fi
	config=$(sed -E 's/^mcs(-admin)?: //' "$fault")
	rm -f "$fault"
	die "${config:-mcs-admin config failed}"
}

# The arguments NAME=VALUE of ./mcs run are settings, as in the environment: exports those that are, and
# leaves the names of others in odd_settings, for check_odd_settings when mcs-admin has been built.
odd_settings=()
take_setting() {
	local name=${1%%=*}
	if setting_names | grep -qx -- "$name"; then
		export "$name=${1#*=}"
	else
		odd_settings+=("$name")
	fi
}

check_odd_settings() {
	local name said
	for name in "${odd_settings[@]}"; do
		said=$("$programs/mcs-admin" config --check-name "$name" 2>&1) || die "${said#mcs-admin: }"
	done
}

setting_names() { sed -n 's/^CONFIG_[A-Z]*([a-z0-9_]*, \([A-Z0-9_]*\),.*/\1/p' "$here/common/config.def"; }

# Exports the configuration and derives the rest from it.
apply_config() {
	set -a
	eval "$1"
	set +a
	: "${PORT:?}" "${BIND:?}" "${POSTGRES_DB:?}" "${POSTGRES_USER:?}" "${VALID_API_KEYS:?}"
	: "${BASE_PATH?}" "${POSTGRES_HOST?}" "${REDIS_HOST?}" "${REDIS_SENTINELS?}" "${WSD_LISTEN?}" "${PARTS:?}"
	run_folder=$MCS_VAR/run
	[[ $CORS_ORIGIN != *[!A-Za-z0-9.:/_,\ \[\]*-]* ]] ||
		die "CORS_ORIGIN=$CORS_ORIGIN: a web server's configuration cannot contain these characters"
	choose_server
	embedded_postgres='' embedded_redis=''
	[[ $POSTGRES_HOST && $POSTGRES_HOST != "$run_folder" ]] || embedded_postgres=yes
	forget_libpq "${embedded_postgres:+private}"
	[[ $REDIS_SENTINELS || ($REDIS_HOST && $REDIS_HOST != "$run_folder/redis.sock") ]] || embedded_redis=yes
	find_listen_addresses
	# Where this machine reaches the web server.
	local host
	host=$(reachable "${listen_addresses[0]}")
	probe_url=http://$host:$PORT$BASE_PATH
	url=$probe_url
	[[ $host != 127.0.0.1 ]] || url=http://localhost:$PORT$BASE_PATH
}

# Sets listen_addresses, where the web server listens: numeric, IPv6 in brackets. localhost is both
# loopbacks, for clients differ in which one they take for it.
find_listen_addresses() {
	listen_addresses=("$BIND")
	case $BIND in
		localhost)
			listen_addresses=(127.0.0.1)
			! has_ipv6_loopback || listen_addresses+=('[::1]')
			;;
		*:*) [[ $BIND == \[* ]] || listen_addresses=("[$BIND]") ;;
	esac
}

has_ipv6_loopback() { grep -qs '^0\{31\}1 ' /proc/net/if_inet6; }

# What this machine connects to for something that listens at an address, or at address:port.
reachable() {
	case $1 in
		0.0.0.0 | localhost | '[::]') echo 127.0.0.1 ;;
		0.0.0.0:* | localhost:* | '[::]:'*) echo "127.0.0.1:${1##*:}" ;;
		*) echo "$1" ;;
	esac
}

# The configuration as the environment and the settings file have it now.
load_config() {
	find_folders
	[[ $MCS_VAR != *[\"\'\\\$[:cntrl:]]* ]] || die "MCS_VAR=$MCS_VAR must not contain quotes, \\ or \$"
	resolve_config
	apply_config "$config"
	[[ ! $embedded_postgres || $MCS_VAR != *,* ]] ||
		die "MCS_VAR=$MCS_VAR: to PostgreSQL's clients a comma separates hosts; choose another folder"
	[[ $MCS_SERVER == lighttpd || $MCS_VAR != *[^[:alnum:]/._+@~\(\)-]* ]] ||
		die "MCS_VAR=$MCS_VAR: the configuration of $MCS_SERVER allows only letters, digits and ._+@~()-; choose another folder"
}

# The configuration of the running instance as it was started; false when none runs.
load_running_config() {
	find_folders
	instance_runs && [[ -r $MCS_VAR/config ]] || return
	apply_config "$(<"$MCS_VAR/config")"
	programs=$MCS_VAR/bin
}

# Whether an instance runs in MCS_VAR: it holds the lock as long as it lives.
instance_runs() {
	[[ -e $MCS_VAR/lock ]] || return
	[[ -r $MCS_VAR/lock ]] || die "$MCS_VAR belongs to $(stat -c %U "$MCS_VAR")"
	! flock -ns "$MCS_VAR/lock" true
}

# Prints the process id of an instance whose folder was MCS_VAR and has been removed: it still has the
# lock open.
removed_instance() {
	local path target number
	while IFS=$'\t' read -r path target; do
		number=${path#/proc/} number=${number%%/*}
		[[ $target == "$MCS_VAR/lock (deleted)" && $(<"/proc/$number/comm") == mcs-supervisor ]] || continue
		echo "$number"
		return
	done < <(find /proc/[0-9]*/fd -maxdepth 1 -lname '*/lock (deleted)' -printf '%p\t%l\n')
	return 1
} 2>/dev/null

# Prints how a person calls ./mcs for this instance.
own_mcs() { [[ $MCS_VAR -ef $here/var ]] && echo ./mcs || printf 'MCS_VAR=%q ./mcs\n' "$MCS_VAR"; }

die_running() {
	die "already running in $MCS_VAR$(running_pid ' as process '); for a second instance: ./mcs run PORT=$((${PORT:-3000} % 65535 + 1)) MCS_VAR=/tmp/second"
}

die_not_running() {
	local number
	number=$(removed_instance) || die "not running in $MCS_VAR"
	die "the folder $MCS_VAR was removed while process $number runs in it; ./mcs stop ends that"
}

# --- what lighttpd.conf includes ------------------------------------------------------------------

# A line of lighttpd's configuration; numbers stay bare.
lighttpd_var() {
	if [[ $3 == number ]]; then
		printf 'var.mcs_%s = %d\n' "$1" "$2"
	else
		printf 'var.mcs_%s = "%s"\n' "$1" "$2"
	fi
}

# $1: what it listens on; $2: the responder program as bin-path shall have it; $3: deploy/lighttpd/ or
# its instance; $4: the same for `include`, which takes [ and { for parts of a pattern.
print_vars() {
	local wsd_host=${WSD_LISTEN:-$run_folder/wsd.sock} wsd_port=0 files
	if [[ $wsd_host != /* ]]; then
		wsd_host=$(reachable "$wsd_host")
		wsd_port=${wsd_host##*:} wsd_host=${wsd_host%:*} wsd_host=${wsd_host#[} wsd_host=${wsd_host%]}
	fi
	files=$(ulimit -Hn)
	[[ $files != unlimited ]] && ((files < 20000)) || files=20000
	lighttpd_var port "$PORT" number
	lighttpd_var bind "$1" text
	lighttpd_var base_path "$BASE_PATH" text
	lighttpd_var responder "$2" text
	lighttpd_var responder_socket "$run_folder/responder.sock" text
	lighttpd_var wsd_host "$wsd_host" text
	lighttpd_var wsd_port "$wsd_port" number
	lighttpd_var errors "$3/errors/" text
	lighttpd_var access_log "$MCS_VAR/log/access.log" text
	lighttpd_var max_fds "$files" number
	# lighttpd lets in no more than that; a WebSocket takes two, and wsd lets in fewer.
	lighttpd_var max_connections "$((files / 2))" number
	lighttpd_var folder "$MCS_VAR" text
	lighttpd_var env_file "${MCS_ENV_FILE:-}" text
	print_cors_vars
	printf 'include "%s/pool.conf"\n' "$4"
}

# What a whole configuration needs beside var.mcs_bind. $1: as of print_vars.
print_listeners() {
	local address
	# Takes effect where lighttpd binds its address itself.
	[[ $1 != '[::]' ]] || echo 'server.set-v6only = "disable"'
	for address in "${listen_addresses[@]:1}"; do
		# By the protocol of systemd, where it is given the socket.
		echo 'server.systemd-socket-activation = "enable"'
		echo "\$SERVER[\"socket\"] == \"$address:$PORT\" { }"
	done
}

# The header by which pages may read what lighttpd refuses by itself.
# shellcheck disable=SC2016
print_cors_vars() {
	local header='"Access-Control-Allow-Origin"' origin
	if [[ $CORS_ORIGIN == '*' ]]; then
		echo "var.mcs_cors = ( $header => \"*\" )"
		return
	fi
	echo 'var.mcs_cors = ()'
	for origin in ${CORS_ORIGIN//,/ }; do
		printf '$HTTP["url"] == "/mcs-refused" {\n  $REQUEST_HEADER["origin"] == "%s" {\n' "$origin"
		printf '    setenv.set-response-header = ( %s => "%s" )\n  }\n}\n' "$header" "$origin"
	done
}

# lighttpd takes a blank for the end of a program's name, and more for a pattern. A clone whose path is
# not plain is represented by copies in its var/, which is elsewhere.
cmd_vars() {
	[[ $* == @(|--listen) ]] || die 'usage: ./mcs vars [--listen]'
	local program=$programs/mcs-responder deploy=$here/deploy/lighttpd
	find_folders
	choose_var true
	load_config
	# The lock says to ./mcs run that the folder is an instance's.
	[[ -d $MCS_VAR/log && -d $run_folder && -e $MCS_VAR/lock ]] ||
		(umask 077 && mkdir -p "$MCS_VAR" && : >>"$MCS_VAR/lock" && mkdir -p "$MCS_VAR/log" "$run_folder") ||
		die "cannot create $MCS_VAR"
	if ! is_plain_path "$here"; then
		(umask 022 && mkdir -p "$MCS_VAR/bin" "$MCS_VAR/etc") || die "cannot write to $MCS_VAR"
		prepare_programs
		copy_lighttpd_folder || die "cannot write to $MCS_VAR/etc"
		program=$MCS_VAR/bin/mcs-responder deploy=$MCS_VAR/etc/deploy/lighttpd
	fi
	is_plain_path "$program" || die "lighttpd cannot start a program whose path is $program (./mcs run can)"
	print_vars "${listen_addresses[0]}" "$program" "$deploy" "$deploy"
	(($# == 0)) || print_listeners "${listen_addresses[0]}"
}
