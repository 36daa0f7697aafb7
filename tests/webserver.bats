# lighttpd.conf alone, and its part that matters inside of a site that exists already. Databases,
# worker and, where it is mounted alike, wsd are those of the instance `fast`.

load harness/helpers
load harness/service

setup() {
	use fast
	fresh_key
	folder=$(instances_folder)/site
	mkdir -p "$folder/run" "$folder/log" "$folder/pages"
	lighttpd=$(PATH=$PATH:/usr/sbin type -P lighttpd)
	servers=$MCS_VAR/run
	wsd_socket=$servers/wsd.sock
	PORT=$(free_port)
}

teardown() {
	[[ ! ${wsd:-} ]] || kill -TERM "$wsd"
	[[ ! ${web:-} ]] || end_web_server
	rm -rf "$folder"
}

# Starts lighttpd with a configuration and VAR=value words, from the top of the clone.
start_web_server() {
	local file=$1
	shift
	(
		cd "$MCS_ROOT" || exit
		exec env -i PATH="$PATH" MCS_BUILD="${MCS_BUILD:-release}" MCS_ENV_FILE=/dev/null \
			ASAN_OPTIONS="${ASAN_OPTIONS:-}" UBSAN_OPTIONS="${UBSAN_OPTIONS:-}" \
			PORT="$PORT" MCS_VAR="$folder" POSTGRES_HOST="$servers" REDIS_HOST="$servers/redis.sock" \
			WSD_LISTEN="$wsd_socket" VALID_API_KEYS="$(all_keys)" TIME_SCALE=20 "$@" \
			"$lighttpd" -D -f "$file"
	) >"$folder/log/out" 2>&1 </dev/null 3>&- &
	web=$!
	BASE=http://127.0.0.1:$PORT
}

end_web_server() {
	kill -TERM "$web"
	await_gone 60 "$web"
	web=''
}

answers() {
	api GET "$1"
	[[ $status_code == 200 ]]
} 2>/dev/null

@test "lighttpd.conf runs as it is" {
	start_web_server lighttpd.conf
	wait_until 60 answers /ready || { cat "$folder/log/out" && false; }
	create_call
	same "$(json .websocket_url)" "ws://127.0.0.1:$PORT/ws?call_id=$call_id"
	match "$(watch "$call_id")" '! close 1000 '
	api GET /nope
	expect_error 404 'Route GET /nope not found'
	same "$(header Server)" lighttpd
}

@test "the part that matters can be included in a site that has other things" {
	mkdir "$folder/pages/mockxv1"
	echo 'hello' | tee "$folder/pages/index.html" >"$folder/pages/mockxv1/ws"
	cat >"$folder/site.conf" <<-END
		include_shell "$MCS_ROOT/mcs vars"
		server.port = $PORT
		server.bind = "127.0.0.1"
		server.document-root = "$folder/pages"
		index-file.names = ( "index.html" )
		server.max-request-field-size = 16384
		server.http-parseopts = ( "method-get-body" => "enable" )
		include "$MCS_ROOT/deploy/lighttpd/mcs.conf"
		\$HTTP["url"] == "/mcs-refused" {
		  server.errorfile-prefix = var.mcs_errors
		  mimetype.assign = ( ".html" => "application/json" )
		}
		\$HTTP["url"] =^ var.mcs_base_path {
		  server.errorfile-prefix = var.mcs_errors
		  mimetype.assign = ( ".html" => "application/json" )
		  server.error-handler = "/mcs-refused"
		  server.max-request-size = 1024
		}
	END
	wsd_socket=$folder/run/wsd.sock
	exec_in_instance BASE_PATH=/mock.v1 WSD_LISTEN="$wsd_socket" \
		"$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-wsd" 2>"$folder/log/wsd" 3>&- &
	wsd=$!
	wait_until 60 test -S "$wsd_socket"
	start_web_server "$folder/site.conf" BASE_PATH=/mock.v1
	wait_until 60 answers /mock.v1/ready || { cat "$folder/log/out" && false; }
	api GET /
	same "$status_code $body" '200 hello'
	api GET /mockxv1/ws
	same "$status_code $body" '200 hello'
	post /mock.v1/calls '{"from": "+1", "to": "+2"}'
	expect 201
	call_id=$(json .call_id)
	same "$(json .websocket_url)" "ws://127.0.0.1:$PORT/mock.v1/ws?call_id=$call_id"
	match "$("$WSCAT" --timeout 30 "ws://127.0.0.1:$PORT/mock.v1/ws?call_id=$call_id")" '! close 1000 '
	match "$("$WSCAT" --timeout 30 "ws://127.0.0.1:$PORT/mock.v1/ws/?call_id=$call_id")" '! close 1000 '
	reply=$(raw 'POST /mock.v1/calls HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\nContent-Length: 2000000\r\n\r\n')
	match "$reply" '^HTTP/1\.1 413 '
	match "${reply,,}" $'\naccess-control-allow-origin: \\*\r\n'
	match "$reply" '\{"error":"Payload Too Large",'
}

# The configuration of MCS_SERVER=$1 as ./mcs run makes it of $2, a file below deploy/.
configuration_of() (
	export MCS_SERVER=$1 mode=release here=$MCS_ROOT BASE_PATH=/v1.0 CORS_ORIGIN='http://[::1]:3000, https://a.example'
	. "$here/tools/mcs-config.sh"
	. "$here/tools/mcs-servers.sh"
	run_folder=$MCS_VAR/run listen_addresses=(127.0.0.1)
	own_configuration <"$here/deploy/$2"
)

@test "where a configuration has patterns, BASE_PATH and CORS_ORIGIN are not taken for one" {
	local text pattern origin path
	text=$(configuration_of nginx nginx/mcs.conf)
	match "$text" $'\nlocation = /v1\\.0/ws \\{\n'
	match "$text" $'\nlocation = /v1\\.0/ws/ \\{ rewrite \\^ /v1\\.0/ws last; \\}\n'
	pattern=$(sed -n 's/^if (\$http_origin ~ "\(.*\)").*/\1/p' <<<"$text")
	for origin in 'http://[::1]:3000' https://a.example; do match "$origin" "$pattern"; done
	for origin in http://1:3000 https://axexample 'http://[::1]:3000|https://a.example'; do
		run match "$origin" "$pattern"
		same "$status" 1
	done
	text=$(configuration_of apache apache/mcs.conf)
	pattern=$(sed -n 's/^ProxyPassMatch "\([^"]*\)".*/\1/p' <<<"$text")
	for path in /v1.0/ws /v1.0/ws/; do match "$path" "$pattern"; done
	run match /v1x0/ws "$pattern"
	same "$status" 1
}

@test "vars has no address to listen on, for a site has its own; vars --listen has it" {
	run mcs vars PORT=1
	same "$status" 1
	run env BIND=:: MCS_ENV_FILE=/dev/null "$MCS_ROOT/mcs" vars
	same "$status" 0
	[[ $output == *'var.mcs_bind = "[::]"'* && $output != *server.set-v6only* ]]
	run env BIND=:: MCS_ENV_FILE=/dev/null "$MCS_ROOT/mcs" vars --listen
	[[ $output == *server.set-v6only* ]]
}

@test "docs/webservers.md has the tables that ./mcs servers prints" {
	same "$(sed -n '/<!-- servers -->/,/<!-- \/servers -->/p' "$MCS_ROOT/docs/webservers.md" | sed '1d;$d')" "$(mcs servers)"
}
