#pragma once

#include "common/cleanup.h"
#include "common/config.h"

#include <ev.h>
#include <hiredis/async.h>
#include <stdbool.h>

/*
 * An asynchronous connection to Redis that makes itself again when it broke; where there are
 * Sentinels, to the master that one of them names. hiredis frees a
 * context that breaks or could not connect, after calling all outstanding callbacks with a NULL
 * reply; all of that is dealt with here, so its users only ever ask redis_async_context().
 */
struct redis_async;

struct redis_async_owner {
  /* Connected, the password was sent: say what the connection is to do first. When that has worked,
   * the owner calls redis_async_ready(), within REDIS_ASYNC_READY_S, or the connection is given up.
   */
  void (*on_connected)(void *arg);
  /* What was connected, or on its way to be, is gone. A new try follows by itself. */
  void (*on_lost)(void *arg);
  void *arg;
};

enum { REDIS_ASYNC_READY_S = 3 };

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
