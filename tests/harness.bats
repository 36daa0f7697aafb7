# ./mcs test about itself: what is not run fails, and what failed is said again at the end, with the line of
# the test and the folder of the logs. On trees made for it, whose programs are scripts.

load harness/helpers
load harness/service

setup() {
	tree=$BATS_TEST_TMPDIR/a.tree/with.dots
	mkdir -p "$tree/tests/unit" "$tree/tests/fuzz" "$tree/build/release/tests" "$BATS_TEST_TMPDIR/logs/release/one/postgres"
	program test_corpus_one 'ok 1 - 3 inputs' 1..1
	mv "$tree/tests/unit/test_corpus_one.c" "$tree/tests/fuzz/fuzz_one.c"
	program test_good 'ok 1 - test_this' 'ok 2 - test_that' 1..2
}

# A unit test with its source, which prints these lines.
program() {
	local name=$1
	shift
	: >"$tree/tests/unit/$name.c"
	printf '#!/bin/sh\ncat <<END\n%s\nEND\n' "$(printf '%s\n' "$@")" >"$tree/build/release/tests/$name"
	chmod 755 "$tree/build/release/tests/$name"
}

# Runs the unit tests that the tree has and the bats files named; lines and status are those of ./mcs test.
# shellcheck disable=SC2016
test_tree() {
	run env -i PATH="$BATS_TEST_TMPDIR/bin:/usr/bin:/bin" HOME=/ MCS_TEST_DIR="$BATS_TEST_TMPDIR/logs" \
		MCS_TEST_SECONDS="${MCS_TEST_SECONDS:-60}" MCS_TEST_BUILD="${MCS_TEST_BUILD:-}" bash -c '
		here=$1
		for file in tally runs test; do . "$0/tests/harness/$file.sh"; done
		mapfile -t names < <(unit_test_names)
		eval "${MCS_TEST_BUILD:-}"
		add_run release "${names[@]/#/"$here/build/release/tests/"}" "${@:2}"
		test_runs
		print_tally "$MCS_TEST_DIR/release.failed"
	' "$MCS_ROOT" "$tree" "$@"
}

@test "a tree whose path has dots: its unit tests run" {
	test_tree
	same "$status ${lines[-1]}" '0 3 passed, 0 failed'
}

@test "a unit test that was not built fails, and is named" {
	: >"$tree/tests/unit/test_absent.c"
	: >"$tree/tests/fuzz/fuzz_lost.c"
	test_tree
	same "$status ${lines[-1]}" '1 3 passed, 2 failed'
	match "$output" "not ok - there is no program $tree/build/release/tests/test_absent"
	match "$output" "not ok - there is no program $tree/build/release/tests/test_corpus_lost"
}

@test "programs of a build that is made meanwhile run, and one that it did not make fails" {
	mv "$tree/build/release" "$tree/release"
	: >"$tree/tests/unit/test_absent.c"
	# shellcheck disable=SC2016
	MCS_TEST_BUILD='build_programs() { sleep 0.5; mv "$here/release" "$here/build/"; }; build_run release' test_tree
	same "$status ${lines[-1]}" '1 3 passed, 1 failed'
	match "$output" "not ok - there is no program $tree/build/release/tests/test_absent"
}

@test "a program that ends before its plan fails, also with status 0" {
	program test_early 'ok 1 - test_this'
	test_tree
	same "$status ${lines[-1]}" '1 4 passed, 1 failed'
	match "$output" 'not ok - test_early ended with status 0 after 1 of 0 cases'
}

# What stands at the end of the output, from the failures on, without the numbers of cases and times.
end_of_output() { sed -n '/^# failed:/,$p' <<<"$output" | sed -E 's/ in [0-9]*ms$//; s/: not ok [0-9]+ /: not ok N /'; }

@test "a failed case is said again at the end: its name, the line that failed, the folder of its logs" {
	program test_bad 'ok 1 - test_this' '#   tests/unit/test_bad.c:12: x is 1, expected 2' \
		'#   tests/unit/test_bad.c:13: more' 'not ok 2 - test_that' 1..2
	test_tree
	same "$status" 1
	same "$(end_of_output)" "# failed:
#   release: not ok N - test_that
#     tests/unit/test_bad.c:12: x is 1, expected 2
# its logs: $BATS_TEST_TMPDIR/logs/release.failed
4 passed, 1 failed"
	[[ -d $BATS_TEST_TMPDIR/logs/release.failed/one && ! -e $BATS_TEST_TMPDIR/logs/release.failed/one/postgres ]]
}

@test "a failed case of a bats file is said again, too" {
	printf '%s\n' '@test "one" { :; }' '' '@test "two" {' '	[[ 1 == 2 ]]' '}' '@test "three" { skip; }' >"$tree/tests/some.bats"
	test_tree "$tree/tests/some.bats"
	same "$status" 1
	same "$(end_of_output)" "# failed:
#   release: not ok N two
#     $tree/tests/some.bats, line 4: \`[[ 1 == 2 ]]' failed
# its logs: $BATS_TEST_TMPDIR/logs/release.failed
4 passed, 1 failed, 1 skipped"
}

@test "files run beside each other, each says all that it has to say at once, and numbers are continuous" {
	local name
	# Each waits for the other.
	for name in left right; do
		printf '@test "%s 1" { : >"%s"; }\n@test "%s 2" { until [[ -e %s && -e %s ]]; do sleep 0.1; done; }\n' \
			"$name" "$BATS_TEST_TMPDIR/$name" "$name" "$BATS_TEST_TMPDIR/left" "$BATS_TEST_TMPDIR/right" >"$tree/tests/$name.bats"
	done
	test_tree "$tree"/tests/{left,right}.bats
	same "$status ${lines[-1]}" '0 7 passed, 0 failed'
	same "$(sed -nE 's/^ok ([0-9]+) .*/\1/p' <<<"$output" | paste -sd ' ')" '1 2 3 4 5 6 7'
	match "$output" $'ok [0-9]+ left 1 in [0-9]+ms\nok [0-9]+ left 2 '
	match "$output" $'ok [0-9]+ right 1 in [0-9]+ms\nok [0-9]+ right 2 '
}

@test "the slowest cases stand at the end, the slowest first" {
	printf '@test "%s" { sleep %s; }\n' quick 0 slow 1.2 long 0.6 >"$tree/tests/some.bats"
	test_tree "$tree/tests/some.bats"
	same "$status" 0
	match "$output" $'\n# the slowest cases of release:\n#   +1\\.[2-9] s  some.bats +slow\n#   +[0-9.]+ s  some.bats +long\n#   +[0-9.]+ s  some.bats +quick\n6 passed, 0 failed$'
}

@test "a bats that runs fewer cases than the file has fails" {
	printf '%s\n' '@test "one" { :; }' '@test "two" { :; }' >"$tree/tests/some.bats"
	stand_in bats 'echo 1..1; echo ok 1 one'
	test_tree "$tree/tests/some.bats"
	same "$status" 1
	match "$output" 'not ok - bats knows of 1 cases in some.bats, which has 2'
}

# stand_in PROGRAM SCRIPT: what runs in its place.
stand_in() {
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/bash\n%s\n' "$2" >"$BATS_TEST_TMPDIR/bin/$1"
	chmod 755 "$BATS_TEST_TMPDIR/bin/$1"
}

@test "a bats that dies fails, and the last lines say in which case" {
	printf '%s\n' '@test "one" { :; }' '@test "two" { :; }' >"$tree/tests/some.bats"
	stand_in bats 'echo 1..2; echo ok 1 one; kill -KILL $$'
	test_tree "$tree/tests/some.bats"
	same "$status ${lines[-1]}" '1 4 passed, 1 failed'
	same "${lines[-2]}" "# its logs: $BATS_TEST_TMPDIR/logs/release.failed"
	match "${lines[-3]}" '^#   release: not ok - some.bats ended with status 137 .*after 1 of 2 cases; the next one: "two"$'
}

@test "a file that does not begin fails" {
	printf '%s\n' 'setup_file() { exit 3; }' '@test "one" { :; }' >"$tree/tests/some.bats"
	test_tree "$tree/tests/some.bats"
	same "$status" 1
	match "${lines[-1]}" ' [1-9] failed$'
}

@test "a case that hangs is stopped, and fails its file" {
	printf '%s\n' '@test "one" { :; }' '@test "two" { sleep 4711; }' '@test "three" { :; }' >"$tree/tests/some.bats"
	MCS_TEST_SECONDS=2 test_tree "$tree/tests/some.bats"
	same "$status" 1
	match "$(end_of_output)" 'release: not ok - some.bats was stopped, for its time was over, after 1 of 3 cases; the next one: "two"'
	match "${lines[-1]}" '^4 passed, [1-9] failed$'
	same "$(pgrep -f '^sleep 4711$')" ''
}

@test "a unit test that crashes fails" {
	program test_crash 'ok 1 - test_this'
	printf '#!/bin/bash\necho ok 1 - test_this\nkill -SEGV $$\n' >"$tree/build/release/tests/test_crash"
	test_tree
	same "$status ${lines[-1]}" '1 4 passed, 1 failed'
	match "$output" 'not ok - test_crash ended with status 139 \(SIGSEGV\) after 1 of 0 cases'
}

@test "shared instances that do not start fail, and so do those that leave something" {
	printf '%s\n' '@test "one" { :; }' >"$tree/tests/some.bats"
	echo 'hold_instances() { echo "no such thing"; exit 1; }' >"$tree/tests/setup_suite.bash"
	test_tree "$tree/tests/some.bats"
	same "$status" 1
	match "$output" 'not ok - the shared instances of release did not start'
	match "$output" 'no such thing'
	[[ $output != *' one in '* ]]
	printf '%s\n' 'hold_instances() {' 'trap "echo left; exit 1" TERM' 'mkdir -p "$MCS_TEST_DIR/release"' \
		': >"$MCS_TEST_DIR/release/shared"' 'while :; do sleep 0.1; done' '}' 'setup_suite() { :; }' >"$tree/tests/setup_suite.bash"
	test_tree "$tree/tests/some.bats"
	same "$status" 1
	match "$output" ' one in '
	match "$output" 'not ok - the shared instances of release did not end well'
}

# --- the Autobahn testsuite -----------------------------------------------------------------------

@test "autobahn: without a folder, a checkout, or a Python that can import it: a line says so" {
	mkdir -p "$BATS_TEST_TMPDIR/empty" "$BATS_TEST_TMPDIR/suite/autobahntestsuite"
	run mcs test autobahn
	same "$status $output" '1 mcs: usage: ./mcs test autobahn FOLDER [CASE...]; FOLDER is a checkout of the Autobahn testsuite'
	run mcs test autobahn "$BATS_TEST_TMPDIR/none"
	same "$status $output" "1 mcs: no folder $BATS_TEST_TMPDIR/none"
	run mcs test autobahn "$BATS_TEST_TMPDIR/empty"
	match "$status $output" '^1 mcs: .*/empty is no checkout of the Autobahn testsuite'
	echo 'import nothing_of_that_name' >"$BATS_TEST_TMPDIR/suite/autobahntestsuite/wstest.py"
	run mcs test autobahn "$BATS_TEST_TMPDIR/suite"
	same "$status" 1
	match "$output" 'mcs: python3 cannot import autobahntestsuite\.wstest'
}

# report CASE RECEIVED EXPECTED BEHAVIOR CLOSE CODE: a report of the fuzzingclient.
report() {
	jq -n --arg id "$1" --argjson received "$2" --argjson expected "$3" --arg behavior "$4" --arg close "$5" --argjson code "$6" \
		'{id: $id, description: "A <b>case</b>.", $received, $expected, $behavior, behaviorClose: $close, remoteCloseCode: $code}' \
		>"$BATS_TEST_TMPDIR/reports/case_$1.json"
}

@test "autobahn: an echo is judged by liveness, everything else by what the suite expects" {
	local event='["message","{\"type\":\"connected\"}",false]'
	mkdir "$BATS_TEST_TMPDIR/reports"
	report 1.1 "[$event]" '{"OK":[["message","x",false]]}' FAILED OK 1000
	report 1.2 "[$event]" '{"OK":[["message","x",false]]}' FAILED UNCLEAN null
	report 2.1 "[$event,[\"pong\",\"x\"]]" '{"OK":[["pong","x"]]}' FAILED OK 1000
	report 2.2 "[$event]" '{"OK":[["pong","x"]]}' FAILED OK 1000
	report 9.1 "[$event]" '{"OK":[["message","x",false]]}' FAILED FAILED 1009
	report 12.1 "[$event]" '{"OK":[]}' UNIMPLEMENTED OK null
	jq -n '{mcs: ([$ARGS.positional[] | {(.): {reportfile: "case_\(.).json"}}] | add)}' --args 1.1 1.2 2.1 2.2 9.1 12.1 \
		>"$BATS_TEST_TMPDIR/reports/index.json"
	# shellcheck disable=SC2016
	run bash -c 'here=$0; for file in tally autobahn; do . "$here/tests/harness/$file.sh"; done; count_autobahn "$1"; print_tally' \
		"$MCS_ROOT" "$BATS_TEST_TMPDIR/reports"
	same "$(head -n 6 <<<"$output")" 'ok 1 1.1 A case. (by liveness)
not ok 2 1.2 A case.: received [], close UNCLEAN null
ok 3 2.1 A case.
not ok 4 2.2 A case.: received [], close OK 1000
ok 5 9.1 A case. (close 1009: beyond the limit)
ok 6 12.1 A case. # skip not negotiated'
	same "${lines[-1]}" '3 passed, 2 failed, 1 skipped'
}
