#pragma once

#include "common/config.h"

#include <ev.h>
#include <stddef.h>

/*
 * The subscription to all channels of events, for as long as the daemon lives. It has two
 * connections to Redis: one subscribes, the other publishes a heartbeat that must come back through
 * the first one. So a subscription that hangs is told from one that is quiet.
 */
struct feed;

struct feed_owner {
  /* A message of a channel of events. */
  void (*on_event)(void *arg, const char *line, size_t len);
  /* Subscribed, for the first time or anew: events before that may have been missed. */
  void (*on_subscribed)(void *arg);
  void *arg;
};

enum { FEED_SILENCE_MS = 3000 };

/* Begins to connect. `config` must outlive it. */
struct feed *feed_new(struct ev_loop *loop, const struct config *config,
                      const struct feed_owner *owner);
void feed_free(struct feed *feed);
