# shellcheck shell=bash
# What web servers do by their quirk, and the tests therefore expect otherwise of them: name, servers,
# what all the others do, what these do and why. `./mcs servers` makes docs/webservers.md's table of it.
#
#   quirk NAME              whether the web server of this run is so
#   skip_by_nature NAME      skips a test that has then nothing to test
# shellcheck disable=SC2016
quirks=(
	'binds-itself|nginx apache apache-fcgid apache-cgi caddy haproxy h2o|`./mcs run` holds the port, so a killed web server lets nobody be refused|it is refused until the server is back (some 0.1 s); a port below 1024 needs the right to it'
	'starts-processes|apache-fcgid apache-cgi|one pool of responders, whose parent replaces those that die|Apache starts processes as it needs them: there is no pool of ours whose children could be killed or told to stop'
	'process-a-request|apache-cgi|the responders are a pool, which says in the log that it starts|CGI: each request has a process of its own, which ends with it'
	'dot-segments-400|nginx apache apache-fcgid apache-cgi|`/../x` is 404 from the responder|400 of their own: a path that leaves the root is not valid HTTP to them'
	'nul-404|apache apache-fcgid apache-cgi|`/%00` is 400 from the responder|404 of its own: no file can have that name'
	'long-header-400|apache apache-fcgid apache-cgi|a header that is too large is 431|400: Apache knows no 431 for it'
	'long-header-200|h2o|a header of 20,000 bytes is 431|it is taken: h2o has no setting below its limit of 64 KiB for the whole head'
	'many-headers|haproxy|2,000 headers are 431|400 in HTML: HAProxy takes 101 (`tune.http.maxhdr`), and says so before any rule of a configuration is looked at'
	'own-text|caddy h2o|refusals of the web server itself are JSON like ours|text/plain where the server answers before any rule of a configuration is looked at'
	'gateway-502|apache apache-fcgid apache-cgi h2o|a wsd that goes with a handshake in hand makes it a 503|502, which Apache and h2o cannot be told to say otherwise; h2o says it also while there is no wsd'
	'hop-by-hop|caddy h2o|a plain GET on `/ws` is 426 with `Upgrade: websocket`|426 without: they take that header for one between themselves and wsd'
	'chunked-limit|haproxy|chunked bodies may have 64 KiB, and are 413 beyond|400 when body and head together do not fit into its buffer of 64 KiB'
	'chunked-unread|apache-cgi|chunked bodies arrive|400: CGI (RFC 3875) has no way to hand over a body of unknown length'
	'large-500|apache-fcgid|a body of megabytes is 413|500: that is what mod_fcgid says of `FcgidMaxRequestLen`'
	'hang-500|apache-fcgid|responders that hang are 503 or 504 when their time is over|500: that is what mod_fcgid says of `FcgidIOTimeout`'
	'thread-a-connection|apache apache-fcgid apache-cgi|thousands who send their requests byte by byte slow nobody down|each has a thread, which Apache starts by the dozen a second: others wait meanwhile. The test is skipped; `RequestReadTimeout` lets such clients go after 20 s'
	'slow-crowd|apache-fcgid apache-cgi|a crowd of requests is answered within some ms|it takes about a second: mod_fcgid sleeps so long when all processes are busy, and CGI starts and connects a process a request. Tests of what happens within one second are skipped'
	'chunked-wins|apache apache-fcgid apache-cgi|a request with both `Content-Length` and `Transfer-Encoding` is 400|the length is dropped, as RFC 9112 section 6.3 allows; what follows is no second request, for the connection ends'
	'lengths-unjudged|caddy h2o|the same|the length is dropped, and the connection goes on with what follows as the next request: put no proxy before it that reads such requests otherwise'
	'first-length|h2o|two `Content-Length` that differ are 400|the first one counts, and the connection goes on: as in the row above'
	'same-lengths|haproxy|`Content-Length: 23, 23` is 400|it is 23, as RFC 9110 section 8.6 allows'
	'broken-chunks|caddy|a body whose chunks break off is 400|what came before the break is taken for all of it'
	'length-required|lighttpd|a POST with neither a body nor a `Content-Length` gets its answer from the responders|411, over HTTP/1.1 and over HTTP/2, where such a request is usual: send `Content-Length: 0`, or a body'
	'no-access-log|haproxy|requests are in `log/access.log`|HAProxy writes no files: its access log, if one is wanted, goes to a syslog server (`option httplog`; take a `log-format` without `%HU` and `%r`)'
	'cors-no-list|h2o|with origins in `CORS_ORIGIN` their pages can read what the web server refuses by itself|they cannot: h2o adds the same header for everybody, or none'
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

skip_by_nature() { ! quirk "$1" || skip "by quirk of $MCS_SERVER: $1"; }
