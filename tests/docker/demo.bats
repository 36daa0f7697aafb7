# The demo of docker-compose.yml, as the specification has it: its steps with its names and ports, its
# logs, its end. For ./mcs test docker; the cases are one story, in this order.

load ../harness/helpers
load ../harness/service
load ../harness/examples

setup() {
	cd "$MCS_TEST_DOCKER" || return
	PORT=3000 BASE=http://127.0.0.1:3000 KEY=test-api-key-1
	POSTGRES_AT=(-h 127.0.0.1 -p 5433) REDIS_AT=(-h 127.0.0.1 -p 6379)
}

teardown_file() { compose down -v >/dev/null 2>&1; }

# Everything that has a health check is healthy, and the rest runs.
all_are_up() {
	is_healthy mock_postgres && is_healthy mock_redis && is_healthy mock_api &&
		[[ $(docker inspect -f '{{.State.Status}}' mock_wsd mock_worker | sort -u) == running ]]
}

@test "steps 2 and 3: .env as it is in the example; up --build, and everything becomes healthy" {
	cp .env.example .env
	local begin=$EPOCHREALTIME
	compose up --build -d 3>&-
	wait_until 60 all_are_up
	awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "# up --build (built before) to healthy: %.1f s\n", b - a }' >&3
	printf '# the image: %s, of which the base is %s\n' "$(docker image ls --format '{{.Size}}' mock-communications-api)" \
		"$(docker image ls --format '{{.Size}}' debian:bookworm-slim)" >&3
}

@test "step 4: the migrations have run by themselves, and say what the specification expects" {
	match "$(docker logs mock_api 2>&1)" ' All migrations completed successfully!'
	local expected
	read -rd '' expected <<-'END' || :
		 Running database migrations...
		 Calls table created/verified
		 Indexes created/verified
		 Metrics table created/verified
		 Initial metrics row created/verified
	END
	run compose exec -T api mcs-admin migrate
	same "$status" 0
	same "$(head -n 5 <<<"$output")" " $expected"
	same "${lines[-1]}" ' All migrations completed successfully!'
}

@test "step 5: ps shows the specification's names, states and ports" {
	run compose ps
	same "$status" 0
	match "$output" 'mock_postgres .*Up.*\(healthy\).*0\.0\.0\.0:5433->5432/tcp'
	match "$output" 'mock_redis .*Up.*\(healthy\).*0\.0\.0\.0:6379->6379/tcp'
	match "$output" 'mock_api .*Up.*0\.0\.0\.0:3000->3000/tcp'
	match "$output" 'mock_worker .*Up'
	match "$output" 'mock_wsd .*Up'
}

@test "step 6: GET /health answers as shown" {
	as_printed "$health"
	match "$body" "^\{\"status\":\"healthy\",\"timestamp\":\"$iso_time\",\"uptime\":[0-9.]+\}$"
}

@test "logs -f api and logs -f worker show what the specification says" {
	local api=$BATS_TEST_TMPDIR/api worker=$BATS_TEST_TMPDIR/worker followers=() line
	compose logs -f api >"$api" 2>&1 3>&- &
	followers+=($!)
	compose logs -f worker >"$worker" 2>&1 3>&- &
	followers+=($!)
	as_printed "$create"
	call_id=$(json .call_id)
	wait_until 30 grep -q ' Recording upload completed' "$worker"
	kill "${followers[@]}"
	match "$(grep -o "Call $call_id: .*" "$api" | paste -sd,)" \
		"^Call $call_id: QUEUED -> RINGING,Call $call_id: RINGING -> (UN)?ANSWERED,Call $call_id: (UN)?ANSWERED -> COMPLETED\$"
	grep -q " Enqueued recording upload job for call: $call_id" "$api"
	for line in "[Job 1] Processing recording upload for call: $call_id" '[Job 1] Uploading recording to S3...' \
		"Mock upload completed for call $call_id" '[Job 1] Updating call record with URL' \
		'[Job 1] Recording upload completed'; do
		grep -qF "$line" "$worker"
	done
}

@test "a subscriber gets its call's events, also after a restart of wsd's container" {
	compose restart wsd
	create_call
	run watch "$call_id"
	same "${lines[-1]}" '! close 1000 Call finished'
}

@test "containers are not root, have no capabilities, and write nowhere but where they have to" {
	local component
	for component in api wsd worker; do
		same "$(docker exec "mock_$component" id -un)" mcs
		same "$(docker exec "mock_$component" sed -n 's/^CapBnd:\t//p' /proc/1/status)" 0000000000000000
		run docker exec "mock_$component" touch /opt/mcs/x
		match "$output" 'Read-only file system'
	done
	same "$(docker exec mock_api sh -c 'command -v gcc make curl')" ''
}

@test "what .env says reaches the service, and the environment beats it" {
	sed -i 's/^MAX_CPS_PER_KEY=.*/MAX_CPS_PER_KEY=5/; s/^VALID_API_KEYS=.*/VALID_API_KEYS=only,one/' .env
	echo 'REDIS_PASSWORD=pass word' >>.env
	MAX_CONCURRENT_CALLS_PER_KEY=4 compose up -d 3>&-
	wait_until 60 all_are_up
	KEY=test-api-key-1 api GET /metrics
	expect 401
	KEY=one
	burst 9
	same "$statuses" '201:4 429:5'
	match "$(redis-cli -p 6379 PING 2>&1)" NOAUTH
	same "$(REDISCLI_AUTH='pass word' redis-cli -p 6379 PING)" PONG
	echo "$(sql "SELECT count(*) FROM calls")" >"$BATS_FILE_TMPDIR/count"
}

@test "down and up again finds the record; and it works without an .env" {
	compose down
	rm .env
	compose up -d 3>&-
	wait_until 60 all_are_up
	same "$(sql "SELECT count(*) FROM calls")" "$(<"$BATS_FILE_TMPDIR/count")"
	create_call
}

@test "down -v leaves no container, no volume and no network" {
	compose down -v
	same "$(docker ps -aq --filter name=mock_)" ''
	same "$(docker volume ls -q)" ''
	same "$(docker network ls -q --filter type=custom)" ''
}
