#pragma once

#include "wsd/hub.h"
#include "wsd/roster.h"
#include "wsd/server.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * One client: reading its request, waiting for the lookup, sending events, closing. It belongs to
 * the server's roster all its life and frees itself through the server's list of dead connections.
 */
struct conn;

enum {
  CONN_OUT_MAX = 256 * 1024,  /* a client that leaves more than that unread is dropped */
  CONN_OUT_PAUSE = 16 * 1024, /* above that nothing more is read from it */
};

/* Takes over a connected non-blocking socket. `surplus`: answer its request with 503. */
void conn_new(struct server *server, int fd, bool surplus);
struct conn *conn_of(struct roster_entry *entry);

/* Its time in the roster's queue is up. Moves it on or drops it. */
void conn_expire(struct conn *conn);
/* The server stops: sends a close frame, or a 503 when the request is there. Afterwards the
 * connection is in ROSTER_LEAVING, or dropped. */
void conn_stop(struct conn *conn);
/* Closes it at once. */
void conn_drop(struct conn *conn, const char *reason);
void conn_free_next_dead(struct server *server);

/* For the hub. */
void conn_on_events(struct subscriber *subscriber, const char *frames, size_t len, bool first,
                    bool last);
void conn_on_refused(struct subscriber *subscriber, enum hub_refusal refusal);
