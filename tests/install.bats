# make install and make uninstall, into a folder. What comes of it on a system is for
# `./mcs test package`.

load helpers
load service

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
