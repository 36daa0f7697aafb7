# shellcheck shell=bash
# The accounting after a load: a line a promise. Loaded after helpers.bash and service.bash; the instance
# in use is the one that was loaded.
#
#   all_ended                          whether no call, no upload and no job is open any more
#   account LOG [OPTION=VALUE…]      prints "  ok PROMISE" or "  not ok PROMISE: DETAIL", a line each;
#                                    status 0 when all was kept. Options: cps= concurrent= (the limits),
#                                    wall=0 (the clock was set), also=0,500 in_hand=4 (what requests
#                                    under way at a mark may be answered with, and how many of them),
#                                    late=10000 (ms that a call may move on later than its plan says),
#                                    slowest=10000 (ms that an answer may take)
#   load_is_on LOG                   whether so many calls are created and watched that what breaks now breaks
#                                    something

jobs_left() {
	live EVAL 'local n = 0
		for i = 0, 15 do n = n + redis.call("ZCARD", string.format("mcs:2:{%x}:due", i)) end
		return n' 0
}

all_ended() { nothing_moves 2>/dev/null && [[ $(jobs_left) == 0 ]]; }

load_is_on() {
	[[ -e $1 ]] || return
	(($(awk -F '\t' '$1 == "post" && $4 == 201' "$1" | wc -l) >= 50 && $(awk -F '\t' '$1 == "shake" && $4 == 101' "$1" | wc -l) >= 50))
}

# A table for each kind of line; awk's fields are those of tests/harness/load/traffic.c.
account_tables() {
	local log=$1
	cat <<-END
		CREATE TEMP TABLE posts (began float, took float, status int, key text, id text);
		CREATE TEMP TABLE gets (began float, took float, status int, id text, state text);
		CREATE TEMP TABLE shakes (began float, took float, status int);
		CREATE TEMP TABLE marks (at float);
		CREATE TEMP TABLE reads (began float, took float, status int);
		CREATE TEMP TABLE watches (began float, took float, verdict text, id text, events text, cuts int, away float);
	END
	local pair
	for pair in post:posts get:gets metrics:reads shake:shakes watch:watches mark:marks; do
		echo "COPY ${pair#*:} FROM STDIN;"
		sed -n "s/^${pair%:*}\\t//p" "$log"
		echo '\.'
	done
	cat <<-'END'
		CREATE TEMP VIEW answers AS
		  SELECT 'POST' AS what, began, took, status FROM posts
		  UNION ALL SELECT 'GET', began, took, status FROM gets
		  UNION ALL SELECT 'metrics', began, took, status FROM reads
		  UNION ALL SELECT 'handshake', began, took, status FROM shakes;
	END
}

account_line() {
	if [[ $1 == 0 ]]; then
		echo "  ok $2${3:+ ($3)}"
		return 0
	fi
	echo "  not ok $2: $1${3:+ (${3:0:600})}"
	return 1
}

account() {
	local log=$1 bad=0 line left cps=12 concurrent=12 wall=1 late=10000 slowest=10000 also='' in_hand=0
	shift
	(($# == 0)) || local "$@"
	line=$( (account_tables "$log" && cat "$MCS_ROOT/tests/faults/account.sql") |
		"$psql_client" -qAtX -v ON_ERROR_STOP=1 "${POSTGRES_AT[@]}" -U mcs -d mock_communications \
			-v cps="$cps" -v concurrent="$concurrent" -v wall="$wall" -v late="$late" -v also="{$also}" \
			-v slowest="$slowest" -v in_hand="$in_hand" 2>&1) || bad=1
	while IFS='|' read -r number promise detail; do
		account_line "$number" "$promise" "$detail" || bad=1
	done <<<"$line"
	left=$(live --raw --scan --pattern 'mcs:2:{*}:slots:*' | wc -l)
	account_line "$left" 'every slot is free' || bad=1
	left=$(jobs_left)
	account_line "$left" 'no job is left' || bad=1
	return "$bad"
}
