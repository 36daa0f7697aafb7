# shellcheck shell=bash
# The user that all services run as, and the folder of an instance (MCS_VAR): who owns what in it.

service_user=mcs
# The words that make a command run as service_user, without a way back.
as_user=(setpriv --no-new-privs)

# PostgreSQL refuses to run as root, and nothing else needs root.
choose_user() {
	if ((EUID != 0)); then
		service_user=$(id -un)
		return
	fi
	need_service_user
	# HOME: libpq looks there, and fails where it has no right to.
	as_user=(env HOME=/nonexistent setpriv "--reuid=$service_user" "--regid=$service_user" --init-groups
		--no-new-privs --bounding-set=-all)
}

need_service_user() {
	! id "$service_user" >/dev/null 2>&1 || return 0
	say "creating the system user $service_user, which all services run as"
	useradd --system --user-group --no-create-home --home-dir /nonexistent \
		--shell /usr/sbin/nologin "$service_user" || die "cannot create the user $service_user"
}

# Runs a command as that user and waits for it. It ends with us, has a session of its own (it cannot type into
# our terminal), and does not get our connection to the supervisor.
as_service() { (cd / && exec setsid -w "${as_user[@]}" --pdeathsig=KILL -- "$@" 3<&-); }

var_can_be_entered() { ((EUID != 0)) || as_service test -x "$(existing_parent "$MCS_VAR")"; }

# Prints the first line of a file below MCS_VAR that the service's user wrote. The file may be anything: it is
# read as that user, for 5 s at most, and the caller checks the line.
first_line_of() { as_service timeout 5 head -n 1 "$MCS_VAR/$1" 2>/dev/null | head -c 100 | tr -d '\0'; }

existing_parent() {
	local path=$1
	while [[ ! -e $path || $path == "$MCS_VAR" ]]; do path=$(dirname "$path"); done
	echo "$path"
}

# Makes a folder that only the service's user enters.
private_folder() {
	if [[ ! -d $1 ]]; then
		mkdir -m 700 "$1" || die "cannot create $1"
	fi
	((EUID != 0)) || chown "$service_user:$service_user" "$1" || die "cannot give $1 to $service_user"
	chmod 700 "$1" || die "$1 belongs to $(stat -c %U "$1")"
}

# Makes a folder that only we write and the service reads, so that root can trust the names in it.
readable_folder() {
	mkdir -p "$1" || die "cannot create $1"
	if ((EUID == 0)); then
		chown "root:$service_user" "$1" && chmod 2750 "$1" || die "cannot prepare $1"
	else
		chmod 700 "$1" || die "$1 belongs to $(stat -c %U "$1")"
	fi
}

# The service writes its logs, but only we write their folder, since root reads and cuts them. Older versions
# gave the folder to the service: links and the like that such a one contains are removed.
prepare_logs() {
	local log=$MCS_VAR/log name file
	readable_folder "$log"
	find "$log" -mindepth 1 \( ! -type f -o -links +1 \) -exec rm -rf {} +
	for name in "${component_names[@]}" access; do
		file=$(log_of "$name")
		[[ -e $file ]] || (umask 077 && : >"$file") || die "cannot write to $log"
		((EUID != 0)) || chown "$service_user:$service_user" "$file" || die "cannot give $file to $service_user"
	done
}

# Takes the folder for this instance alone, and makes everything in it private.
take_folder() {
	local socket=$run_folder/responder.sock-0 length
	length=$(LC_ALL=C && echo ${#socket})
	((length <= 100)) || die "MCS_VAR=$MCS_VAR is too long: sockets below it would need $length characters of 100"
	mkdir -p "$(dirname "$MCS_VAR")" && umask 077 && mkdir -p "$MCS_VAR" || die "cannot create $MCS_VAR"
	[[ -O $MCS_VAR ]] || die "$MCS_VAR belongs to $(stat -c %U "$MCS_VAR"): run as that user, or set MCS_VAR"
	[[ -e $MCS_VAR/lock || ! $(ls -A "$MCS_VAR") ]] ||
		die "MCS_VAR=$MCS_VAR holds other things: name an empty or a new folder"
	take_lock
	if ((EUID == 0)); then
		umask 027
		chgrp "$service_user" "$MCS_VAR" && chmod 710 "$MCS_VAR" || die "cannot prepare $MCS_VAR"
	else
		chmod 700 "$MCS_VAR"
	fi
	private_folder "$run_folder"
	readable_folder "$MCS_VAR/bin"
	readable_folder "$MCS_VAR/etc"
	(umask 077 && printf '%s\n' "$config" "MCS_VAR='$MCS_VAR'" "MCS_ENV_FILE=''" "MCS_SERVER=$MCS_SERVER" >"$MCS_VAR/config") ||
		die "cannot write to $MCS_VAR"
	prepare_logs
}
