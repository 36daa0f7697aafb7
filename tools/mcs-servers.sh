# shellcheck shell=bash
# The web servers that ./mcs run can put in front (--server=NAME): which packages each needs, how its
# configuration below deploy/ is adapted to an instance, how it is started, told to stop, and told to
# take a new configuration. lighttpd starts the pool of responders itself; for the others it is a component.

# name: Debian package, folder below deploy/, the file there that is the whole server
server_table=(
	'lighttpd|lighttpd||'
	'nginx|nginx-light|nginx|nginx.conf'
	'apache|apache2-bin|apache|apache2.conf'
	'apache-fcgid|libapache2-mod-fcgid|apache|apache2.conf'
	'apache-cgi|apache2-bin|apache|apache2.conf'
	'caddy|caddy|caddy|Caddyfile'
	'haproxy|haproxy|haproxy|haproxy.cfg'
	'h2o|h2o|h2o|h2o.conf'
)

# Decides MCS_SERVER, and what follows from it: server_package, server_folder, server_file, and
# whether the pool of responders is a component of its own.
choose_server() {
	local line name
	export MCS_SERVER=${MCS_SERVER:-lighttpd}
	for line in "${server_table[@]}"; do
		IFS='|' read -r name server_package server_folder server_file <<<"$line"
		[[ $name != "$MCS_SERVER" ]] || break
	done
	[[ $name == "$MCS_SERVER" ]] || die "no web server '$MCS_SERVER'; there are: $(server_names)"
	! has_pool_component || component_names=(postgres redis wsd worker pool api)
	case $MCS_SERVER in
		nginx) stop_signal["api"]=QUIT ;;
		apache*) stop_signal["api"]=WINCH ;;
		caddy | h2o) stop_signal["api"]=TERM ;;
		haproxy) stop_signal["api"]=USR1 ;;
	esac
}

server_names() { printf '%s\n' "${server_table[@]%%|*}" | paste -sd ' '; }

has_pool_component() { [[ $MCS_SERVER != @(lighttpd|apache-fcgid|apache-cgi) ]]; }

# Whether mcs holds the web server's socket for it; the others bind it themselves.
holds_socket() { [[ $MCS_SERVER == lighttpd ]]; }

# Sets `command` to what starts the web server. Where that starts the responders itself, the command first
# removes old sockets: lighttpd would take one that answers for a pool that lives, and a killed Apache leaves some.
# shellcheck disable=SC2016
server_command() {
	local file=$MCS_VAR/etc/$server_folder/$server_file
	case $MCS_SERVER in
		lighttpd)
			command=("$server_program" -D -f ../etc/lighttpd.conf) # its folder is part of a pattern
			((${#listen_addresses[@]} == 1)) ||
				command=(bash -pc 'exec env LISTEN_PID=$$ LISTEN_FDS=1 "$@" 3<&4 4<&-' lighttpd-launcher "${command[@]}")
			;;
		nginx) command=("$server_program" -e stderr -c "$file") ;;
		apache*) command=("$server_program" -D FOREGROUND -f "$file") ;;
		caddy) command=(env HOME="$run_folder" XDG_DATA_HOME="$run_folder" "$server_program" run --config "$file" --adapter caddyfile) ;;
		haproxy) command=("$server_program" -W -f "$file") ;;
		h2o) command=("$server_program" -m worker -c "$file") ;;
	esac
	has_pool_component ||
		command=(bash -pc 'rm -f ../run/responder.*sock* ../run/cgid.*; exec "$@"' api-launcher "${command[@]}")
}

# Makes the configuration; sets server_program.
prepare_server() {
	local program=$MCS_SERVER
	[[ $program != apache* ]] || program=apache2
	server_program=$(PATH=$PATH:/usr/sbin:/sbin type -P "$program") || die "no $program"
	[[ $MCS_SERVER != lighttpd ]] || { prepare_lighttpd; return; }
	local etc=$MCS_VAR/etc file new
	new=$etc/$server_folder.new
	[[ $MCS_SERVER != apache-* ]] || write_env_file || die "cannot write to $etc"
	rm -rf "${new:?}" && mkdir -p "$new" || die "cannot write to $etc"
	for file in "$here/deploy/$server_folder"/*; do
		own_configuration <"$file" >"$new/${file##*/}" || die "cannot write to $etc"
	done
	rm -rf "${etc:?}/$server_folder" && mv "$new" "$etc/$server_folder" || die "cannot write to $etc"
}

# Programs that Apache starts for a request have none of its environment. One may be reading the old file
# at this moment.
write_env_file() {
	local file=$MCS_VAR/etc/mcs.env
	(umask 027 && printf '%s\n' "$config" "MCS_VAR='$MCS_VAR'" >"$file.new") &&
		{ ((EUID != 0)) || chgrp "$service_user" "$file.new"; } && mv -f "$file.new" "$file"
}

# Prints sed's commands for where a configuration listens: that line for each address, and [::] for IPv4 as
# well. Caddy has all of them in one line, h2o a section each.
listening() {
	local address bare=() also='' lines='' suffix
	for address in "${listen_addresses[@]}"; do
		suffix=''
		if [[ $address == '[::]' ]]; then
			case $MCS_SERVER in
				nginx) suffix=' ipv6only=off' ;;
				haproxy) suffix=' v4v6' ;;
				h2o) also+="\\nlisten:\\n  host: \"0.0.0.0\"\\n  port: $PORT" ;;
			esac
		fi
		lines+="g; s,127\\.0\\.0\\.1:3000,$address:$PORT$suffix,; p; "
		address=${address#[} address=${address%]}
		((${#bare[@]} == 0)) || also+="\\nlisten:\\n  host: \"$address\"\\n  port: $PORT"
		[[ $MCS_SERVER$address != caddy0.0.0.0 ]] || address=tcp4/$address # else it is every IPv6 one as well
		bare+=("$address")
	done
	echo "/127\\.0\\.0\\.1:3000/ { h; $lines d; }"
	echo "s,bind 127\\.0\\.0\\.1\$,bind ${bare[*]},"
	echo "s,host: 127\\.0\\.0\\.1\$,host: \"${bare[0]}\","
	echo "s,port: 3000\$,port: $PORT$also,"
}

# Puts the address, sockets, folders and prefix of this instance into a configuration: what its comments
# tell a person to do by hand.
own_configuration() {
	local pool wsd pool_host base=${BASE_PATH:-/} variant=${MCS_SERVER#*-} tcp=''
	pool=$(reachable "${RESPONDER_LISTEN:-$run_folder/responder.sock}")
	wsd=$(reachable "${WSD_LISTEN:-$run_folder/wsd.sock}")
	pool_host=${pool%:*} pool_host=${pool_host#[} pool_host=${pool_host%]}
	[[ $pool == */* ]] || tcp+='\,/run/mcs/responder.sock,d; /127\.0\.0\.1.* *9000/s,#tcp: ,,;'
	[[ $wsd == */* ]] || tcp+='\,/run/mcs/wsd.sock,d; /127\.0\.0\.1:8090/s,#tcp: ,,;'
	sed -f <(cat <<-END
		/# prefix:\$/ {
			n
			/\^\/ws/! s,/ws\b,$BASE_PATH/ws,g
			s,\^/ws\b,^${BASE_PATH//./[.]}/ws,
			s,\([ "]\)/\([ "]\),\1$base\2,
			s, /\*, $base*,
		}
		$tcp
		$(cors_lines)
		s,^#$variant: ,,
		s,/apache/mcs\.conf,/apache/mcs${MCS_SERVER#apache}.conf,
		$(listening)
		s,:3000 ,:$PORT ,
		s,127\.0\.0\.1:9000,$pool,
		s|host: 127\.0\.0\.1, port: 9000|host: "$pool_host", port: ${pool##*:}|
		s,127\.0\.0\.1:8090,$wsd,
		s,/run/mcs/responder\.sock,$pool,
		s,/run/mcs/wsd\.sock,$wsd,
		s,/run/mcs/,$run_folder/,
		s,/var/log/mcs/,$MCS_VAR/log/,
		s,/etc/mcs/mcs\.env,$MCS_VAR/etc/mcs.env,
		s,/usr/sbin/mcs-,$MCS_VAR/bin/mcs-,
		s,/usr/share/mcs/deploy/,$MCS_VAR/etc/,
	END
	)
}

# Prints sed's commands that turn the lines about CORS, which are those of CORS_ORIGIN=*, into what
# CORS_ORIGIN says.
cors_lines() {
	[[ $CORS_ORIGIN != '*' ]] || return 0
	echo '/# cors:$/ { n; d; }'
	local origins list
	read -ra origins <<<"${CORS_ORIGIN//,/ }"
	((${#origins[@]})) || return 0
	case $MCS_SERVER in
		nginx) # a pattern, which is a replacement for sed first
			list=$(printf '|%s' "${origins[@]}" | sed 's/[].[]/\\\\&/g') && list=${list:1}
			;;
		apache*) printf -v list "','%s" "${origins[@]}" && list=${list:3} ;;
		caddy) printf -v list '", "%s' "${origins[@]}" && list=${list:4} ;;
		haproxy) list="${origins[*]}" ;;
		*) return 0 ;;
	esac
	printf '%s\n' 's,#origins: ,,' "s!https://app\\.example\\.com!$list!"
}

# Tells the running web server to reload its configuration; connected clients notice nothing. In Apache requests
# wait for a second meanwhile (with mod_fcgid for up to 20 s; as CGI they get 503), so it reloads only if its
# configuration changed: new programs do not need it.
reload_server() {
	local old
	old=$(cat "$MCS_VAR/etc/$server_folder"/* 2>/dev/null)
	(prepare_server) || return
	case $MCS_SERVER in
		nginx) kill -s HUP "$(pid_of api)" ;;
		apache*)
			if [[ $old != "$(cat "$MCS_VAR/etc/$server_folder"/*)" ]]; then
				kill -s USR1 "$(pid_of api)"
			else
				stop_old_responders
			fi
			;;
		haproxy) kill -s USR2 "$(pid_of api)" ;;
		caddy) as_service "$server_program" reload --config "$MCS_VAR/etc/caddy/Caddyfile" --adapter caddyfile --address "unix/$run_folder/caddy.sock" ;;
	esac
}

# mod_fcgid starts processes of its own for a replaced program. The old ones are told to stop after requests that
# were sent to them have arrived. (As plain CGI they end by themselves.)
old_responders=()

note_responders() {
	[[ $MCS_SERVER != apache-fcgid ]] || mapfile -t old_responders < <(ps -o pid=,comm= -s "$(pid_of api)" |
		awk '$2 == "mcs-responder" { print $1 }')
}

stop_old_responders() {
	((${#old_responders[@]})) || return 0
	sleep 0.5
	kill -s TERM "${old_responders[@]}" 2>/dev/null
	return 0
}

# Prints the tables of docs/webservers.md.
# shellcheck disable=SC2016
cmd_servers() {
	# shellcheck source=tests/harness/quirks.bash
	. "$here/tests/harness/quirks.bash"
	local line name package folder file what most these
	echo '| `--server=` | package | configuration |'
	echo '|---|---|---|'
	for line in "${server_table[@]}"; do
		IFS='|' read -r name package folder file <<<"$line"
		case $name in
			lighttpd) what='`lighttpd.conf`, `deploy/lighttpd/mcs.conf`' ;;
			apache) what='`deploy/apache/apache2.conf`, `mcs.conf`' ;;
			apache-*) what="\`deploy/apache/apache2.conf\`, \`mcs-${name#apache-}.conf\`" ;;
			nginx) what='`deploy/nginx/nginx.conf`, `mcs.conf`' ;;
			*) what="\`deploy/$folder/$file\`" ;;
		esac
		echo "| \`$name\` | $package | $what |"
	done
	echo
	echo '| web server | elsewhere | here |'
	echo '|---|---|---|'
	for line in "${quirks[@]}"; do
		IFS='|' read -r name what most these <<<"$line"
		echo "| ${what// /, } | $most | $these |"
	done
}
