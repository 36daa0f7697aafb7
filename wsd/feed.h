#pragma once

#include "common/config.h"

#include <ev.h>
#include <stddef.h>

/*
 * The subscription to all channels of events, for as long as the daemon lives, and the watch over
 * it: a heartbeat goes out through the connection for commands and must come back through this one,
 * so a Redis that hangs is noticed as well as one that is gone.
 */
struct redis_async;
struct feed;

struct feed_owner {
  /* A message of a channel of events. */
  void (*on_event)(void *arg, const char *line, size_t len);
  /* Subscribed, for the first time or anew: whatever was published before may have been missed. */
  void (*on_subscribed)(void *arg);
  void *arg;
};

enum { FEED_SILENCE_MS = 3000 };

/* Begins to connect. `commands` and `config` must outlive it. */
struct feed *feed_new(struct ev_loop *loop, const struct config *config,
                      struct redis_async *commands, const struct feed_owner *owner);
void feed_free(struct feed *feed);
