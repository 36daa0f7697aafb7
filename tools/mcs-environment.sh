# shellcheck shell=bash
# What the caller hands down and must not decide: the locale, and variables that change how programs work.
# (BASH_ENV, exported functions and SHELLOPTS the `bash -p` of ./mcs has left out.)

set +o posix
shopt -u patsub_replacement 2>/dev/null # a & in a path is no pattern; bash 5.1 has no such option
export LC_ALL=C.UTF-8
export HOME=${HOME:-/} PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin
unset LANGUAGE BASH_ENV ENV CDPATH GLOBIGNORE POSIXLY_CORRECT TMPDIR REDISCLI_AUTH \
	GREP_OPTIONS GREP_COLOR GREP_COLORS LS_COLORS QUOTING_STYLE TAR_OPTIONS PS_FORMAT PS_PERSONALITY \
	GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

# libpq's variables would add to the settings. For a server that POSTGRES_HOST names those of
# common/libpq.def hold, else ($1: private) none.
forget_libpq() {
	local name kept=''
	[[ $1 == private ]] || kept=$(sed -n 's/^LIBPQ_VARIABLE(\(.*\))$/\1/p' "$here/common/libpq.def")
	for name in "${!PG@}"; do
		[[ $'\n'$kept$'\n' == *$'\n'"$name"$'\n'* ]] || unset "$name"
	done
}
