# shellcheck shell=bash
# ./mcs test autobahn FOLDER [CASE...]: the Autobahn testsuite, of which FOLDER is a checkout, against a running
# instance; all of its cases, or those that match, such as 1.* or 7.1.1. It needs a Python that can import
# autobahntestsuite from there; PYTHON names it (python3). autobahn.jq judges the reports.

test_autobahn() {
	local suite python=${PYTHON:-python3} reports call_id=019a0000-0000-7000-8000-0000000a07ba
	(($#)) || die 'usage: ./mcs test autobahn FOLDER [CASE...]; FOLDER is a checkout of the Autobahn testsuite'
	[[ -d $1 ]] || die "no folder $1"
	suite=$(find "$1" -path '*/autobahntestsuite/wstest.py' -print -quit)
	[[ $suite ]] || die "$1 is no checkout of the Autobahn testsuite: it has no autobahntestsuite/wstest.py"
	PYTHONPATH=$(absolute "$(dirname "$(dirname "$suite")")" "$PWD") && export PYTHONPATH
	"$python" -c 'import autobahntestsuite.wstest' ||
		die "$python cannot import autobahntestsuite.wstest (see above); install what it needs, or name another PYTHON"
	shift
	need_packages "${program_packages[@]}" "${test_packages[@]}"
	forget_settings
	build_programs release all
	MCS_TEST_DIR=$(mktemp -d /tmp/mcs.XXXXXX) && chmod 711 "$MCS_TEST_DIR" && mkdir -m 711 "$MCS_TEST_DIR/release" || exit
	export MCS_TEST_DIR MCS_BUILD=release BATS_TEST_TMPDIR=$MCS_TEST_DIR
	trap end_autobahn EXIT
	trap 'exit 130' INT TERM HUP
	# shellcheck source=/dev/null
	. "$here/tests/harness/helpers.bash"
	# shellcheck source=/dev/null
	. "$here/tests/harness/service.bash"
	start_instance autobahn && insert_call id="$call_id" || die 'the instance did not start'
	reports=$MCS_TEST_DIR/reports
	autobahn_spec "$reports" "ws://127.0.0.1:$PORT/ws?call_id=$call_id" "$@" >"$MCS_TEST_DIR/spec.json"
	(cd "$MCS_TEST_DIR" && "$python" -m autobahntestsuite.wstest -m fuzzingclient -s spec.json) >"$MCS_TEST_DIR/wstest.out" 2>&1 ||
		{ cat "$MCS_TEST_DIR/wstest.out" && count_line 'not ok - wstest failed'; }
	count_autobahn "$reports"
	print_tally "$MCS_TEST_DIR"
}

end_autobahn() {
	trap '' INT TERM HUP
	[[ ! -e $MCS_TEST_DIR/release/autobahn.instance ]] || stop_instance autobahn
	((failed)) || rm -rf "${MCS_TEST_DIR:?}"
}

# What wstest is to do: outdir, url, cases.
autobahn_spec() {
	jq -n --arg outdir "$1" --arg url "$2" '{outdir: $outdir, servers: [{agent: "mcs", url: $url}],
		cases: (if $ARGS.positional == [] then ["*"] else $ARGS.positional end),
		"exclude-cases": [], "exclude-agent-cases": {}}' --args "${@:3}"
}

# Counts the reports in a folder.
count_autobahn() {
	local report line number=0
	while IFS= read -r report; do
		line=$(jq -r -f "$here/tests/harness/autobahn.jq" "$1/$report") || line="not ok $report cannot be read"
		[[ $line != 'not ok '* ]] || line="not ok $((++number)) ${line#not ok }"
		[[ $line != 'ok '* ]] || line="ok $((++number)) ${line#ok }"
		count_line "$line"
	done < <(jq -r '.mcs[].reportfile' "$1/index.json" | sort -V)
	((number)) || count_line 'not ok - the testsuite has no report'
}
