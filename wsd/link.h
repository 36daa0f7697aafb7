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
 * reply; all of that is dealt with here, so its users only ever ask link_redis().
 */
struct link;

struct link_owner {
  /* Connected, the password was sent: say what the connection is to do first. When that has worked,
   * the owner calls link_ready(), within LINK_READY_S, or the connection is given up. */
  void (*on_connected)(void *arg);
  /* What was connected, or on its way to be, is gone. A new try follows by itself. */
  void (*on_lost)(void *arg);
  void *arg;
};

enum { LINK_READY_S = 3 };

/* Begins to connect; nothing is called before the loop runs. `config` must outlive it, `name` is
 * for the log. */
struct link *link_new(struct ev_loop *loop, const struct config *config, const char *name,
                      const struct link_owner *owner);
/* Outstanding callbacks get their NULL replies; the owner is not called. Not to be called from
 * within a callback of its own. Also for NULL. */
void link_free(struct link *link);

/* For commands; NULL while there is no connection. Valid until the next turn of the loop. */
redisAsyncContext *link_redis(const struct link *link);
bool link_is_ready(const struct link *link);
void link_ready(struct link *link);
/* Gives the connection up, for a reason that goes into the log, and makes a new one. */
void link_break(struct link *link, const char *reason);
