# shellcheck shell=bash
# ./mcs test docker: the compose demo for real. It is built and brought up in the specification's steps
# (tests/docker/demo.bats); then the REST, limits and WebSocket files run against projects of it.
#
# Where no engine answers one is started in a temporary folder, and gone at the end. That one reaches
# no registry: its debian:bookworm-slim is made by debootstrap, its postgres:15 and redis:7 are
# stand-ins from Debian's packages (tests/docker/). An engine that is there pulls the official ones.

docker_packages=(docker.io docker-compose debootstrap)
engine_pid='' forwarding=''

test_docker() {
	((EUID == 0)) || die 'the Docker tests need root (they start an engine)'
	check_demo_ports
	need_packages "${program_packages[@]}" "${test_packages[@]}" "${docker_packages[@]}"
	forget_settings
	build_programs release all tools
	need_service_user # the user of the programs that tests start beside the containers
	MCS_TEST_DIR=$(mktemp -d /tmp/mcs.XXXXXX) && chmod 711 "$MCS_TEST_DIR" || exit
	export MCS_TEST_DIR MCS_TEST_KEEP=yes MCS_BUILD=release
	export MCS_TEST_DOCKER=$MCS_TEST_DIR/mock-communications-service
	trap end_docker EXIT
	trap 'exit 130' INT TERM HUP
	# shellcheck source=/dev/null
	. "$here/tests/harness/helpers.bash"
	if ! docker info >/dev/null 2>&1; then
		start_engine
		make_base
		say 'building the stand-ins of postgres:15 and redis:7'
		docker build -t postgres:15 "$here/tests/docker/postgres" >"$MCS_TEST_DIR/postgres.out" 2>&1 &&
			docker build -t redis:7 "$here/tests/docker/redis" >"$MCS_TEST_DIR/redis.out" 2>&1 ||
			give_up 'cannot make the stand-ins'
	fi
	copy_tree
	say 'building the image'
	compose build >"$MCS_TEST_DIR/build.out" 2>&1 || give_up 'the build failed'
	count_tests bats --tap --timing --print-output-on-failure "$here/tests/docker/demo.bats"
	count_tests bats --tap --timing --print-output-on-failure "$here"/tests/{rest,limits,websocket}.bats
	check_nothing_is_left
	print_tally "$MCS_TEST_DIR"
}

# The demo is tested as it is in the specification, with its ports.
check_demo_ports() {
	local port taken=() ports
	mapfile -t ports < <(sed -n 's/^ *- "\${[A-Z_]*:-\([0-9]*\)}:.*/\1/p' "$here/docker-compose.yml")
	for port in "${ports[@]}"; do
		! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || taken+=("$port")
	done
	((${#taken[@]} == 0)) ||
		die "the demo needs the ports $(printf '%s, ' "${ports[@]}" | sed 's/, $//'); stop what listens on ${taken[*]}"
}

give_up() {
	failed=1 # so that what was said is kept
	die "$@"
}

# What a person would have cloned.
copy_tree() {
	mkdir "$MCS_TEST_DOCKER" &&
		tar -C "$here" --exclude=./.git --exclude=./build --exclude=./var --exclude=./.env -c . |
		tar -C "$MCS_TEST_DOCKER" -x || die 'cannot copy the tree'
}

# --- the engine -----------------------------------------------------------------------------------

start_engine() {
	local folder=$MCS_TEST_DIR/engine
	mkdir "$folder"
	say 'no engine answers; starting one'
	forwarding=$(</proc/sys/net/ipv4/ip_forward)
	# An engine that finds this off switches it on, and closes the machine's other forwarding.
	echo 1 >/proc/sys/net/ipv4/ip_forward
	export DOCKER_HOST=unix://$folder/docker.sock
	dockerd --storage-driver=vfs --data-root="$folder/data" --exec-root="$folder/exec" \
		--pidfile="$folder/pid" --host="$DOCKER_HOST" </dev/null >"$folder.log" 2>&1 &
	engine_pid=$!
	wait_until 30 docker info >/dev/null 2>&1 || give_up 'the engine does not start'
}

end_engine() {
	local folder=$MCS_TEST_DIR/engine
	[[ $engine_pid ]] || return
	docker ps -aq | xargs -r docker rm -fv >/dev/null 2>&1
	kill -s TERM "$engine_pid" 2>/dev/null
	wait "$engine_pid"
	engine_pid=''
	remove_engine_network
	echo "$forwarding" >/proc/sys/net/ipv4/ip_forward
	find /sys/fs/cgroup -depth -type d -path '*/docker*' -exec rmdir {} + 2>/dev/null
	awk -v folder="$folder/" 'index($2, folder) == 1 { print $2 }' /proc/mounts | xargs -r umount
	rm -rf "${folder:?}"
}

# An engine leaves its bridge and its packet filter's rules on the machine.
remove_engine_network() {
	local table words
	ip link delete docker0 2>/dev/null
	for table in filter nat; do
		# First the rules that lead to its chains, then what is in those, then the chains.
		while read -ra words; do
			iptables -t "$table" "${words[@]}"
		done < <(iptables -t "$table" -S | sed -nE '/DOCKER|docker0|172\.17\.0\.0/s/^-A ([FOP])/-D \1/p'
			iptables -t "$table" -S | sed -n 's/^-N DOCKER/-F DOCKER/p'
			iptables -t "$table" -S | sed -n 's/^-N DOCKER/-X DOCKER/p')
	done
}

end_docker() {
	local file
	trap '' INT TERM HUP
	for file in "$MCS_TEST_DIR"/release/*.instance; do
		[[ ! -e $file ]] || stop_instance "$(basename "$file" .instance)"
	done
	[[ ! -e $MCS_TEST_DOCKER ]] || compose down -v >/dev/null 2>&1
	end_engine
	if ((failed)); then
		echo "# what was said is in $MCS_TEST_DIR"
	else
		rm -rf "${MCS_TEST_DIR:?}"
	fi
}

# Of our projects; and in an engine of our own nothing at all.
check_nothing_is_left() {
	local left filter=()
	[[ $engine_pid ]] || filter=(--filter name=mcs-test-)
	left=$(docker ps -aq "${filter[@]}" && docker volume ls -q "${filter[@]}" &&
		docker network ls -q --filter type=custom "${filter[@]}")
	if [[ $left ]]; then
		docker ps -a && docker volume ls && docker network ls
		count_line 'not ok - containers, volumes or networks are left'
	else
		count_line 'ok - no container, volume or network is left'
	fi
}

# --- the base image -------------------------------------------------------------------------------

# As large as the official one; containers find packages where this machine finds them.
make_base() {
	local root=$MCS_TEST_DIR/base mirror
	say 'making debian:bookworm-slim with debootstrap'
	# shellcheck disable=SC2016
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)
	debootstrap --variant=minbase bookworm "$root" ${mirror:+"$mirror"} >"$MCS_TEST_DIR/base.out" 2>&1 ||
		give_up 'debootstrap failed'
	# shellcheck disable=SC2016
	apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
		grep -E ' bookworm(-(updates|security))? ' | sort -u >"$root/etc/apt/sources.list"
	{
		apt-config dump | grep -E '^Acquire::(http|https|Check)'
		[[ ! ${http_proxy:-} ]] || echo "Acquire::http::Proxy \"$http_proxy\";"
	} >"$root/etc/apt/apt.conf.d/90host"
	tar -C "$root" --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./usr/share/doc/*' \
		--exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' -c . |
		docker import -c 'CMD ["bash"]' - debian:bookworm-slim >/dev/null || give_up 'docker import failed'
	rm -rf "${root:?}"
}
