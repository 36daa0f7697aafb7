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
	run env -i PATH="$BATS_TEST_TMPDIR/bin:/usr/bin:/bin" HOME=/ MCS_TEST_DIR="$BATS_TEST_TMPDIR/logs" bash -c '
		here=$1
		for file in tally test; do . "$0/tests/harness/$file.sh"; done
		mapfile -t names < <(unit_test_names)
		test_mode release "${names[@]/#/"$here/build/release/tests/"}" "${@:2}"
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

@test "a program that ends before its plan fails, also with status 0" {
	program test_early 'ok 1 - test_this'
	test_tree
	same "$status ${lines[-1]}" '1 4 passed, 1 failed'
	match "$output" 'not ok - test_early ended with status 0 after 1 of 0 cases'
}

@test "a failed case is said again at the end: its name, the line that failed, the folder of its logs" {
	program test_bad 'ok 1 - test_this' '#   tests/unit/test_bad.c:12: x is 1, expected 2' \
		'#   tests/unit/test_bad.c:13: more' 'not ok 2 - test_that' 1..2
	printf '%s\n' '@test "one" { :; }' '' '@test "two" {' '	[[ 1 == 2 ]]' '}' '@test "three" { skip; }' >"$tree/tests/some.bats"
	test_tree "$tree/tests/some.bats"
	same "$status" 1
	same "$(sed -n '/^# failed:/,$p' <<<"$output" | sed 's/ in [0-9]*ms$//')" "# failed:
#   release: not ok 2 - test_that
#     tests/unit/test_bad.c:12: x is 1, expected 2
#   release: not ok 2 two
#     $tree/tests/some.bats, line 4: \`[[ 1 == 2 ]]' failed
# its logs: $BATS_TEST_TMPDIR/logs/release.failed
5 passed, 2 failed, 1 skipped"
	[[ -d $BATS_TEST_TMPDIR/logs/release.failed/one && ! -e $BATS_TEST_TMPDIR/logs/release.failed/one/postgres ]]
}

@test "a bats that runs fewer cases than the files have fails" {
	printf '%s\n' '@test "one" { :; }' '@test "two" { :; }' >"$tree/tests/some.bats"
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\necho 1..1\necho ok 1 one\n' >"$BATS_TEST_TMPDIR/bin/bats"
	chmod 755 "$BATS_TEST_TMPDIR/bin/bats"
	test_tree "$tree/tests/some.bats"
	same "$status" 1
	match "$output" 'not ok - bats knows of 1 cases, the files have 2'
}
