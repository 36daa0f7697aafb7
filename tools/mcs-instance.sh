# shellcheck shell=bash
# The commands about an instance that runs: stop, status, logs, and its databases' clients.

# Prints the process id of the running instance, after $1; nothing when it is not known.
running_pid() {
	local number
	{ read -r number <"$MCS_VAR/mcs.pid"; } 2>/dev/null && [[ $number == +([0-9]) ]] && echo "${1:-}$number"
}

# Exports the configuration of the running instance, or, when none runs, that of the environment as
# long as it names the server that the command needs: $1 is the variable that would.
need_servers() {
	load_running_config && return
	local variable
	load_config
	for variable; do
		[[ ${!variable} || ($variable == REDIS_HOST && $REDIS_SENTINELS) ]] || die "not running in $MCS_VAR: ./mcs run starts it (or set $variable)"
	done
}

cmd_stop() {
	(($# == 0)) || die 'stop takes no arguments'
	find_folders
	local number still=instance_runs deadline=$((SECONDS + 120))
	if instance_runs; then
		number=$(running_pid) || die "$MCS_VAR/mcs.pid does not say which process it is"
	else
		number=$(removed_instance) || die "not running in $MCS_VAR"
		still=removed_instance
	fi
	kill -s TERM "$number" 2>/dev/null || die "cannot stop process $number"
	# Its lock goes with it, and it goes when all its components have gone.
	while "$still" >/dev/null; do
		((SECONDS < deadline)) || die "process $number does not stop"
		sleep 0.1
	done
	say 'stopped'
}

cmd_status() {
	load_running_config || die_not_running
	local name number since state well=0 seen=' '
	printf '%-9s %-11s %8s  %s\n' COMPONENT STATE PROCESS 'UP SINCE'
	while read -r name number since; do
		state=running
		kill -0 "$number" 2>/dev/null || state=dead well=1
		seen+="$name "
		printf '%-9s %-11s %8s  %(%Y-%m-%d %H:%M:%S)T\n' "$name" "$state" "$number" "$since"
	done < <(cat "$MCS_VAR/components" 2>/dev/null)
	for name in "${component_names[@]}"; do
		[[ $seen != *" $name "* ]] || continue
		state='not started'
		component_wanted "$name" && well=1 || state=elsewhere
		printf '%-9s %-11s\n' "$name" "$state"
	done
	component_wanted api || return "$well"
	state=$(ready_status)
	if [[ $state == 200 ]]; then
		echo "ready at $url"
	else
		echo "not ready: $url/ready says $state"
		well=1
	fi
	return "$well"
}

cmd_logs() {
	local follow='' names=() name files=()
	for name; do
		case $name in
			-f) follow=yes ;;
			api | worker | wsd | postgres | redis | access | mcs) names+=("$name") ;;
			*) die "no log '$name': api, worker, wsd, postgres, redis, access, mcs" ;;
		esac
	done
	find_folders
	((${#names[@]})) || names=("${component_names[@]}")
	for name in "${names[@]}"; do
		[[ ! -e $MCS_VAR/log/$name.log ]] || files+=("$MCS_VAR/log/$name.log")
	done
	((${#files[@]})) || die "no logs in $MCS_VAR/log"
	[[ ! $follow ]] || exec tail -n 20 -F "${files[@]}"
	exec tail -n +1 "${files[@]}"
}

cmd_psql() {
	need_servers POSTGRES_HOST
	local host=$POSTGRES_HOST client
	[[ ! $embedded_postgres ]] || host=$run_folder
	client=$(printf '%s\n' /usr/lib/postgresql/*/bin/psql | sort -V | tail -n 1)
	[[ -x $client ]] || client=psql
	[[ ! $POSTGRES_PASSWORD ]] || export PGPASSWORD=$POSTGRES_PASSWORD
	[[ $host != *,* ]] || export PGTARGETSESSIONATTRS=read-write
	PGHOST=$host PGPORT=$POSTGRES_PORT PGUSER=$POSTGRES_USER PGDATABASE=$POSTGRES_DB exec "$client" "$@"
}

cmd_redis() {
	need_servers REDIS_HOST
	run_redis_cli "$@"
}

cmd_migrate() {
	need_servers POSTGRES_HOST
	"$programs/mcs-admin" migrate "$@"
}

cmd_failed() {
	need_servers POSTGRES_HOST REDIS_HOST
	"$programs/mcs-admin" failed "$@"
}

cmd_follow() {
	need_servers REDIS_HOST
	exec "$programs/mcs-admin" follow "$@"
}

cmd_watch() {
	(($# == 1)) || die 'usage: ./mcs watch CALL_ID|URL'
	load_running_config || load_config
	local asked=$1 status
	[[ $asked =~ ^([0-9a-fA-F-]{36}$|wss?://) ]] || die "'$asked' is neither a call's id nor its websocket_url"
	[[ $asked == ws*://* ]] || asked="ws${probe_url#http}/ws?call_id=$1"
	"$programs/mcs-admin" watch "$asked"
	status=$?
	((status != 3)) || die "the instance that was asked is $url (MCS_VAR=$MCS_VAR); MCS_VAR or the call's websocket_url names another"
	return "$status"
}
