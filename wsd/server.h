#pragma once

#include "common/config.h"
#include "wsd/roster.h"

#include <ev.h>
#include <stdbool.h>

/* What all connections share, and the daemon's life as a whole. */
struct conn;

struct server {
  struct ev_loop *loop;
  const struct config *config;
  struct hub *hub;
  struct lookup *lookup;
  struct feed *feed;
  struct roster roster;
  long connections;     /* open descriptors, connections that will be refused included */
  long connections_max; /* connections above that get a 503 */
  struct conn *dead;    /* closed, and freed before the loop waits again */
  bool stopping;
  unsigned ticks;
  ev_timer tick; /* once a second: time-outs and pings; while stopping: the end of patience */
  ev_prepare reap;
};

enum { SERVER_STOP_MS = 2000 };

/* `config` must outlive it. */
struct server *server_new(struct ev_loop *loop, const struct config *config, long connections_max);
/* Closes all connections in order; breaks the loop when all are gone or SERVER_STOP_MS are over. */
void server_stop(struct server *server);
/* Drops the connections that are left. */
void server_free(struct server *server);
