# shellcheck shell=bash
# Instances that are projects of docker compose, for ./mcs test docker: what is here replaces the functions
# of helpers.bash that have the same names. MCS_TEST_DOCKER is the folder with docker-compose.yml.

# docker compose, or the older program of its own.
compose() {
	if docker compose version >/dev/null 2>&1; then
		docker compose --project-directory "$MCS_TEST_DOCKER" -f "$MCS_TEST_DOCKER/docker-compose.yml" "$@"
	else
		docker-compose --project-directory "$MCS_TEST_DOCKER" -f "$MCS_TEST_DOCKER/docker-compose.yml" "$@"
	fi
}

container_of() { echo "mcs-test-${2:-$INSTANCE}_$1"; }

# Its databases are reached through ports; the folder has the same settings for programs that a test
# starts beside the containers (exec_in_instance).
launch_instance() {
	local name=$1 folder ports setting
	folder=$(instances_folder)
	ports=("$(free_port)" "$(free_port)" "$(free_port)")
	shift
	mkdir -p "$folder/$name/run" && chmod 711 "$folder/$name" && chown mcs:mcs "$folder/$name/run"
	for setting in POSTGRES_HOST=127.0.0.1 POSTGRES_PORT="${ports[1]}" POSTGRES_PASSWORD="$PGPASSWORD" \
		REDIS_HOST=127.0.0.1 REDIS_PORT="${ports[2]}" VALID_API_KEYS="$(all_keys)" "$@"; do
		echo "${setting%%=*}='${setting#*=}'"
	done >"$folder/$name/config"
	(
		# shellcheck disable=SC2155,SC2163 # VAR=value words
		export VALID_API_KEYS="$(all_keys)" PORT=${ports[0]} POSTGRES_PUBLISH=127.0.0.1:${ports[1]} \
			REDIS_PUBLISH=127.0.0.1:${ports[2]} CONTAINER_PREFIX=mcs-test-$name "$@"
		compose -p "mcs-test-$name" up -d
	) </dev/null >"$folder/$name.out" 2>&1 3>&- 4>&- &
	echo "$! ${ports[*]}" >"$folder/$name.instance"
}

await_instance() {
	wait_until 90 is_healthy "$(container_of api "$1")" && return
	cat "$(instances_folder)/$1.out" >&2
	compose -p "mcs-test-$1" logs --tail 20 >&2
	return 1
}

is_healthy() { [[ $(docker inspect -f '{{.State.Health.Status}}' "$1" 2>/dev/null) == healthy ]]; }

stop_instance() {
	compose -p "mcs-test-$1" down -v >/dev/null 2>&1 || return
	rm -f "$(instances_folder)/$1.instance"
}

log_of() { docker logs "$(container_of "$1")" 2>&1; }
hold_component() { docker pause "$(container_of "$1")" >/dev/null; }
# As elsewhere, the component need not be held.
release_component() {
	local container
	container=$(container_of "$1")
	[[ $(docker inspect -f '{{.State.Paused}}' "$container") == false ]] || docker unpause "$container" >/dev/null
}

export PGPASSWORD=mcs # the default of docker-compose.yml
