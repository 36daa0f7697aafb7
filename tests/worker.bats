# The worker: when it wakes up, and what holds it up.

load harness/helpers
load harness/service

setup_file() { start_instance workers TIME_SCALE=20; }

# How many scripts the instance's Redis has run.
scripts_run() { live INFO commandstats | sed -n 's/^cmdstat_evalsha:calls=\([0-9]*\),.*/\1/p'; }

now_us() { echo "${EPOCHREALTIME//[.,]/}"; }

nothing_due() { [[ ! $(live --scan --pattern 'mcs:2:{*}:due') ]]; }

# Collects the wake-ups of the instance in use; `end_listening` ends it.
listen() {
	live PSUBSCRIBE 'mcs:2:{*}:wake' >"$BATS_TEST_TMPDIR/wake" 3>&- 4>&- &
	listener=$!
	wait_until 60 grep -q psubscribe "$BATS_TEST_TMPDIR/wake"
}

end_listening() {
	kill "$listener"
	wait "$listener" || :
}

@test "idle is idle at every TIME_SCALE: a worker without jobs asks twice a second" {
	local begin before rounds elapsed_us
	use workers
	wait_until 60 nothing_moves
	wait_until 60 nothing_due
	before=$(scripts_run)
	begin=$(now_us)
	sleep 2
	rounds=$((($(scripts_run) - before) / 16)) # a script a shard
	elapsed_us=$(($(now_us) - begin))
	echo "$rounds rounds in $elapsed_us µs"
	((rounds <= 3 + elapsed_us / 400000))
}

@test "an admission wakes the workers, if its first job is due before they ask" {
	use workers
	wait_until 60 nothing_moves
	wait_until 60 nothing_due
	fresh_key
	listen
	create_call
	wait_until 60 grep -q -x '1[0-9]\{15\}' "$BATS_TEST_TMPDIR/wake" # the time at which it is due
	end_listening
	wait_until 60 has_recording
}

@test "an admission wakes nobody when workers ask early enough by themselves" {
	local due key
	use real
	fresh_key
	listen
	create_call
	key=$(live_key call "$call_id")
	due=$(live ZSCORE "${key%call:*}due" "$call_id advance 1")
	end_listening
	match "$due" '^1[0-9]{15}$'
	same "$(grep -cF "$due" "$BATS_TEST_TMPDIR/wake")" 0
}

@test "a worker that sleeps is woken by what it hears" {
	use workers
	wait_until 60 are_rounds_of_wake_ups
}

# Wakes the workers 40 times; whether they ran three times as many rounds as they would by themselves,
# which is two a second.
are_rounds_of_wake_ups() {
	local begin before rounds elapsed_us
	begin=$(now_us)
	before=$(scripts_run)
	live -r 40 -i 0.05 PUBLISH 'mcs:2:{0}:wake' 0 >/dev/null
	rounds=$((($(scripts_run) - before) / 16)) # a script a shard
	elapsed_us=$(($(now_us) - begin))
	echo "$rounds rounds in $elapsed_us µs"
	((rounds > 3 * (1 + elapsed_us / 500000)))
}

@test "SIGHUP ends neither the worker nor wsd" {
	local name number
	use workers
	for name in worker wsd; do
		number=$(component_pid "$name")
		signal_component HUP "$name"
		wait_until 60 grep -q "$name.hangup" "$MCS_VAR/log/$name.log"
		same "$(component_pid "$name")" "$number"
	done
	create_calls 1 +1
	wait_until 60 have_ended
}

# set_wall_clock SECONDS: as if it had been set forward or back since the shard's clock was written.
set_wall_clock() {
	live EVAL "local wall, now = string.match(redis.call('GET', KEYS[1]), '^(%d+) (%d+)')
		redis.call('SET', KEYS[1], string.format('%.0f %s', wall - ARGV[1] * 1000000, now))" 1 'mcs:2:{0}:clock' "$1"
}

# ask_clocks [SHARD]: both of the shard's clocks, in ms; the question makes them notice a step.
ask_clocks() {
	live EVAL "$(<"$MCS_ROOT/lua/clock.lua")
		local now, wall = clock(KEYS[1])
		return string.format('%.0f %.0f', wall / 1000, now / 1000)" 1 "mcs:2:{${1:-0}}:clock"
}

@test "a wall clock that is set forward and back again and again makes calls at most one step faster" {
	local i wall now begin_wall begin_now
	use workers
	read -r begin_wall begin_now < <(ask_clocks)
	for i in {1..8}; do
		set_wall_clock 1
		ask_clocks >/dev/null
		set_wall_clock -1
		ask_clocks >/dev/null
	done
	read -r wall now < <(ask_clocks)
	echo "it gained $((now - begin_now - wall + begin_wall)) ms"
	((now - begin_now <= wall - begin_wall + 1500))
}

# create_calls COUNT FROM: so many, each with a key of its own; sets `id_list`, for SQL.
create_calls() {
	local key next=''
	take_keys "$1"
	for key in "${keys[@]}"; do
		printf '%surl = "%s/calls"\nheader = "Authorization: Bearer %s"\n' "$next" "$BASE" "$key"
		printf 'header = "Content-Type: application/json"\ndata = "{\\"from\\": \\"%s\\", \\"to\\": \\"+2\\"}"\n' "$2"
		next=$'next\n'
	done >"$BATS_TEST_TMPDIR/calls"
	id_list=$(curl -q -sS --noproxy '*' --max-time 60 -Z --parallel-max 8 -K "$BATS_TEST_TMPDIR/calls" |
		jq -r "\"'\(.call_id // halt_error)'\"" | paste -sd,)
}

have_ended() { [[ $(sql "SELECT count(*) FROM calls WHERE id IN ($id_list) AND upload_status <> 'COMPLETED'") == 0 ]]; }

@test "a row that another session has locked holds up its own call, and no other" {
	local locked seq
	use workers
	fresh_key
	hold_component worker
	create_call
	locked=$call_id
	hold_locks "SELECT FROM calls WHERE id = '$locked' FOR UPDATE"
	release_component worker
	seq=$(sql "SELECT seq FROM calls WHERE id = '$locked'")
	same "$seq" 1
	create_calls 12 +1
	wait_until 60 have_ended
	same "$(sql "SELECT seq FROM calls WHERE id = '$locked'")" "$seq"
	free_locks
	id_list="'$locked'"
	wait_until 60 have_ended
}

@test "a worker whose row of the counters is locked counts in another" {
	use workers
	hold_locks 'SELECT FROM metrics WHERE id BETWEEN 49 AND 64 AND id <> 57 FOR UPDATE'
	create_calls 1 +1
	wait_until 60 have_ended
	free_locks
}

# spoil CONDITION ACTION: what the database does before it moves a call of which that is true.
spoil() {
	sql "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN $2; RETURN new; END';
		CREATE TRIGGER spoil BEFORE UPDATE ON calls FOR EACH ROW WHEN ($1) EXECUTE FUNCTION spoil()"
}

unspoil() { sql 'DROP TRIGGER IF EXISTS spoil ON calls; DROP FUNCTION IF EXISTS spoil' 2>/dev/null; }

teardown() {
	use workers
	release_component worker
	unspoil
}

@test "a database that needs long for each row gets as few at a time as it can manage" {
	use workers
	hold_component worker
	create_calls 40 +77
	spoil "old.seq = 1 AND old.from_number = '+77'" 'PERFORM pg_sleep(0.12)' # all of them: 5 s
	release_component worker
	wait_until 60 have_ended
}

@test "a row that the database refuses to change holds up its own call, and no other" {
	local refused begin logged most
	use workers
	hold_component worker
	fresh_key
	create_call '{"from": "+66", "to": "+2"}'
	refused=$call_id
	create_calls 12 +1
	spoil "old.from_number = '+66'" 'RAISE EXCEPTION USING MESSAGE = upper(old.from_number)'
	begin=$(now_us)
	release_component worker
	wait_until 60 have_ended
	# It costs less and less: a job is due again in 2 s, then later; a lease is no longer than 5 s.
	wait_until 60 is_put_off_for_long "$refused"
	same "$(sql "SELECT seq FROM calls WHERE id = '$refused'")" 1
	# The log names the error at first, and then every five seconds at most.
	logged=$(grep -cF 'pg.failed op=calls_advance msg="ERROR:  +66' "$MCS_VAR/log/worker.log")
	most=$((1 + ($(now_us) - begin) / 5000000))
	unspoil
	echo "logged $logged times of $most"
	((logged >= 1 && logged <= most))
	live ZADD "$(live_due "$refused")" XX 0 "$refused advance 1" >/dev/null
	id_list="'$refused'"
	wait_until 60 have_ended
}

# The jobs of the call's shard.
live_due() { live_key call "$1" | sed 's/call:.*/due/'; }

is_put_off_for_long() {
	local key due now
	key=$(live_due "$1")
	due=$(live ZSCORE "$key" "$1 advance 1")
	[[ $key =~ \{(.*)\} ]] && read -r _ now < <(ask_clocks "${BASH_REMATCH[1]}")
	((due / 1000 - now > 6000))
}
