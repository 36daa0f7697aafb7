# The worker: when it wakes up, and what holds it up.

load helpers
load service

# How many scripts the copy's Redis has run.
scripts_run() { live INFO commandstats | sed -n 's/^cmdstat_evalsha:calls=\([0-9]*\),.*/\1/p'; }

now_us() { echo "${EPOCHREALTIME//[.,]/}"; }

has_run_more_than() { (($(scripts_run) > $1)); }

nothing_due() { [[ ! $(live --scan --pattern 'mcs:{*}:due') ]]; }

# Collects the wake-ups of the copy in use; `end_listening` ends it.
listen() {
	live PSUBSCRIBE 'mcs:{*}:wake' >"$BATS_TEST_TMPDIR/wake" 3>&- 4>&- &
	listener=$!
	wait_until 20 grep -q psubscribe "$BATS_TEST_TMPDIR/wake"
}

end_listening() {
	kill "$listener"
	wait "$listener" || :
}

@test "idle is idle at every TIME_SCALE: a worker without jobs asks twice a second" {
	local begin before rounds elapsed_us
	use fast
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
	use fast
	wait_until 60 nothing_moves
	wait_until 60 nothing_due
	fresh_key
	listen
	create_call
	wait_until 20 grep -q -x '1[0-9]\{15\}' "$BATS_TEST_TMPDIR/wake" # the time at which it is due
	end_listening
	wait_until 20 has_recording
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
	! grep -qF "$due" "$BATS_TEST_TMPDIR/wake"
}

@test "a worker that sleeps is woken by what it hears" {
	local i before begin elapsed_us
	use real
	begin=$(now_us)
	for i in {1..20}; do
		before=$(scripts_run)
		live PUBLISH 'mcs:{0}:wake' 0
		wait_until 20 has_run_more_than "$before"
	done
	elapsed_us=$(($(now_us) - begin))
	echo "20 times in $elapsed_us µs; two a second would have been for their own sake"
	((elapsed_us < 6000000))
}
