# shellcheck shell=bash
# Quirks of web servers, for which tests expect something else of them: name, servers, what all the others
# do, what these do and why. `./mcs servers` makes the table of docs/webservers.md from it.
#
#   quirk NAME              whether the web server of this run has it
#   skip_by_quirk NAME      skips a test that has nothing to test then
# shellcheck disable=SC2016
quirks=(
	'binds-itself|nginx apache apache-fcgid apache-cgi caddy haproxy h2o|`./mcs run` holds the port, so no connection is refused while a killed web server restarts|connections are refused until the server is back (some 0.1 s); a port below 1024 needs the right to it'
	'starts-processes|apache-fcgid apache-cgi|one pool of responders, whose parent replaces those that die|Apache starts processes as it needs them, so there is no pool of ours to kill or stop'
	'process-a-request|apache-cgi|the responders are a pool, and the log says that it starts|CGI: each request has a process of its own, which ends with the request'
	'dot-segments-400|nginx apache apache-fcgid apache-cgi|`/../x` is 404 from the responder|the server itself answers 400: it takes a path that leaves the root for invalid HTTP'
	'nul-404|apache apache-fcgid apache-cgi|`/%00` is 400 from the responder|Apache itself answers 404: no file can have that name'
	'long-header-400|apache apache-fcgid apache-cgi|a header that is too large is 431|400: Apache knows no 431 for it'
	'long-header-200|h2o|a header of 20,000 bytes is 431|h2o accepts it: its limit of 64 KiB for the whole head cannot be lowered'
	'many-headers|haproxy|2,000 headers are 431|400 in HTML: HAProxy accepts 101 (`tune.http.maxhdr`), and refuses more before it applies any rule of a configuration'
	'own-text|caddy h2o|refusals of the web server itself are JSON like ours|text/plain where the server answers before it applies any rule of a configuration'
	'gateway-502|apache apache-fcgid apache-cgi h2o|a handshake gets 503 when wsd ends during it|502, which no setting of Apache and h2o changes; h2o answers it also while no wsd runs'
	'hop-by-hop|caddy h2o|a plain GET on `/ws` is 426 with `Upgrade: websocket`|426 without that header: to them it is one between themselves and wsd'
	'chunked-limit|haproxy|chunked bodies may have 64 KiB; larger ones are 413|400 when body and head together do not fit into its buffer of 64 KiB'
	'chunked-unread|apache-cgi|chunked bodies arrive|400: CGI (RFC 3875) has no way to pass a body of unknown length'
	'large-500|apache-fcgid|a body of megabytes is 413|500: mod_fcgid answers so beyond `FcgidMaxRequestLen`'
	'hang-500|apache-fcgid|requests to responders that hang get 503 or 504 after a time-out|500: mod_fcgid answers so after `FcgidIOTimeout`'
	'thread-a-connection|apache apache-fcgid apache-cgi|thousands of clients that send their requests byte by byte slow no other client down|Apache starts a thread for each, some dozen in a second; other clients wait meanwhile. The test is skipped; `RequestReadTimeout` ends such connections after 20 s'
	'slow-crowd|apache-fcgid apache-cgi|a crowd of requests is answered within some ms|it takes about a second: mod_fcgid sleeps so long when all processes are busy, and CGI starts and connects one process for each request. Tests that need one second are skipped'
	'chunked-wins|apache apache-fcgid apache-cgi|a request with both `Content-Length` and `Transfer-Encoding` is 400|Apache ignores the length, as RFC 9112 section 6.3 allows, and closes the connection, so nothing that follows is a second request'
	'lengths-unjudged|caddy h2o|the same|the server ignores the length, and reads what follows as the next request: put no proxy in front that reads such requests in another way'
	'first-length|h2o|two `Content-Length` that differ are 400|the first one counts, and the connection continues: as in the row above'
	'same-lengths|haproxy|`Content-Length: 23, 23` is 400|it is 23, as RFC 9110 section 8.6 allows'
	'broken-chunks|caddy|a body whose chunks break off is 400|Caddy takes what came before the break for the whole body'
	'length-required|lighttpd|the responders answer a POST with neither a body nor a `Content-Length`|411, over HTTP/1.1 and over HTTP/2, where such a request is usual: send `Content-Length: 0`, or a body'
	'no-access-log|haproxy|requests are in `log/access.log`|HAProxy writes no files: it can send its access log to a syslog server (`option httplog`; use a `log-format` without `%HU` and `%r`)'
	'cors-no-list|h2o|with origins in `CORS_ORIGIN` their pages can read what the web server refuses by itself|they cannot: h2o adds the same header for all origins, or none'
)

quirk() {
	local line
	for line in "${quirks[@]}"; do
		[[ $line != "$1|"* ]] || break
	done
	[[ $line == "$1|"* ]] || { echo "no quirk $1" >&2 && return 2; }
	line=${line#*|}
	[[ " ${line%%|*} " == *" ${MCS_SERVER:-lighttpd} "* ]]
}

skip_by_quirk() { ! quirk "$1" || skip "by quirk of $MCS_SERVER: $1"; }
