# make install and make uninstall, into a folder. What comes of it on a system is for
# `./mcs test package`.

load harness/helpers
load harness/service

setup() {
	root=$BATS_TEST_TMPDIR/root
}

# make with an umask and settings that a packager might have.
make_for_package() {
	(umask 077 && make -s -C "$MCS_ROOT" MODE="${MCS_BUILD:-release}" PREFIX=/opt/mcs DESTDIR="$root" "$@")
}

@test "make install: everything is there, for everybody to read, and names where it is" {
	make_for_package install WEBGROUP=httpd
	local name
	for name in responder wsd worker admin; do
		match "$("$root/opt/mcs/sbin/mcs-$name" --version)" "^mcs-$name [0-9]+\.[0-9]+"
		[[ -s $root/opt/mcs/share/man/man8/mcs-$name.8 ]]
	done
	diff -r "$MCS_ROOT/sql" "$root/opt/mcs/share/mcs/sql"
	diff -r "$MCS_ROOT/lua" "$root/opt/mcs/share/mcs/lua"
	diff -r -x systemd -x 50-mcs.conf "$MCS_ROOT/deploy" "$root/opt/mcs/share/mcs/deploy"
	grep -qx 'ExecStart=/opt/mcs/sbin/mcs-wsd' "$root/opt/mcs/lib/systemd/system/mcs-wsd.service"
	grep -qx 'd /run/mcs 2750 mcs httpd -' "$root/opt/mcs/lib/tmpfiles.d/mcs.conf"
	grep -qx 'include "/opt/mcs/share/mcs/deploy/lighttpd/mcs.conf"' \
		"$root/opt/mcs/share/mcs/deploy/lighttpd/50-mcs.conf"
	same "$(grep -rlE '@[a-z]+@' "$root/opt/mcs/lib" "$root/opt/mcs/share")" ''
	same "$(find "$root/opt" -type f ! -perm -444)" ''
}

@test "mcs.env(5) has every setting, with its default" {
	make_for_package man
	local page name fallback
	page=$(<"$MCS_ROOT/build/${MCS_BUILD:-release}/man/mcs.env.5")
	while IFS='|' read -r _ name _ fallback _; do
		name=${name//[\` ]/} fallback=${fallback//[\` ]/}
		[[ $page == *$'\n'".It Ev $name"$'\n'* ]]
		[[ $fallback == unset || $page == *$'\n.Ql \\&'"$fallback"$'\n'* ]]
	done < <("$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-admin" config --markdown | tail -n +3)
}

@test "make uninstall takes away what make install brought" {
	make_for_package install
	make_for_package uninstall
	same "$(find "$root" ! -type d)" ''
	[[ ! -e $root/opt/mcs/share/mcs ]]
}

@test "make deb names the packages that it needs and that are missing" {
	local folder as_nobody=()
	folder=$(instances_folder)/make-deb # where nobody can pass
	bin=$folder/bin
	mkdir -p "$bin"
	printf '#!/bin/sh\nexit 1\n' | tee "$bin/dpkg-query" >"$bin/sudo"
	chmod 755 "$folder" "$bin" "$bin"/*
	((EUID != 0)) || as_nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups --)
	cp -r "$MCS_ROOT/tools" "$folder/"
	chmod -R a+rX "$folder/tools"
	run "${as_nobody[@]}" env PATH="$bin:/usr/bin:/bin" "$folder/tools/make-deb" 1.0
	((status != 0))
	match "${lines[0]}" '^make-deb: installing gcc .* git build-essential debhelper$'
}

@test "make deb outside of a clone says that it needs one" {
	local bin=$BATS_TEST_TMPDIR/bin
	mkdir "$bin"
	# All packages are there.
	printf '#!/bin/sh\nshift 2\nprintf "ii %%s\\n" "$@"\n' >"$bin/dpkg-query"
	chmod 755 "$bin/dpkg-query"
	cp -r "$MCS_ROOT/tools" "$BATS_TEST_TMPDIR/"
	run env PATH="$bin:/usr/bin:/bin" "$BATS_TEST_TMPDIR/tools/make-deb" 1.0
	same "$status $output" '1 make-deb: needs a git clone: the package contains the files that git tracks'
}

@test "./mcs test docker looks first whether the ports of the demo are free" {
	((EUID == 0)) || skip 'not root here'
	unshare -n true 2>/dev/null || skip 'no network namespaces here'
	# In a network of its own, where all are free but one.
	# shellcheck disable=SC2016
	run unshare -n bash -c 'ip link set lo up; "$1" listen 127.0.0.1:5433 sleep 60 & sleep_pid=$!
		for ((i = 0; i < 200; i++)); do (: </dev/tcp/127.0.0.1/5433) 2>/dev/null && break; sleep 0.1; done
		"$2" test docker; status=$?; kill $sleep_pid; exit $status' - "$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-admin" "$MCS_ROOT/mcs"
	same "$status $output" '1 mcs: the demo needs the ports 5433, 6379, 3000; stop what listens on 5433'
}
