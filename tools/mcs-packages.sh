# shellcheck shell=bash
# Which Debian packages what needs; tools/install-packages installs them.

program_packages=(
	gcc make pkg-config libc6-dev libfcgi-dev libpq-dev libhiredis-dev libjson-c-dev uuid-dev
	libev-dev libwslay-dev nettle-dev libseccomp-dev lighttpd postgresql redis-server curl util-linux
)
test_packages=(bats git jq procps iproute2 openssl locales lighttpd-mod-openssl pgbouncer)
lint_packages=(clang-format clang-tidy cppcheck shellcheck mandoc)
deb_packages=(git build-essential debhelper)
package_packages=("${deb_packages[@]}" lintian debootstrap systemd-container)

# Prints those of the packages that are not installed, a line each.
missing_packages() {
	local installed
	installed=$'\n'$(dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' "$@" 2>/dev/null || :)$'\n'
	local package
	for package in "$@"; do
		[[ $installed == *$'\n'?"i $package"$'\n'* ]] || echo "$package"
	done
}

# Installs those of the packages that are missing, and says which; quick when none is.
need_packages() {
	command -v dpkg-query >/dev/null || die "this needs Debian's packages: $*"
	local missing=()
	mapfile -t missing < <(missing_packages "$@" | awk '!seen[$0]++')
	((${#missing[@]})) || return 0
	local as_root=()
	if ((EUID != 0)); then
		command -v sudo >/dev/null ||
			die "needs root or sudo to install packages; as root: bash $here/tools/install-packages ${missing[*]}"
		as_root=(sudo)
		[[ -t 0 ]] || as_root=(sudo -n)
	fi
	say "installing ${missing[*]}"
	"${as_root[@]}" bash -p "$here/tools/install-packages" "${missing[@]}" ||
		die "installing failed: ${missing[*]}"
}
