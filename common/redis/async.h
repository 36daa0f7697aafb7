#pragma once

#include "common/cleanup.h"
#include "common/config.h"

#include <ev.h>
#include <hiredis/async.h>
#include <stdbool.h>

/*
 * An asynchronous connection to Redis on a libev loop, which makes itself again when it broke;
 * where there are Sentinels, to the master that one of them names. The next attempt to connect
 * follows after 0.1 s, later after up to 1 s.
 *
 * hiredis frees a context that breaks or could not connect, after it has called all outstanding
 * callbacks with a NULL reply. This module deals with that, so its users only ever ask
 * redis_async_context().
 *
 * A heartbeat goes over a ready connection once a second, so that a Redis that hangs is noticed as
 * well as one that is gone. Where there are Sentinels it is a write, which a master that was cut
 * off refuses (common/sentinel.h).
 */
struct redis_async;

struct redis_async_owner {
  /* Connected, the password was sent: send the first commands now. When they have worked, call
   * redis_async_ready(), within REDIS_ASYNC_READY_S, or the connection is closed. */
  void (*on_connected)(void *arg);
  /* The connection, or an attempt to make one, is gone; a new attempt follows by itself. NULL: the
   * owner need not know. */
  void (*on_lost)(void *arg, bool was_ready);
  void *arg;
  bool subscribes; /* it takes no commands, so it has no heartbeat: the owner must notice silence */
};

enum { REDIS_ASYNC_READY_S = 3, REDIS_ASYNC_SILENCE_MS = 3000 };

/* Begins to connect; nothing is called before the loop runs. `config` must outlive it, `name` is
 * for the log. */
struct redis_async *redis_async_new(struct ev_loop *loop, const struct config *config,
                                    const char *name, const struct redis_async_owner *owner);
/* Outstanding callbacks get their NULL replies; the owner is not called. Not to be called from
 * within a callback of its own. Also for NULL. */
void redis_async_free(struct redis_async *client);

/* For commands; NULL while there is no connection. Valid until the next turn of the loop. */
redisAsyncContext *redis_async_context(const struct redis_async *client);
bool redis_async_is_ready(const struct redis_async *client);
void redis_async_ready(struct redis_async *client);
/* Gives the connection up, for a reason that goes into the log, and makes a new one. */
void redis_async_break(struct redis_async *client, const char *reason);
