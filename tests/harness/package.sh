# shellcheck shell=bash
# ./mcs test package: builds the Debian package and lives with it on a fresh Debian 12 of its own, made
# by debootstrap and booted with systemd by systemd-nspawn: installs, sets up, uses, reboots, upgrades,
# removes and purges it. As root; the system has no network but its own loopback.

package_folder=$here/build/package
package_suite=bookworm
container='' leader=''

test_package() {
	need_packages "${program_packages[@]}" "${test_packages[@]}" "${package_packages[@]}"
	((EUID == 0)) || die 'needs root: it boots a system of its own'
	build_programs release all tools
	wscat=$here/build/release/tests/wscat
	package_log=$package_folder/log
	mkdir -p "$package_folder" && : >"$package_log" || exit
	exec {package_lock}>"$package_folder/lock" && flock -n "$package_lock" || die 'this test runs already'
	trap end_container EXIT
	trap 'exit 130' INT TERM HUP
	local begin=$SECONDS
	test_package_steps || tac "$package_log" | sed '/^== /q' | tac | tail -n 60 | sed 's/^/#   /'
	echo "# it took $((SECONDS - begin)) s"
	print_tally "$package_log"
}

test_package_steps() {
	step 'make deb builds the package' build_package &&
		step 'lintian finds no error' package_is_clean &&
		step 'debootstrap and apt fetch a Debian' prepare_base &&
		step 'the Debian boots' boot &&
		step 'apt installs the package, and nothing runs yet' install_package &&
		step 'the units are what systemd expects' units_are_clean &&
		step 'mcs-setup makes it run' set_up &&
		step 'everything is the user mcs, confined by systemd and by itself' components_are_confined &&
		step 'the sockets are for the web server alone' sockets_are_private &&
		step 'a call through lighttpd, and its WebSocket until the recording' call_lives &&
		step 'a connection while the responders are stopped starts them' socket_starts_responders &&
		step 'a reload renews the responders, and nobody is refused' reload_renews &&
		step 'a component that is killed comes back' components_come_back &&
		step 'mcs-setup again keeps what is there' set_up_again &&
		step 'after a reboot it runs, and knows the call' survives_reboot &&
		step 'an upgrade restarts everything, and it is ready' survives_upgrade &&
		step 'removed: no process is left, lighttpd runs, settings and data are kept' remove_package &&
		step 'installed again and set up: it knows the call' install_again &&
		step 'purged: no file and no user is left, and the database is' purge_package &&
		step 'installed from source, by make install, and set up: a call lives' install_from_source
}

# Runs a step, whose output goes to the log, and counts it.
step() {
	local name=$1 begin=$SECONDS
	shift
	echo "== $name" >>"$package_log"
	if "$@" >>"$package_log" 2>&1 </dev/null; then
		count_line "ok - $name # $((SECONDS - begin)) s"
	else
		[[ ! $leader ]] || inside journalctl --no-pager -n 30 >>"$package_log" 2>&1
		count_line "not ok - $name"
		return 1
	fi
}

await() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < deadline)) || { echo "waited without success for: $*"; return 1; }
		sleep 0.2
	done
}

# --- the package, and a Debian to install it on ---------------------------------------------------

build_package() {
	make -s -C "$here" deb && package=$(printf '%s\n' "$here"/build/mcs_*.deb) && [[ -e $package ]]
}

package_is_clean() { lintian --fail-on error --tag-display-limit 0 "$package"; }

# The base stays for the next time, with the packages that will be wanted in apt's cache: the system
# itself has no network. A base is whole or not there.
prepare_base() {
	local base=$package_folder/base
	if [[ ! -e $base/etc/debian_version ]]; then
		rm -rf "$base" "$base.new"
		debootstrap --variant=minbase --include=systemd-sysv,dbus "$package_suite" "$base.new" || return
		cat /etc/resolv.conf >"$base.new/etc/resolv.conf"
		echo 'APT::Keep-Downloaded-Packages "true";' >"$base.new/etc/apt/apt.conf.d/90keep"
		mv "$base.new" "$base" || return
	fi
	rm -rf "$package_folder/root"
	cp "$package" "$base/root/mcs.deb" &&
		chroot "$base" apt-get install -q -y --download-only /root/mcs.deb "${package_company[@]}" &&
		cp -a "$base" "$package_folder/root"
}
package_company=(postgresql redis-server lighttpd)

# --- the system -----------------------------------------------------------------------------------

# In a process namespace, which ends with us, and all that is in it with that. Where systemd does not
# run here, nspawn needs a control group that is ours. Of its own accord it forbids Landlock.
boot() {
	local keep=() hierarchy
	if [[ ! -d /run/systemd/system ]]; then
		keep=(--keep-unit)
		for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
			[[ ! -e $hierarchy/cgroup.procs ]] || mkdir -p "$hierarchy/mcs-package"
		done
	fi
	(
		for hierarchy in /sys/fs/cgroup{,/systemd,/unified}/mcs-package; do
			[[ ! -d $hierarchy ]] || echo "$BASHPID" >"$hierarchy/cgroup.procs"
		done
		exec {package_lock}>&- setpriv --pdeathsig KILL \
			unshare --mount --pid --fork --kill-child --mount-proc \
			systemd-nspawn -q -D "$package_folder/root" --boot --register=no "${keep[@]}" \
			--system-call-filter='landlock_create_ruleset landlock_add_rule landlock_restrict_self' \
			--private-network --resolv-conf=off --timezone=off --console=pipe
	) &
	container=$!
	await 60 has_booted
}

# The system's first process is the child of nspawn, which is the child of unshare.
find_leader() {
	local nspawn
	nspawn=$(child_of "$container") && leader=$(child_of "$nspawn") && [[ $(<"/proc/$leader/comm") == systemd ]]
} 2>/dev/null

child_of() { cut -d' ' -f1 "/proc/$1/task/$1/children"; }

has_booted() {
	find_leader && [[ $(inside systemctl is-system-running 2>/dev/null) == @(running|degraded) ]]
}

# Runs a command in the system; `on_its_network` one of ours.
inside() {
	nsenter -t "$leader" -m -u -i -n -p -C -- env -i PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

on_its_network() { nsenter -t "$leader" -n -- "$@"; }

end_container() {
	local hierarchy
	if [[ $container ]]; then
		kill -KILL "$container"
		wait "$container"
	fi 2>/dev/null
	for hierarchy in /sys/fs/cgroup{,/systemd,/unified}/mcs-package; do
		[[ ! -d $hierarchy ]] || await 10 remove_group "$hierarchy" || failed=$((failed + 1))
	done
	rm -rf "$package_folder/root"
}

# Fails as long as a process is in it.
remove_group() {
	find "$1" -depth -type d -exec rmdir {} \; 2>/dev/null
	[[ ! -d $1 ]]
}

# --- what is done there ---------------------------------------------------------------------------

apt_inside() { inside apt-get -q -y "$@"; }

units=(mcs-responders.socket mcs-responders.service mcs-wsd.service mcs-worker.service)

install_package() {
	apt_inside install /root/mcs.deb "${package_company[@]}" || return
	no_process_is_left && ! inside systemctl is-enabled mcs.target
}

units_are_clean() {
	local said
	said=$(inside systemd-analyze verify --man=no mcs.target "${units[@]}" 2>&1)
	echo "$said"
	[[ ! $said ]] || return
	inside systemd-analyze security --no-pager mcs-responders.service mcs-wsd.service mcs-worker.service |
		grep 'Overall exposure'
}

set_up() {
	inside mcs-setup | tee "$package_folder/setup.out" && grep -q '^The service is ready' "$package_folder/setup.out" &&
		key=$(inside sed -n 's/^VALID_API_KEYS=//p' /etc/mcs/mcs.env) && ((${#key} == 32)) &&
		inside systemctl is-active mcs.target "${units[@]}" && inside systemctl is-enabled mcs.target "${units[@]}"
}

# That the two kinds of confinement do not hinder each other, a log of level debug shows.
components_are_confined() {
	inside sed -i 's/^LOG_LEVEL=.*/LOG_LEVEL=debug/' /etc/mcs/mcs.env && inside systemctl restart mcs.target &&
		await 20 is_ready_inside || return
	local number name filters
	for name in wsd worker responders; do
		number=$(inside systemctl show -P MainPID "mcs-$name.service")
		is_confined "$number" || return
	done
	# The pool's parent has no filter of its own, its children have one more than it.
	filters=$(status_of_process "$number" Seccomp_filters)
	number=$(inside cut -d' ' -f1 "/proc/$number/task/$number/children")
	is_confined "$number" && (($(status_of_process "$number" Seccomp_filters) == filters + 1)) || return
	# Where the kernel has no Landlock it cannot be had; but nothing may be forbidden.
	! inside journalctl --no-pager -u 'mcs-*' | grep -E 'privileges\..*(not permitted|denied)|privileges\.unconfined'
}

is_confined() {
	local what
	for what in Name Uid CapBnd NoNewPrivs Seccomp_filters; do
		printf '%s %s  ' "$what" "$(status_of_process "$1" "$what")"
	done
	echo
	[[ $(status_of_process "$1" Uid | cut -f 1) == "$(inside id -u mcs)" ]] &&
		[[ $(status_of_process "$1" CapBnd) =~ ^0+$ && $(status_of_process "$1" NoNewPrivs) == 1 ]]
}

status_of_process() { inside sed -n "s/^$2:[[:blank:]]*//p" "/proc/$1/status"; }

sockets_are_private() {
	local socket
	inside stat -c '%A %U %G %n' /run/mcs /run/mcs/responder.sock /run/mcs/wsd.sock
	[[ $(inside stat -c '%a %U %G' /run/mcs) == '2750 mcs www-data' ]] || return
	for socket in responder wsd; do
		[[ $(inside stat -c '%a %G' "/run/mcs/$socket.sock") == '660 www-data' ]] || return
	done
	inside setpriv --reuid=nobody --regid=nogroup --clear-groups test ! -x /run/mcs
}

# A request through lighttpd: sets status_code and body.
request() {
	body=$(on_its_network curl -q -s --noproxy '*' --max-time 20 -w '\n%{http_code}' \
		-H "Authorization: Bearer $key" "${@:2}" "http://localhost$1")
	status_code=${body##*$'\n'} body=${body%$'\n'*}
	echo "$1: $status_code $body"
}

is_ready_inside() { request /ready && [[ $status_code == 200 ]]; }

call_lives() {
	request /calls -H 'Content-Type: application/json' -d '{"from": "+1234567890", "to": "+0987654321"}'
	[[ $status_code == 201 ]] || return
	call_id=$(jq -r .call_id <<<"$body")
	local events
	events=$(on_its_network "$wscat" --timeout 40 "$(jq -r .websocket_url <<<"$body")")
	echo "$events"
	[[ $events == *'"recording_url":"https://'*'! close 1000 '* ]] && knows_call || return
	events=$(inside env MCS_ENV_FILE=/etc/mcs/mcs.env mcs-admin watch "$call_id")
	[[ $events == *'closed: call finished' ]]
}

knows_call() {
	request "/calls/$call_id"
	[[ $status_code == 200 && $(jq -r '.status + " " + .recording_url' <<<"$body") == 'COMPLETED https://'* ]]
}

socket_starts_responders() {
	inside systemctl stop mcs-responders.service || return
	[[ $(our_processes) != *mcs-responder* ]] && is_ready_inside && inside systemctl is-active mcs-responders.service
}

reload_renews() {
	local before answers
	before=$(responders_inside)
	inside systemctl reload mcs-responders.service &
	answers=$(on_its_network curl -q -s --noproxy '*' -o /dev/null -w '%{http_code}\n' 'http://localhost/health?n=[1-200]' |
		sort | uniq -c | sed 's/^ *//')
	wait $! || return
	[[ $answers == '200 200' ]] || { echo "answers: $answers" && return 1; }
	await 10 has_other_children "$before"
}

responders_inside() {
	local number
	number=$(inside systemctl show -P MainPID mcs-responders.service)
	inside cat "/proc/$number/task/$number/children" | tr ' ' '\n' | sed '/^$/d' | sort
}

has_other_children() {
	local now
	now=$(responders_inside)
	[[ $now && ! $(comm -12 <(echo "$1") <(echo "$now")) ]]
}

components_come_back() {
	local unit before
	for unit in mcs-responders mcs-wsd mcs-worker; do
		before=$(inside systemctl show -P MainPID "$unit")
		inside systemctl kill -s KILL --kill-whom=main "$unit" || return
		await 8 has_another_process "$unit" "$before" || return
	done
	await 20 is_ready_inside && call_lives
}

has_another_process() {
	local now
	now=$(inside systemctl show -P MainPID "$1")
	[[ $now != "$2" && $now != 0 ]] && inside systemctl -q is-active "$1"
}

set_up_again() {
	local before
	before=$(inside cat /etc/mcs/mcs.env)
	inside mcs-setup && [[ $(inside cat /etc/mcs/mcs.env) == "$before" ]] && knows_call
}

# Off and on again: nspawn may leave a reboot to its caller.
survives_reboot() {
	inside systemctl poweroff
	await 60 container_has_ended && boot && await 30 is_ready_inside && knows_call
}

container_has_ended() { ! kill -0 "$container" 2>/dev/null; }

survives_upgrade() {
	local unit before
	before=$(main_pids)
	apt_inside install --reinstall /root/mcs.deb || return
	await 20 is_ready_inside && [[ ! $(comm -12 <(sort <<<"$before") <(main_pids | sort)) ]] && call_lives
}

main_pids() {
	local unit
	for unit in mcs-responders mcs-wsd mcs-worker; do inside systemctl show -P MainPID "$unit"; done
}

# The names of the service's processes.
our_processes() { inside bash -c 'cat /proc/[0-9]*/comm' | grep '^mcs-'; }

no_process_is_left() {
	[[ ! $(our_processes) ]] && [[ ! $(inside systemctl list-units --no-legend 'mcs*' --state=active) ]]
}

# How many rows the call has.
rows_of_call() {
	inside setpriv --reuid=postgres --regid=postgres --init-groups psql -qAtX -d mock_communications \
		-c "SELECT count(*) FROM calls WHERE id = '$call_id'"
}

remove_package() {
	package_files=$(inside dpkg -L mcs)
	apt_inside remove mcs || return
	no_process_is_left && inside systemctl restart lighttpd && await 10 lighttpd_is_itself &&
		inside test -s /etc/mcs/mcs.env && [[ $(rows_of_call) == 1 ]]
}

lighttpd_is_itself() { request / && [[ $status_code == 200 && $body == *html* ]]; }

install_again() {
	apt_inside install /root/mcs.deb && inside mcs-setup && knows_call
}

purge_package() {
	apt_inside purge mcs || return
	no_process_is_left && ! inside getent passwd mcs && inside test ! -e /etc/mcs -a ! -e /run/mcs &&
		[[ $(rows_of_call) == 1 ]] || return
	local file remains=''
	while IFS= read -r file; do
		inside test -d "$file" || ! inside test -e "$file" || remains+=" $file"
	done <<<"$package_files"
	remains+=$(inside find / -xdev -name '*mcs*' -not -path '/var/cache/*' -not -path '/root/*' -not -path '/var/log/*' \
		-not -path '/proc/*' -not -path '/var/lib/postgresql/*')
	echo "left: $remains"
	[[ ! $remains ]]
}

install_from_source() {
	make -s -C "$here" install DESTDIR="$package_folder/root" && inside systemctl daemon-reload && set_up && call_lives
}
