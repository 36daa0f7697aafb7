# shellcheck shell=bash
# ./mcs test --stress N [--go-on] [ARGUMENT...]: ./mcs test N times while one core is kept busy, which shows the
# tests that demand that a machine be quick. Ends with the first run that fails, unless --go-on.

test_stress() {
	local rounds=${1:-} round go_on='' status wrong=0 summary=() # output and busy: for the trap, too
	[[ $rounds == +([0-9]) ]] && ((rounds > 0)) || die 'usage: ./mcs test --stress N [--go-on] [FILE...]'
	shift
	[[ ${1:-} != --go-on ]] || { go_on=yes && shift; }
	output=$(mktemp) || exit
	trap 'rm -f "$output"; kill "$busy"' EXIT
	trap 'exit 130' INT TERM HUP
	setpriv --pdeathsig KILL -- bash -c 'while :; do :; done' &
	busy=$!
	for ((round = 1; round <= rounds && (wrong == 0 || ${#go_on}); round++)); do
		echo "# run $round of $rounds, with one core kept busy"
		"$here/mcs" test "$@" 2>&1 | tee "$output"
		status=${PIPESTATUS[0]}
		summary+=("# run $round: $(tail -n 1 "$output")")
		((status)) || continue
		((++wrong))
		summary+=("$(sed -n '/^# failed:$/,/^[0-9]* passed/{/^#  /p; /^# its logs/p}' "$output")")
	done
	printf '%s\n' "${summary[@]}" "$((round - 1)) of $rounds runs, $wrong failed"
	((wrong == 0))
}
