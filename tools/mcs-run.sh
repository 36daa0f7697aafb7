# shellcheck shell=bash
# ./mcs run: installs, builds and checks, then becomes mcs-supervisor, which keeps the components alive and
# stops them. That starts `./mcs run --direct` as a child, the director: mcs-director.sh.

cmd_run() {
	local began='' quiet='' director
	take_run_options "$@"
	choose_server
	[[ ! $began ]] || direct_instance
	began=$EPOCHREALTIME
	need_packages "${program_packages[@]}" "$server_package"
	build_programs "$mode" all
	check_odd_settings
	find_folders
	MCS_VAR=var resolve_config # reports a wrong setting before anything looks for a folder
	choose_user
	choose_var var_can_be_entered "the user $service_user, which all services run as, cannot enter"
	load_config
	[[ ! $config_warnings ]] || say "${config_warnings//$'\n'/$'\n'mcs: }"
	! instance_runs || die_running
	! removed_instance >/dev/null || die_not_running
	director=("$here/mcs" run "--direct=$began" ${detach:+--detach} ${quiet:+--quiet})
	[[ ! $detach ]] || start_detached "${director[@]}"
	become_instance "${director[@]}"
}

# Sets what the options say. --direct is for the supervisor only.
take_run_options() {
	local argument
	for argument; do
		case $argument in
			--detach) detach=yes ;;
			--quiet) quiet=yes ;;
			--direct=*) began=${argument#*=} ;;
			--wait | --wait=*)
				detach=yes wait_seconds=${argument#--wait} wait_seconds=${wait_seconds#=}
				[[ ${wait_seconds:=60} =~ ^[0-9]{1,6}$ ]] || die "run: $argument must be a number of seconds"
				wait_seconds=$((10#$wait_seconds))
				;;
			--server=*) MCS_SERVER=${argument#*=} ;;
			[A-Za-z]*=*) take_setting "$argument" ;;
			*) die "run: unknown argument '$argument'; see ./mcs run --help" ;;
		esac
	done
}

# Becomes the supervisor, with the director's command. The whole configuration is in the environment now; the
# service's user may not be able to read the file.
become_instance() {
	local command=(${detach:+setsid} "$programs/mcs-supervisor" "$MCS_VAR" "$@")
	export MCS_ENV_FILE=''
	! component_wanted api || hold_sockets "${command[@]}"
	exec "${command[@]}" </dev/null 4<&-
}

# Becomes a command with the web server's sockets as standard input and, if there are two, as descriptor 4:
# the supervisor holds them, so that clients wait while the web server is started again, and are not refused.
# Where the web server binds them itself, makes sure that it can.
hold_sockets() {
	local where
	printf -v where "%s:$PORT," "${listen_addresses[@]}"
	where=${where%,}
	! holds_socket || exec "$programs/mcs-admin" listen "$where" "$@"
	"$programs/mcs-admin" listen "$where" true || exit
}

banner() {
	local keys=() shown extra=''
	IFS=', ' read -ra keys <<<"$VALID_API_KEYS"
	local key kept=()
	for key in "${keys[@]}"; do [[ ! $key ]] || kept+=("$key"); done
	keys=("${kept[@]}")
	shown=$(printf ', %s' "${keys[@]:0:6}")
	((${#keys[@]} <= 6)) || extra=" and $((${#keys[@]} - 6)) more"
	component_wanted api || return 0
	local mcs
	mcs=$(own_mcs)
	cat <<-END
		  URL       $url
		  API keys  ${shown:2}$extra
		  Watch     $mcs watch CALL_ID prints the events of a call
		            $mcs follow prints the transitions of all calls
		  Logs      $MCS_VAR/log, or $mcs logs -f

		  curl -X POST $url/calls \\
		    -H 'Authorization: Bearer ${keys[0]}' \\
		    -H 'Content-Type: application/json' \\
		    -d '{"from": "+1234567890", "to": "+0987654321"}'

	END
}
