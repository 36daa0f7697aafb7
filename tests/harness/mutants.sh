# shellcheck shell=bash
# ./mcs test --mutants [NAME...]: applies each of tests/mutants/*.patch, which takes one mechanism
# out, to a copy of the tree, and expects what its first line names to fail: "fault CASE...", each of
# these, "hosts CASE..." the same, or "bats FILE FILTER".

test_mutants() {
	local tree=$here/build/mutants patch name wanted=" $* "
	need_packages "${program_packages[@]}" "${test_packages[@]}"
	command -v patch >/dev/null || need_packages patch
	rm -rf "$tree" && mkdir -p "$tree" || exit
	tar -C "$here" --exclude=./build --exclude=./.git --exclude=./var -cf - . | tar -C "$tree" -xf - || exit
	printf '%s\n' '| mutant | takes something out of | noticed by |' '|---|---|---|' >"$here/build/mutants.md"
	for patch in "$here"/tests/mutants/*.patch; do
		name=$(basename "$patch" .patch)
		[[ $wanted == '  ' || $wanted == *" $name "* ]] || continue
		test_mutant "$name" "$patch" "$tree"
	done
	print_tally "$here/build/mutants"
}

test_mutant() {
	local name=$1 patch=$2 tree=$3 kind what begin=$SECONDS output=$3/$1.out wrong patch_of
	read -r kind what <"$patch"
	mapfile -t patch_of < <(sed -n 's|^--- a/||p' "$patch")
	if ! patch -s -d "$tree" -p1 <"$patch"; then
		count_line "not ok - $name: the patch does not apply any more"
		return
	fi
	if [[ $kind == fault || $kind == hosts ]]; then
		# shellcheck disable=SC2086
		MCS_BUILD='' "$tree/mcs" test "${kind/#fault/--faults}" $what >"$output" 2>&1
		# shellcheck disable=SC2086
		wrong=$(unnoticed_faults "$output" $what)
	else
		(cd "$tree" && mkdir -p build && flock build/.release.lock make -s all tools &&
			bats --tap -f "${what#* }" "${what%% *}") >"$output" 2>&1
		grep -q '^not ok' "$output" && wrong='' || wrong=$what
	fi
	patch -s -R -d "$tree" -p1 <"$patch"
	if [[ $wrong ]]; then
		count_line "not ok - $name: not noticed by $wrong ($((SECONDS - begin)) s); see $output"
	else
		count_line "ok - $name: noticed by $what ($((SECONDS - begin)) s)"
		echo "| \`$name\` | \`${patch_of[*]}\` | ${what#tests/} |" >>"$here/build/mutants.md"
		grep -E '^(not ok|#   +not ok)' "$output" | cut -c 1-160 | sed 's/^/#   /' | head -n 6
	fi
}

# Prints those of the cases that did not fail, or did not get as far as to fail.
unnoticed_faults() {
	local output=$1 name
	shift
	for name; do
		grep "^not ok - $name:" "$output" | grep -qv 'did not start' || printf '%s ' "$name"
	done
}

# The mutants that a case fails, for a table.
# shellcheck disable=SC2016
mutants_of() {
	grep -lE "^(fault|hosts) (.* )?$1( |$)" "$here"/tests/mutants/*.patch |
		sed 's|.*/||; s|\.patch$|`|; s|^|`|' | paste -sd ' '
}
