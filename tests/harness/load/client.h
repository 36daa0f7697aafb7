#pragma once

#include "common/buf.h"
#include "common/dial.h"
#include "common/ws.h"
#include "tests/harness/load/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One of the many connections of a load: a WebSocket client, or one that sends any bytes. It never
 * blocks. It reports to its owner by callbacks, in which the owner may hang up.
 */

/* Where clients connect to. */
struct client_server {
  struct dial_address address;
  char host[80]; /* for the header */
};

enum client_stage {
  CLIENT_GONE, /* zeroed is a client that has no connection */
  CLIENT_CONNECTING,
  CLIENT_ASKED, /* waits for the response to its handshake */
  CLIENT_OPEN,  /* takes frames */
  CLIENT_RAW,   /* connected, and no WebSocket */
};

/* Why a connection ended, unless its owner ended it. */
enum client_end {
  CLIENT_REFUSED, /* no connection, or no WebSocket */
  CLIENT_CUT,     /* the end of file */
  CLIENT_CLOSED,  /* a close frame */
  CLIENT_BROKEN,  /* a frame that is none */
};

struct client;

/* What clients of one kind do. Callbacks may be NULL, on_connected() excepted. */
struct client_kind {
  bool resets;   /* hangs up with a reset, so that no port rests for a minute */
  bool no_pongs; /* leaves pings unanswered */
  /* The connection is there. Sends the first bytes: client_ask(), or anything else. */
  void (*on_connected)(struct client *c);
  /* The response to the handshake has this status; 0: it is no HTTP, or does not fit the request.
   * With 101 the client is CLIENT_OPEN. */
  void (*on_response)(struct client *c, int status);
  /* A text message. */
  void (*on_text)(struct client *c, const char *text, size_t len);
  /* Bytes for a client that is CLIENT_RAW. */
  void (*on_bytes)(struct client *c, const char *data, size_t len);
  /* It can send again. Only while its owner has EPOLLOUT in loop_change(). */
  void (*on_writable)(struct client *c);
  /* The client has hung up. `code` is the close frame's, or 0. The owner may free the client. */
  void (*on_end)(struct client *c, enum client_end end, int code);
};

struct client {
  struct loop_io io;
  enum client_stage stage;
  const struct client_kind *kind;
  int64_t read_us; /* when the bytes of the present callback were read */
  struct buf rest; /* the beginning of what is incomplete */
};

/* Finds the address that `where` has, as dial() takes it. Ends the program when there is none. */
void client_find(struct client_server *server, const char *where);

/* Begins to connect; on_end() may be called before this returns. To a loopback address, `number`
 * chooses the source address, because one address has too few ports. */
void client_start(struct client *c, const struct client_kind *kind,
                  const struct client_server *server, int number);
/* Sends the handshake for `target`, whose response is checked. From on_connected() only. */
void client_ask(struct client *c, const struct client_server *server, const char *target);
/* Sends a few bytes; false when the socket did not take all of them. */
bool client_send(struct client *c, const void *data, size_t len);
/* Reads what has come. The loop does that, unless the owner took EPOLLIN away. */
void client_read(struct client *c);
/* Hangs up without on_end(), if it has not yet, and frees what the struct holds. */
void client_leave(struct client *c);
