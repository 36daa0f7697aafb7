#pragma once

#include "common/cleanup.h"
#include "common/config.h"
#include "common/pg.h"

#include <ev.h>
#include <stdbool.h>

/*
 * An asynchronous connection to PostgreSQL on a libev loop, which makes itself again when it broke.
 * It leads to the one of POSTGRES_HOST's hosts that can be written to. Statements wait in a queue
 * and run one after the other, each with a deadline. Nothing here blocks.
 *
 * Each failure closes the connection: a passed deadline, a broken socket, an error reply. All
 * statements are then called back at once, for callers prefer a quick failure to waiting for a
 * database that has just failed. The next attempt to connect follows after 0.1 s, later after up
 * to 1 s.
 */
struct pg_async;

/* All of these may be NULL. They may call pg_async_exec(), but not pg_async_free(). */
struct pg_async_owner {
  /* The connection is there and the queue is empty: after connecting, and after the last result. */
  void (*on_idle)(void *arg);
  /* The connection, or an attempt to make one, failed. All statements have been called back. */
  void (*on_lost)(void *arg);
  void *arg;
};

enum { PG_ASYNC_CONNECT_MS = 2000 };

/*
 * Begins to connect; nothing is called before the loop runs. `program` is the name that the server
 * shows. `statements` (closed by NULL) are files of sql/queries, prepared at every connect. At most
 * `queue_max` statements wait. `config`, `program` and `statements` must outlive it.
 */
struct pg_async *pg_async_new(struct ev_loop *loop, const struct config *config,
                              const char *program, const char *const *statements, int queue_max,
                              const struct pg_async_owner *owner);
/* Statements that wait or are under way are not called back any more. Also for NULL. */
void pg_async_free(struct pg_async *pg);

/*
 * How a statement ended, called once for each. `result` is NULL unless PG_DONE, and gone when this
 * returns. A statement that was never sent is PG_REFUSED.
 */
typedef void pg_async_on_result(void *arg, enum pg_outcome outcome, const PGresult *result);

/*
 * Queues one of `statements`, also while there is no connection. `values` are `count` parameters as
 * text (NULL = SQL NULL), which are copied. `on_result` is called later, not from within this, and
 * soon after `deadline_ms` (monotonic) at the latest. False when the queue is full: then it is not
 * called.
 */
must_check bool pg_async_exec(struct pg_async *pg, const char *statement, int count,
                              const char *const *values, int64_t deadline_ms,
                              pg_async_on_result *on_result, void *arg);

/* Connected, and no statement waits or is under way. */
bool pg_async_is_idle(const struct pg_async *pg);
