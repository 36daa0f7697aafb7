# shellcheck shell=bash
# ./mcs fuzz: each target of tests/fuzz/ for a while under libFuzzer, two at a time. What it learns
# stays in build/fuzz/corpus; what it finds goes to build/fuzz/artifacts.

fuzz_packages=(clang libclang-rt-14-dev)

cmd_fuzz() {
	local seconds=${1:-20} targets=() target finding=0 file
	[[ $seconds == +([0-9]) ]] && ((seconds > 0)) || die "fuzz: '$seconds' is no number of seconds"
	for file in "$here"/tests/fuzz/fuzz_*.c; do
		target=$(basename "$file" .c) target=${target#fuzz_}
		[[ ${2:-$target} != "$target" ]] || targets+=("$target")
	done
	((${#targets[@]})) || die "fuzz: no target '${2:-}' in tests/fuzz"
	need_packages "${program_packages[@]}" "${fuzz_packages[@]}"
	build_programs fuzz fuzz
	export -f fuzz_target
	export here seconds
	# shellcheck disable=SC2016
	printf '%s\n' "${targets[@]}" | xargs -P 2 -n 1 bash -c 'fuzz_target "$1"' bash || finding=1
	((finding == 0)) || die "fuzz: findings are in $here/build/fuzz/artifacts; give one to" \
		"build/fuzz/fuzz/TARGET to see it again, and to tests/fuzz/corpus/TARGET/ once it is fixed"
}

# Runs one target and prints its line; false when it found something.
fuzz_target() {
	local out=$here/build/fuzz status line
	mkdir -p "$out/corpus/$1" "$out/artifacts" "$out/log" || return
	nice "$out/fuzz/$1" "-max_total_time=$seconds" -timeout=5 -rss_limit_mb=512 -print_final_stats=1 \
		"-artifact_prefix=$out/artifacts/$1-" "$out/corpus/$1" "$here/tests/fuzz/corpus/$1" \
		>"$out/log/$1" 2>&1 </dev/null
	status=$?
	line=$(sed -n 's/^stat::number_of_executed_units: */runs /p' "$out/log/$1")
	line+=$(sed -n 's/.* \(cov: [0-9]* ft: [0-9]* corp: [0-9]*\).*/\1/p' "$out/log/$1" | tail -n 1 | sed 's/^/, /')
	if ((status == 0)); then
		printf 'ok - fuzz %s: %s\n' "$1" "$line"
		return
	fi
	printf 'not ok - fuzz %s: %s\n' "$1" "$line"
	grep -E -A 12 'not so:|ERROR:|runtime error:|SUMMARY:' "$out/log/$1" | sed 's/^/#   /'
	return 1
}
