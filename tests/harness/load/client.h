#pragma once

#include "common/buf.h"
#include "common/dial.h"
#include "common/ws.h"
#include "tests/harness/load/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A connection of a load, one of many: of a WebSocket client, or of one that sends what it likes.
 * It never blocks. What its owner wants to know it is told by callbacks; from within those the
 * owner may hang up.
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

/* Why a connection ended that the client did not end itself. */
enum client_end {
  CLIENT_REFUSED, /* no connection, or no WebSocket */
  CLIENT_CUT,     /* the end of file */
  CLIENT_CLOSED,  /* a close frame */
  CLIENT_BROKEN,  /* a frame that is none */
};

struct client;

/* What clients of one kind do; what they do not care about is NULL. */
struct client_kind {
  bool resets;   /* hangs up with a reset, so that no port rests for a minute */
  bool no_pongs; /* leaves pings unanswered */
  /* It is connected, and sends what it begins with: client_ask(), or anything else. */
  void (*on_connected)(struct client *c);
  /* The response to its handshake: 0 when that is no HTTP. 101: it is CLIENT_OPEN. */
  void (*on_response)(struct client *c, int status);
  /* A text message. */
  void (*on_text)(struct client *c, const char *text, size_t len);
  /* Bytes that come to a client that is CLIENT_RAW. */
  void (*on_bytes)(struct client *c, const char *data, size_t len);
  /* It can send again; only where its owner waits for that. */
  void (*on_writable)(struct client *c);
  /* It has hung up. `code` is the close frame's, or 0. Last of all: the owner may free it. */
  void (*on_end)(struct client *c, enum client_end end, int code);
};

struct client {
  struct loop_io io;
  enum client_stage stage;
  const struct client_kind *kind;
  int64_t read_us; /* when what it is being told was read */
  struct buf rest; /* the beginning of what is incomplete */
};

/* Finds the address that `where` has, as dial() takes it. Ends the program when there is none. */
void client_find(struct client_server *server, const char *where);

/* Begins to connect. The number chooses the source address, where this host is its own server: one
 * has too few ports. It may end before this returns. */
void client_start(struct client *c, const struct client_kind *kind,
                  const struct client_server *server, int number);
/* Sends the handshake for `target`, whose response is checked. From on_connected() only. */
void client_ask(struct client *c, const struct client_server *server, const char *target);
/* Sends what is short enough for a socket that was idle; false when it did not take all of it. */
bool client_send(struct client *c, const void *data, size_t len);
/* Reads what has come: for those whose owner does not wait for that. */
void client_read(struct client *c);
/* Hangs up without on_end(), if it has not yet, and frees what the struct holds. */
void client_leave(struct client *c);
