# Bad input is refused with its reason and costs nothing; good input comes back as it was.

load harness/helpers
load harness/service

setup() {
	use fast
	fresh_key
}

# Sends each line's body (with printf's escapes) and expects 400 with the message behind the tab.
refuse_all() {
	local text message
	while IFS=$'\t' read -r text message; do
		[[ $text ]] || continue
		printf '%b' "$text" >"$BATS_TEST_TMPDIR/sent"
		api POST /calls -H 'Content-Type: application/json' --data-binary "@$BATS_TEST_TMPDIR/sent"
		expect_error 400 "$message" || { echo "the body was: $text" >&2 && return 1; }
	done
}

# After all that was refused: as many calls as the limit allows are admitted at once.
nothing_was_counted() { burst_at_limit 8; }

@test "a body that is not JSON is 400 and costs nothing" {
	refuse_all <<-'END'
		\040	Request body is not valid JSON
		hello	Request body is not valid JSON
		{	Request body is not valid JSON
		{"from": "+1", "to": "+2"	Request body is not valid JSON
		{"from": "+1", "to": "+2",}	Request body is not valid JSON
		{"from": "+1" "to": "+2"}	Request body is not valid JSON
		{"from" "+1", "to": "+2"}	Request body is not valid JSON
		{from: "+1", "to": "+2"}	Request body is not valid JSON
		{'from': '+1', 'to': '+2'}	Request body is not valid JSON
		{"from": "+1", "to": "+2", "metadata": {"x": NaN}}	Request body is not valid JSON
		{"from": "+1", "to": "+2", "metadata": {"x": Infinity}}	Request body is not valid JSON
		{"from": "+1", "to": "+2", "metadata": {"x": 01}}	Request body is not valid JSON
		{"from": "+1", "to": "+2", "metadata": {"x": 1.}}	Request body is not valid JSON
		{"from": "+1", "to": "+2", "metadata": {"x": .5}}	Request body is not valid JSON
		{"from": "+1", "to": "+2", "metadata": {"x": +1}}	Request body is not valid JSON
		{"from": "+1", "to": "+2", "metadata": {"x": 0x10}}	Request body is not valid JSON
		{"from": "+1", "to": "+2", "metadata": {"x": True}}	Request body is not valid JSON
		{"from": "+1", "to": "+2", "metadata": {"x": "\\x41"}}	Request body is not valid JSON
		{"from": "+1", "to": "+2", "metadata": {"x": "\\u12"}}	Request body is not valid JSON
		{"from": "+1", "to": "+2", "metadata": {"x": "a\tb"}}	Request body is not valid JSON
		{"from": "+1", "to": "+2", "metadata": {"x": "a\nb"}}	Request body is not valid JSON
		{"from": "+1", /* no */ "to": "+2"}	Request body is not valid JSON
		\357\273\277\357\273\277{"from": "+1", "to": "+2"}	Request body is not valid JSON
	END
	nothing_was_counted
}

@test "a byte order mark before the JSON is ignored" {
	printf '\357\273\277{"from": "+1", "to": "+2"}' >"$BATS_TEST_TMPDIR/sent"
	api POST /calls -H 'Content-Type: application/json' --data-binary "@$BATS_TEST_TMPDIR/sent"
	expect 201
	api GET "/calls/$(json .call_id)"
	same "$(jq -c '[.from, .to, .metadata]' <<<"$body")" '["+1","+2",{}]'
}

@test "an empty body is 400" {
	post /calls ''
	expect_error 400 'Request body is not valid JSON'
	nothing_was_counted
}

@test "a body that is no object, or more than one, is 400 and costs nothing" {
	refuse_all <<-'END'
		[]	Request body must be a JSON object
		[{"from": "+1", "to": "+2"}]	Request body must be a JSON object
		"from"	Request body must be a JSON object
		42	Request body must be a JSON object
		null	Request body must be a JSON object
		true	Request body must be a JSON object
		{"from": "+1", "to": "+2"} x	Request body has trailing characters after the JSON object
		{"from": "+1", "to": "+2"}{}	Request body has trailing characters after the JSON object
		{"from": "+1", "to": "+2"}}	Request body has trailing characters after the JSON object
		{"from": "+1", "to": "+2"}\0	Request body has trailing characters after the JSON object
	END
	nothing_was_counted
}

@test "broken text is 400 and costs nothing: UTF-8, surrogates, NUL" {
	refuse_all <<-'END'
		{"from": "+1", "to": "+2", "metadata": {"x": "\377"}}	Request body is not valid UTF-8
		{"from": "+1", "to": "+2", "metadata": {"x": "\300\257"}}	Request body is not valid UTF-8
		{"from": "+1", "to": "+2", "metadata": {"x": "\355\240\200"}}	Request body is not valid UTF-8
		{"from": "+1", "to": "+2", "metadata": {"x": "\364\220\200\200"}}	Request body is not valid UTF-8
		{"from": "+1", "to": "+2", "metadata": {"\342\202": 1}}	Request body is not valid UTF-8
		{"from": "+1", "to": "+2", "metadata": {"x": "\\ud83d"}}	Request body contains a lone surrogate
		{"from": "+1", "to": "+2", "metadata": {"x": "\\ude00"}}	Request body contains a lone surrogate
		{"from": "+1", "to": "+2", "metadata": {"x": "\\ud83d\\u0041"}}	Request body contains a lone surrogate
		{"from": "+1", "to": "+2", "metadata": {"x": "\\u0000"}}	Request body must not contain \u0000
		{"from": "+1", "to": "+2", "metadata": {"a\\u0000b": 1}}	Request body must not contain \u0000
		{"fr\\u0000om": "+1", "to": "+2"}	Request body must not contain \u0000
		{"from": "+1", "to": "+2", "metadata": {"x": "a\0b"}}	Request body is not valid JSON
	END
	nothing_was_counted
}

@test "numbers beyond a double's range are 400 and cost nothing" {
	refuse_all <<-'END'
		{"from": "+1", "to": "+2", "metadata": {"x": 1e400}}	Request body contains a number that is out of range
		{"from": "+1", "to": "+2", "metadata": {"x": -1e400}}	Request body contains a number that is out of range
		{"from": "+1", "to": "+2", "metadata": {"x": [1e309]}}	Request body contains a number that is out of range
		{"from": "+1", "to": "+2", "metadata": {"x": 1e-400}}	Request body contains a number that is out of range
		{"from": "+1", "to": "+2", "more": 1e999999999}	Request body contains a number that is out of range
	END
	nothing_was_counted
}

@test "whichever of from and to is missing or empty: one message, and it costs nothing" {
	refuse_all <<-'END'
		{}	Missing required fields: from, to
		{"from": "+1"}	Missing required fields: from, to
		{"to": "+1"}	Missing required fields: from, to
		{"from": "", "to": "+2"}	Missing required fields: from, to
		{"from": "+1", "to": ""}	Missing required fields: from, to
		{"from": null, "to": "+2"}	Missing required fields: from, to
		{"From": "+1", "to": "+2"}	Missing required fields: from, to
		{"metadata": {"from": "+1", "to": "+2"}}	Missing required fields: from, to
	END
	nothing_was_counted
}

@test "wrong types are 400 with the field's name and cost nothing" {
	refuse_all <<-'END'
		{"from": 1, "to": "+2"}	from must be a string
		{"from": "+1", "to": 2}	to must be a string
		{"from": ["+1"], "to": "+2"}	from must be a string
		{"from": {}, "to": "+2"}	from must be a string
		{"from": true, "to": "+2"}	from must be a string
		{"from": "+1", "to": false}	to must be a string
		{"from": "+1", "to": "+2", "metadata": []}	metadata must be an object
		{"from": "+1", "to": "+2", "metadata": "text"}	metadata must be an object
		{"from": "+1", "to": "+2", "metadata": 1}	metadata must be an object
		{"from": "+1", "to": "+2", "metadata": false}	metadata must be an object
	END
	nothing_was_counted
}

@test "a number is an optional + and 1 to 15 digits; all else is 400 and costs nothing" {
	refuse_all <<-'END'
		{"from": "+1234567890123456", "to": "+2"}	from must be a phone number: an optional + and 1 to 15 digits
		{"from": "+1", "to": "1234567890123456"}	to must be a phone number: an optional + and 1 to 15 digits
		{"from": "+", "to": "+2"}	from must be a phone number: an optional + and 1 to 15 digits
		{"from": "++1", "to": "+2"}	from must be a phone number: an optional + and 1 to 15 digits
		{"from": "1+", "to": "+2"}	from must be a phone number: an optional + and 1 to 15 digits
		{"from": "+1 234", "to": "+2"}	from must be a phone number: an optional + and 1 to 15 digits
		{"from": "+1-234", "to": "+2"}	from must be a phone number: an optional + and 1 to 15 digits
		{"from": "0x10", "to": "+2"}	from must be a phone number: an optional + and 1 to 15 digits
		{"from": "abc", "to": "+2"}	from must be a phone number: an optional + and 1 to 15 digits
		{"from": " 1", "to": "+2"}	from must be a phone number: an optional + and 1 to 15 digits
		{"from": "\331\241\331\242", "to": "+2"}	from must be a phone number: an optional + and 1 to 15 digits
		{"from": "+1\\n", "to": "+2"}	from must be a phone number: an optional + and 1 to 15 digits
	END
	nothing_was_counted
}

@test "the shortest and the longest numbers pass, with zeros in front as they are" {
	create_call '{"from": "0", "to": "+123456789012345"}'
	same "$(json '.from + " " + .to')" '0 +123456789012345'
	create_call '{"from": "000000000000000", "to": "\u002b1"}'
	same "$(json '.from + " " + .to')" '000000000000000 +1'
}

@test "nesting of 32 levels passes, of 33 is 400 and costs nothing" {
	local open close
	printf -v open '[%.0s' {1..31}
	printf -v close ']%.0s' {1..31}
	post /calls "{\"from\": \"+1\", \"to\": \"+2\", \"metadata\": {\"x\": $open$close}}"
	expect_error 400 'Request body is nested too deeply (32 levels at most)'
	printf -v open '[%.0s' {1..100}
	post /calls "{\"from\": \"+1\", \"to\": \"+2\", \"more\": $open}"
	expect_error 400 'Request body is nested too deeply (32 levels at most)'
	printf -v open '[%.0s' {1..30}
	printf -v close ']%.0s' {1..30}
	create_call "{\"from\": \"+1\", \"to\": \"+2\", \"metadata\": {\"x\": $open$close}}"
	comes_back "{\"x\": $open$close}"
	printf -v open '{"a":%.0s' {1..30}
	printf -v close '}%.0s' {1..30}
	create_call "{\"from\": \"+1\", \"to\": \"+2\", \"metadata\": {\"x\": ${open}1$close}}"
	comes_back "{\"x\": ${open}1$close}"
}

@test "fields that nobody knows are ignored; of two with one name the last counts" {
	create_call '{"from": "+9", "x": [1, {"y": null}], "to": "+2", "from": "+1", "to": "+3"}'
	same "$(json '.from + " " + .to')" '+1 +3'
}

@test "names of fields are understood with escapes in them" {
	create_call '{"\u0066rom": "+1", "t\u006f": "\u002b2"}'
	same "$(json '.from + " " + .to')" '+1 +2'
}

# --- metadata -------------------------------------------------------------------------------------

# The call's metadata has the values of this JSON, live and after Redis has forgotten the call.
# PostgreSQL compares: its numbers are exact, jq's are not.
comes_back() {
	local where
	for where in live cold; do
		[[ $where == live ]] || forget_live
		api GET "/calls/$call_id"
		expect 200 || return
		printf '%s' "$body" >"$BATS_TEST_TMPDIR/$where"
		same "$(sql "SELECT \$json\$$body\$json\$::jsonb -> 'metadata' = \$json\$$1\$json\$::jsonb")" t || {
			echo "$where: $body" >&2
			return 1
		}
	done
}

round_trip() {
	create_call "{\"from\": \"+1\", \"to\": \"+2\", \"metadata\": $1}"
	comes_back "$1"
}

@test "metadata comes back as it was: numbers" {
	round_trip '{"big": 123456789012345678901234567890, "negative": -98765432109876543210,
		"edge": [9223372036854775807, 9223372036854775808, 18446744073709551616, -9223372036854775809],
		"tenth": 0.1, "exact": 0.1000000000000000055511151231257827, "zero": [0, -0, 0.0, 0e5]}'
	round_trip '{"huge": 1e308, "small": 1e-300, "most": 1.7976931348623157e308, "e": [1E2, 1e+2, 12e-1]}'
}

@test "metadata comes back as it was: text" {
	round_trip '{"emoji": "😀 \ud83d\ude00 é 漢字", "escapes": "\"\\\/\b\f\n\r\t\u00e9\u001f\u007f",
		"html": "</script>", "separators": "\u2028\u2029", "quote": "it'"'"'s", "last": "\udbff\udfff"}'
	round_trip '{"": "empty name", "😀": 1, "a\"b\\c": {"\u00e9": "é"}, "percent": "%s%n 100%", "semicolon": "; --"}'
	same "$(jq -r '.metadata.percent' "$BATS_TEST_TMPDIR/live")" '%s%n 100%'
	same "$(jq -r '.metadata.percent' "$BATS_TEST_TMPDIR/cold")" '%s%n 100%'
}

@test "metadata comes back as it was: kinds, blanks and repeated names" {
	round_trip '{"null": null, "yes": true, "no": false, "list": [], "object": {}, "mixed": [1, "a", [null]]}'
	round_trip '  {
		"a" : 1 , "b":[ 1 ,2 ], "a" : 2 }'
	same "$(jq .metadata.a "$BATS_TEST_TMPDIR/live") $(jq .metadata.a "$BATS_TEST_TMPDIR/cold")" '2 2'
}

@test "metadata may be large, and comes back whole" {
	local filler
	printf -v filler '%*s' 30000 ''
	printf '{"from": "+1", "to": "+2", "metadata": {"x": "%s", "end": [true]}}' "$filler" |
		sed 's/  /é/g' >"$BATS_TEST_TMPDIR/sent"
	api POST /calls -H 'Content-Type: application/json' --data-binary "@$BATS_TEST_TMPDIR/sent"
	expect 201
	call_id=$(json .call_id)
	api GET "/calls/$call_id"
	same "$(jq -c '[(.metadata.x | length), .metadata.end]' <<<"$body")" '[15000,[true]]'
	forget_live
	api GET "/calls/$call_id"
	same "$(jq -c '[(.metadata.x | length), .metadata.end]' <<<"$body")" '[15000,[true]]'
}

# Sends metadata of numbers and of filler, so that what PostgreSQL gives back is as long as $1 says.
post_stored() {
	local numbers=$1 filler
	printf -v filler '%*s' $(($2 - ${#stored} - 13)) ''
	post /calls "{\"from\":\"+1\",\"to\":\"+2\",\"metadata\":{\"n\":$numbers,\"x\":\"$filler\"}}"
}

@test "metadata may be as large as a body may be, with its numbers as PostgreSQL writes them out; no larger" {
	local numbers='[1e3,-1.25e4,1e300,-17976931348623157e292,1e-300,0e-9,-0.0e2,0.00125e4,100e-2,1E+02,-0]' stored
	stored=$(sql "SELECT replace('$numbers'::jsonb::text, ' ', '')")
	post_stored "$numbers" 65536
	expect 201
	call_id=$(json .call_id)
	api GET "/calls/$call_id"
	expect 200
	forget_live
	api GET "/calls/$call_id"
	expect 200
	local metadata=${body#*\"metadata\":}
	metadata=${metadata%%,\"recording_url\"*}
	same "${#metadata} ${metadata:0:5}" '65536 {"n":'
	post_stored "$numbers" 65537
	expect_error 400 'metadata is larger than 65536 bytes once its numbers are written without exponents'
}

@test "a body that PostgreSQL would write out forty times as large is refused" {
	local bomb
	printf -v bomb ',1e308%.0s' {1..10000}
	printf '%s' "{\"from\":\"+1\",\"to\":\"+2\",\"metadata\":{\"n\":[${bomb:1}]}}" >"$BATS_TEST_TMPDIR/sent"
	api POST /calls -H 'Content-Type: application/json' --data-binary "@$BATS_TEST_TMPDIR/sent"
	expect_error 400 'metadata is larger than 65536 bytes once its numbers are written without exponents'
}
