#pragma once

#include "common/buf.h"
#include "common/cleanup.h"
#include "fcgi/http/stream.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The way to the web server: FastCGI on the listening socket that is descriptor 0, or one request
 * of plain CGI. The only module that sees libfcgi, the environment of a CGI program, or its pipes.
 */
struct gateway;

enum gateway_event {
  GATEWAY_REQUEST, /* there is a request: parameters, body, then exactly one reply */
  GATEWAY_IDLE,    /* nothing came in time */
  GATEWAY_STOP,    /* told to stop, or the one CGI request is done */
};

/* True if this process was started as plain CGI rather than with a listening socket. */
bool gateway_is_cgi(void);

/* True if the environment is that of a CGI request: then the arguments come from a client. */
bool gateway_is_request(void);

/* From then on SIGTERM, SIGINT and SIGUSR1 stop the process between two requests, never in one. */
struct gateway *gateway_new(void);
void gateway_free(struct gateway *g);

/* Waits for the next request, at most `timeout_ms` (-1: for ever). */
enum gateway_event gateway_accept(struct gateway *g, int timeout_ms);

/* A parameter of the present request, "" if it has none of that name; owned by the gateway. */
const char *gateway_param(const struct gateway *g, const char *name);

enum gateway_body {
  BODY_WHOLE,
  BODY_TOO_LARGE, /* more than `max` bytes; `body` holds its beginning */
  BODY_CUT_SHORT, /* not all that was announced arrived */
};

/* Reads the present request's body to its end, and appends at most `max` bytes of it to `body`. To
 * be called once for a request. */
must_check enum gateway_body gateway_read_body(struct gateway *g, size_t max, struct buf *body);
/* Reads to the end what has not been read of the body, and forgets it. */
void gateway_drain_body(struct gateway *g);

/*
 * Sends a CGI reply (headers, blank line, body) in one write where it fits, and ends the request.
 * The body of the request is drained first: a web server that is still sending it would lose the
 * reply.
 *
 * `stream`, if not NULL, follows piece by piece. While it does, the request's deadline starts again
 * with every piece that the web server has taken. When the producer fails, or does not keep to its
 * length, the connection is cut, so that the web server does not take what it has for the whole;
 * before the first piece nothing has been sent yet.
 * (Plain CGI cannot say so for a stream of unknown length.) The caller ends the stream.
 */
void gateway_reply(struct gateway *g, const struct buf *reply, const struct stream *stream);
