/* Whether calls can be created, and what is missing for that. */

#include "calls/readiness.h"

#include "calls/live/admit.h"
#include "calls/live/query.h"
#include "calls/row.h"
#include "common/clock.h"

enum { PROBE_MS = 1000 };

/* A row that another session has locked is no time-out: a ping tells whether the database hangs. */
static bool postgres_takes_writes(struct store *store, struct pg *pg) {
  if (store_takes_writes(store, BACKEND_POSTGRES))
    return true;
  enum row_insert probed = row_probe(pg, store_stripe(store), clock_monotonic_ms() + PROBE_MS);
  store_note_write(store, BACKEND_POSTGRES, probed == ROW_OUTDATED);
  return probed == ROW_OUTDATED;
}

static bool redis_takes_writes(struct store *store, struct redis *redis) {
  if (store_takes_writes(store, BACKEND_REDIS))
    return true;
  bool taken = live_probe(redis);
  if (!taken)
    store_redis_failed(store);
  store_note_write(store, BACKEND_REDIS, taken);
  return taken;
}

static void add_postgres(struct store *store, struct buf *names) {
  bool utf8 = true;
  struct pg *pg = store_postgres(store);
  if (!pg || !store_ping_postgres(store, &utf8) || !postgres_takes_writes(store, pg))
    store_add_refusal(store, BACKEND_POSTGRES, names);
  else if (!utf8)
    buf_str(names, "PostgreSQL (its encoding is not UTF8)");
}

/* A worker says that it uses this database with another Redis: so no worker will load ours. */
static bool has_rival(struct store *store, struct redis *redis) {
  cleanup_pgresult PGresult *r = NULL;
  struct pg *pg = store_postgres(store);
  const char *const values[] = {redis_run_id(redis), "false"};
  int64_t deadline_ms = clock_monotonic_ms() + PROBE_MS;
  return pg && pg_exec(pg, "redis_use", 2, values, deadline_ms, &r) == PG_DONE &&
         !PQgetisnull(r, 0, 0);
}

static void add_redis(struct store *store, struct buf *names) {
  bool down = true;
  struct redis *redis = store_redis(store);
  bool writes = redis && redis_takes_writes(store, redis);
  bool ready = writes && live_is_ready(redis, &down);
  if (ready)
    return;
  if (names->len)
    buf_str(names, ", ");
  if (!writes || down)
    store_add_refusal(store, BACKEND_REDIS, names);
  else if (has_rival(store, redis))
    buf_str(names, "the live state in Redis (a worker uses this database with another Redis)");
  else
    buf_str(names, "the live state in Redis (being rebuilt)");
}

void readiness_missing(struct store *store, struct buf *names) {
  add_postgres(store, names);
  add_redis(store, names);
}
