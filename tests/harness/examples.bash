# shellcheck shell=bash
# The examples of the pages, run as they stand there: an example is the fenced block behind a line
# <!-- example: NAME -->.
# shellcheck disable=SC2034

# example NAME [PAGE]: prints the example of that name; of docs/specification.md where no page is named.
example() {
	awk -v mark="<!-- example: $1 -->" '
		$0 == mark { found = 1; next }
		found && /^```/ { if (++fences == 2) exit; next }
		found { print }
		END { exit fences < 2 }
	' "$MCS_ROOT/${2:-docs/specification.md}"
}

health=$(example health)
create=$(example create)
status=$(example status)
metrics=$(example metrics)
authentication=$(example authentication)
a_second=$(example a_second)
concurrent=$(example concurrent)
create_body=$(example create_body)

# Runs an example against the instance in use; sets body. Only the port is changed.
as_printed() {
	body=$(cd "$MCS_ROOT" && MCS_ENV_FILE=/dev/null bash -c "${1//localhost:3000/localhost:$PORT}" \
		2>"$BATS_TEST_TMPDIR/err") || {
		cat "$BATS_TEST_TMPDIR/err" >&2
		return 1
	}
}

# Waits until the examples' key may create calls as if there had been none.
await_free_key() {
	wait_until 30 no_slots test-api-key-1
	wait_until 60 no_calls_this_second
}

no_calls_this_second() {
	[[ $(sql "SELECT count(*) FROM calls WHERE api_key = 'test-api-key-1' AND created_at > now() - interval '1.1 s'") == 0 ]]
}
