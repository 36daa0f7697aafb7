#pragma once

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/ws.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The opening handshake of RFC 6455 section 4.2, and the plain HTTP responses to other requests. No
 * I/O and no lookups: bytes in, a verdict out.
 */

enum {
  HANDSHAKE_MAX = 16384 + 1024, /* what a web server lets through, and adds */
  HANDSHAKE_CALL_ID_SIZE = 64,
  HANDSHAKE_ORIGIN_SIZE = 256,
};

/* The verdicts are HTTP's status codes. */
enum handshake_status {
  HANDSHAKE_UNFINISHED = 0,
  HANDSHAKE_UPGRADE = 101,
  HANDSHAKE_BAD = 400,
  HANDSHAKE_FORBIDDEN = 403,
  HANDSHAKE_NOT_FOUND = 404,
  HANDSHAKE_METHOD = 405,
  HANDSHAKE_NO_UPGRADE = 426,
  HANDSHAKE_TOO_LARGE = 431,
  HANDSHAKE_UNAVAILABLE = 503,
};

/* Zeroed is ready for use. */
struct handshake {
  enum handshake_status status;
  bool is_head;                         /* the response has no body */
  char accept[WS_ACCEPT_SIZE];          /* for an upgrade: Sec-WebSocket-Accept */
  char call_id[HANDSHAKE_CALL_ID_SIZE]; /* as sent, cut to the size; "" when there was none */
  bool has_origin;                      /* a browser says which page connects */
  char origin[HANDSHAKE_ORIGIN_SIZE];   /* of that page; "" when too long for any list */
  bool has_after;                       /* the client says which events it has */
  int after;                            /* the `seq` of the last of those; 0: none yet */
  struct buf protocol; /* the subprotocol that is chosen; empty: none was offered */
  const char *message; /* of a refusal, where the status does not say enough */
  struct buf head;     /* the request so far */
};

/*
 * Takes bytes in any portions until the request's head is complete and `status` tells the verdict:
 * HANDSHAKE_UPGRADE or an error's code. Returns how many of the bytes belong to the head; what
 * follows are frames. `base_path` is the configured one, "" for none.
 */
size_t handshake_feed(struct handshake *handshake, const char *data, size_t len,
                      const char *base_path);
/* For an upgrade: whether `list`, origins separated by commas, lets the client's page connect.
 * Every page may when the list is empty or names "*"; a client without an Origin is no browser and
 * always may. */
bool handshake_origin_allowed(const struct handshake *handshake, const char *list);
/* Frees what the struct holds; it may be called twice. */
void handshake_done(struct handshake *handshake);

/* Appends the 101 that completes the handshake. */
void handshake_accept(struct buf *out, const struct handshake *handshake);
/* Appends the response that refuses the handshake with an error's status and a JSON body. `message`
 * overrides the status's usual one; NULL keeps it. Close the connection afterwards. */
void handshake_refuse(struct buf *out, enum handshake_status status, const char *message,
                      bool is_head);
