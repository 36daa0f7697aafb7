#pragma once

#include "common/buf.h"
#include "common/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The client's side of a WebSocket (RFC 6455): its request, the check of the response, frames. No
 * I/O. It shares no line with wsd but the computation of Sec-WebSocket-Accept, so that tests hold
 * two implementations against each other.
 */

enum ws_opcode { WS_CONTINUATION, WS_TEXT, WS_BINARY, WS_CLOSE = 8, WS_PING, WS_PONG };
enum {
  WS_KEY_SIZE = 25,
  WS_ACCEPT_SIZE = 29,
  WS_CONTROL_MAX = 125,     /* payload of a control frame */
  WS_PAYLOAD_MAX = 1 << 20, /* of any frame that is taken */
  WS_CODE_NONE = 1005,      /* what a close frame without a code means */
};

/* Splits ws://HOST[:PORT][/TARGET] or unix:SOCKET[:/TARGET]: appends to `where` the address as
 * dial() takes it, with port 80 by default; `*target` points into `url`, or to "/". False when it
 * is no such URL. */
must_check bool ws_url(const char *url, struct buf *where, const char **target);

/* Makes a random key, and what the server has to answer to a key. */
void ws_key(char key[WS_KEY_SIZE]);
void ws_accept(const char *key, char accept[WS_ACCEPT_SIZE]);

/* Appends the request that upgrades `target` (path and query). `headers` are lines that end with
 * CRLF, or "". */
void ws_request(struct buf *out, const char *target, const char *host, const char *key,
                const char *headers);
/* Checks the head of a response with status 101. NULL when it completes the handshake; else the
 * name of what does not fit. `offered`: the request had a Sec-WebSocket-Protocol. */
must_check const char *ws_check(const char *head, size_t len, const char *accept, bool offered);

/* Appends a frame, which is a whole message, masked with a random key. */
void ws_frame(struct buf *out, enum ws_opcode opcode, const void *payload, size_t len);

struct ws_frame {
  bool is_final; /* the last of its message */
  enum ws_opcode opcode;
  const char *payload; /* in the data */
  size_t len;
  const char *error;
};

/* Takes the frame of a server that `data` begins with. Returns its length; 0 while it is
 * incomplete; -1, and frame->error, when no server may send it or it is longer than
 * WS_PAYLOAD_MAX. A bad header is an error before the payload is there. */
must_check ssize_t ws_take(const char *data, size_t len, struct ws_frame *frame);
/* A close frame's code, or WS_CODE_NONE. */
int ws_close_code(const struct ws_frame *frame);
