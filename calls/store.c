/* The responder's databases behind the pool's breaker. */

#include "calls/store.h"

#include "common/clock.h"
#include "common/failpoint.h"
#include "common/log.h"

#include <stdlib.h>

enum { PROBE_MS = 1000, CONNECT_MS = 1500 };

static const char *const statements[] = {"call_insert", "calls_find", "metrics_sum",
                                         "ping",        "redis_use",  NULL};

struct store {
  const struct config *config;
  struct breaker *breaker;
  struct pg *pg;
  struct redis *redis;
  int stripe;
  struct buf refusal; /* see store_refusal() */
};

struct store *store_new(const struct config *config, struct breaker *breaker, int stripe,
                        bool prepare) {
  struct store *store = calloc(1, sizeof(*store));
  if (!store)
    log_oom();
  store->config = config;
  store->breaker = breaker;
  store->pg = pg_new(config, "mcs-responder", statements, prepare);
  store->redis = redis_new(config);
  store->stripe = stripe;
  return store;
}

void store_free(struct store *store) {
  pg_free(store->pg);
  redis_free(store->redis);
  buf_done(&store->refusal);
  free(store);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void add_refusal(struct buf *out, const char *name, const char *code,
                        const struct refusal *refusal) {
  buf_printf(out, "%s (%s%s%s)", name, code, *code ? ": " : "", refusal->meaning);
}

static void add_redis(const struct store *store, struct buf *out) {
  const struct refusal *refusal = redis_refusal(store->redis);
  if (refusal && !breaker_is_open(store->breaker, BACKEND_REDIS))
    add_refusal(out, "Redis", refusal->code, refusal);
  else
    buf_str(out, "Redis");
}

static void add_postgres(const struct store *store, struct buf *out) {
  const char *code = pg_sqlstate(store->pg);
  if (*code && !breaker_is_open(store->breaker, BACKEND_POSTGRES))
    add_refusal(out, "PostgreSQL", code, refusal_by_postgres(code));
  else
    buf_str(out, "PostgreSQL");
}

const char *store_refusal(const struct store *store) {
  return buf_text(&store->refusal);
}

/* --- trust ------------------------------------------------------------------------------------ */

static void blame_redis(struct store *store) {
  if (redis_timed_out(store->redis))
    breaker_trip(store->breaker, BACKEND_REDIS);
}

static bool redis_usable(struct store *store, bool (*connect)(struct redis *)) {
  if (breaker_is_open(store->breaker, BACKEND_REDIS))
    return false;
  if (connect(store->redis))
    return true;
  blame_redis(store);
  return false;
}

static void blame_postgres(struct store *store) {
  if (pg_timed_out(store->pg))
    breaker_trip(store->breaker, BACKEND_POSTGRES);
}

static bool postgres_usable(struct store *store) {
  if (breaker_is_open(store->breaker, BACKEND_POSTGRES))
    return false;
  if (pg_connect(store->pg, clock_monotonic_ms() + CONNECT_MS))
    return true;
  blame_postgres(store);
  return false;
}

bool store_needs_tending(const struct store *store) {
  return breaker_is_open(store->breaker, BACKEND_POSTGRES) ||
         breaker_is_open(store->breaker, BACKEND_REDIS);
}

/* `*utf8`: whether the database can hold all text. */
static bool ping_postgres(struct store *store, bool *utf8) {
  cleanup_pgresult PGresult *r = NULL;
  if (pg_exec(store->pg, "ping", 0, NULL, clock_monotonic_ms() + PROBE_MS, &r) == PG_DONE) {
    *utf8 = pg_bool(r, 0, 1);
    return true;
  }
  blame_postgres(store);
  return false;
}

void store_tend(struct store *store) {
  bool down, utf8;
  if (breaker_take_probe(store->breaker, BACKEND_POSTGRES) && ping_postgres(store, &utf8))
    breaker_close(store->breaker, BACKEND_POSTGRES);
  if (breaker_take_probe(store->breaker, BACKEND_REDIS) && redis_connect(store->redis) &&
      (live_is_ready(store->redis, &down) || !down))
    breaker_close(store->breaker, BACKEND_REDIS);
}

/* --- operations ------------------------------------------------------------------------------- */

static enum store_create refused_by_redis(struct store *store) {
  breaker_note_write(store->breaker, BACKEND_REDIS, false);
  if (redis_refusal(store->redis) && !breaker_is_open(store->breaker, BACKEND_REDIS))
    add_redis(store, &store->refusal);
  return STORE_UNAVAILABLE;
}

static enum store_create admit(struct store *store, struct call *call,
                               struct live_admission *admission) {
  const struct live_limits limits = {.max_concurrent = store->config->max_concurrent,
                                     .max_cps = store->config->max_cps};
  switch (live_admit(store->redis, call, &limits, admission)) {
  case LIVE_ADMITTED:
    breaker_note_write(store->breaker, BACKEND_REDIS, true);
    return STORE_CREATED;
  case LIVE_TOO_MANY_CONCURRENT:
    return STORE_TOO_MANY_CONCURRENT;
  case LIVE_TOO_MANY_A_SECOND:
    return STORE_TOO_MANY_A_SECOND;
  case LIVE_NOT_READY:
    return STORE_REBUILDING;
  case LIVE_REFUSED:
    return refused_by_redis(store);
  case LIVE_UNKNOWN:
    break;
  }
  blame_redis(store);
  return STORE_UNKNOWN;
}

static enum store_create insert(struct store *store, const struct call *call,
                                const struct live_admission *admission) {
  int64_t deadline_ms = clock_monotonic_ms() + ROW_INSERT_MS;
  switch (row_insert(store->pg, call, admission->epoch, store->stripe, deadline_ms)) {
  case ROW_STORED:
    breaker_note_write(store->breaker, BACKEND_POSTGRES, true);
    return STORE_CREATED;
  case ROW_OUTDATED:
    live_invalidate(store->redis, admission->epoch);
    return live_release(store->redis, call, admission) ? STORE_REBUILDING : STORE_UNKNOWN;
  case ROW_REFUSED:
  case ROW_INVALID:
    breaker_note_write(store->breaker, BACKEND_POSTGRES, false);
    blame_postgres(store);
    if (*pg_sqlstate(store->pg))
      add_postgres(store, &store->refusal);
    return live_release(store->redis, call, admission) ? STORE_UNAVAILABLE : STORE_UNKNOWN;
  case ROW_UNKNOWN:
    break;
  }
  blame_postgres(store);
  return STORE_UNKNOWN;
}

enum store_create store_create(struct store *store, struct call *call, int64_t *retry_ms) {
  buf_clear(&store->refusal);
  /* Ask for the record first: without it an admission would only have to be taken back. */
  if (!postgres_usable(store))
    return STORE_UNAVAILABLE;
  if (!redis_usable(store, redis_connect))
    return refused_by_redis(store);
  struct live_admission admission = {0};
  enum store_create admitted = admit(store, call, &admission);
  *retry_ms = admission.retry_ms;
  if (admitted != STORE_CREATED)
    return admitted;
  FAILPOINT("responder.admitted");
  return insert(store, call, &admission);
}

/*
 * Asks Redis, and once more over a new connection when the old one turns out to be closed. For the
 * record may be ahead: who was told from there would hear older news from Redis the next time.
 */
static enum live_find find_live(struct store *store, const char *id, struct call *call,
                                struct store_held *held) {
  enum live_find found = LIVE_DOWN;
  for (int tries = 0; found == LIVE_DOWN && tries < 2; tries++) {
    if (!redis_usable(store, redis_connect_for_reading))
      return LIVE_DOWN;
    store_held_done(held);
    found = live_find(store->redis, id, call, &held->reply);
    if (found == LIVE_DOWN)
      blame_redis(store);
  }
  return found;
}

enum store_find store_find(struct store *store, const char *id, struct call *call,
                           struct store_held *held) {
  *held = (struct store_held){0};
  if (find_live(store, id, call, held) == LIVE_FOUND) /* the record is there if that fails */
    return STORE_FOUND;
  if (!postgres_usable(store))
    return STORE_DOWN;
  int64_t deadline_ms = clock_monotonic_ms() + ROW_READ_MS;
  if (row_find(store->pg, id, deadline_ms, call, &held->result) == PG_DONE)
    return held->result ? STORE_FOUND : STORE_ABSENT;
  blame_postgres(store);
  return STORE_DOWN;
}

void store_held_done(struct store_held *held) {
  if (held->reply)
    freeReplyObject(held->reply);
  PQclear(held->result);
  *held = (struct store_held){0};
}

bool store_metrics(struct store *store, struct row_metrics *metrics) {
  int64_t wall_ms = -1;
  if (redis_usable(store, redis_connect) && (wall_ms = live_wall_ms(store->redis)) < 0)
    blame_redis(store);
  if (wall_ms < 0) /* then nothing is created, and the host's own clock will do */
    wall_ms = clock_wall_ms();
  if (!postgres_usable(store))
    return false;
  int64_t deadline_ms = clock_monotonic_ms() + ROW_READ_MS;
  if (row_metrics(store->pg, wall_ms, deadline_ms, metrics) == PG_DONE)
    return true;
  blame_postgres(store);
  return false;
}

/* --- readiness -------------------------------------------------------------------------------- */

/* One that only waits for a lock does not hang: whether it does, a ping tells. */
static bool postgres_takes_writes(struct store *store) {
  if (breaker_takes_writes(store->breaker, BACKEND_POSTGRES))
    return true;
  enum row_insert probed = row_probe(store->pg, store->stripe, clock_monotonic_ms() + PROBE_MS);
  breaker_note_write(store->breaker, BACKEND_POSTGRES, probed == ROW_OUTDATED);
  return probed == ROW_OUTDATED;
}

static bool redis_takes_writes(struct store *store) {
  if (breaker_takes_writes(store->breaker, BACKEND_REDIS))
    return true;
  bool taken = live_probe(store->redis);
  if (!taken)
    blame_redis(store);
  breaker_note_write(store->breaker, BACKEND_REDIS, taken);
  return taken;
}

static void add_missing_postgres(struct store *store, struct buf *names) {
  bool utf8 = true;
  if (!postgres_usable(store) || !ping_postgres(store, &utf8) || !postgres_takes_writes(store))
    add_postgres(store, names);
  else if (!utf8)
    buf_str(names, "PostgreSQL (its encoding is not UTF8)");
}

/* A worker says that it uses this database with another Redis: so nobody will load ours. */
static bool has_rival(struct store *store) {
  cleanup_pgresult PGresult *r = NULL;
  const char *const values[] = {redis_run_id(store->redis), "false"};
  return postgres_usable(store) &&
         pg_exec(store->pg, "redis_use", 2, values, clock_monotonic_ms() + PROBE_MS, &r) ==
             PG_DONE &&
         !PQgetisnull(r, 0, 0);
}

static void add_missing_redis(struct store *store, struct buf *names) {
  bool down = true, ready = false;
  bool writes = redis_usable(store, redis_connect) && redis_takes_writes(store);
  if (writes)
    ready = live_is_ready(store->redis, &down);
  if (!ready && names->len)
    buf_str(names, ", ");
  if (!writes || down)
    add_redis(store, names);
  else if (!ready && has_rival(store))
    buf_str(names, "the live state in Redis (a worker uses this database with another Redis)");
  else if (!ready)
    buf_str(names, "the live state in Redis (being rebuilt)");
}

void store_missing(struct store *store, struct buf *names) {
  add_missing_postgres(store, names);
  add_missing_redis(store, names);
}
