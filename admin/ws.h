#pragma once

#include "common/buf.h"
#include "common/cleanup.h"

#include <stddef.h>

/*
 * A WebSocket client (RFC 6455) over TCP or a unix socket, without TLS. It blocks.
 */
struct ws;

struct ws_refusal {
  int status;       /* HTTP's, when the server answered; 0 when it could not be reached */
  char reason[200]; /* why, in one line */
};

/*
 * Connects to `where`, a unix socket's path or host:port, and upgrades `target` (path and query)
 * there. NULL, and `*refusal`, where that fails or takes more than 10 s.
 */
must_check struct ws *ws_open(const char *where, const char *target, struct ws_refusal *refusal);
void ws_free(struct ws *ws);

/*
 * Hands each text message to `on_text`, answers pings, and returns when the connection has ended:
 * the server's close code, with its reason in `*why`, or 0 when it was cut, or silent for longer
 * than a server that pings every 25 s can be.
 */
int ws_run(struct ws *ws, void (*on_text)(const char *text, size_t len, void *arg), void *arg,
           struct buf *why);
