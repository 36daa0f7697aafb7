/* The responder's databases behind the pool's breaker. */

#include "calls/store.h"

#include "calls/live/query.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/pg/value.h"

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
  free(store);
}

const struct config *store_config(const struct store *store) {
  return store->config;
}

int store_stripe(const struct store *store) {
  return store->stripe;
}

/* --- connections ------------------------------------------------------------------------------ */

void store_postgres_failed(struct store *store) {
  if (pg_timed_out(store->pg))
    breaker_trip(store->breaker, BACKEND_POSTGRES);
}

void store_redis_failed(struct store *store) {
  if (redis_timed_out(store->redis))
    breaker_trip(store->breaker, BACKEND_REDIS);
}

struct pg *store_postgres(struct store *store) {
  if (breaker_is_open(store->breaker, BACKEND_POSTGRES))
    return NULL;
  if (pg_connect(store->pg, clock_monotonic_ms() + CONNECT_MS))
    return store->pg;
  store_postgres_failed(store);
  return NULL;
}

static struct redis *connected(struct store *store, bool (*connect)(struct redis *)) {
  if (breaker_is_open(store->breaker, BACKEND_REDIS))
    return NULL;
  if (connect(store->redis))
    return store->redis;
  store_redis_failed(store);
  return NULL;
}

struct redis *store_redis(struct store *store) {
  return connected(store, redis_connect);
}

struct redis *store_redis_for_reading(struct store *store) {
  return connected(store, redis_connect_for_reading);
}

/* --- trust ------------------------------------------------------------------------------------ */

bool store_needs_tending(const struct store *store) {
  return breaker_is_open(store->breaker, BACKEND_POSTGRES) ||
         breaker_is_open(store->breaker, BACKEND_REDIS);
}

bool store_ping_postgres(struct store *store, bool *utf8) {
  cleanup_pgresult PGresult *r = NULL;
  if (pg_exec(store->pg, "ping", 0, NULL, clock_monotonic_ms() + PROBE_MS, &r) == PG_DONE) {
    *utf8 = pg_bool(r, 0, 1);
    return true;
  }
  store_postgres_failed(store);
  return false;
}

void store_tend(struct store *store) {
  bool down, utf8;
  if (breaker_take_probe(store->breaker, BACKEND_POSTGRES) && store_ping_postgres(store, &utf8))
    breaker_close(store->breaker, BACKEND_POSTGRES);
  if (breaker_take_probe(store->breaker, BACKEND_REDIS) && redis_connect(store->redis) &&
      (live_is_ready(store->redis, &down) || !down))
    breaker_close(store->breaker, BACKEND_REDIS);
}

void store_note_write(struct store *store, enum backend which, bool taken) {
  breaker_note_write(store->breaker, which, taken);
}

bool store_takes_writes(const struct store *store, enum backend which) {
  return breaker_takes_writes(store->breaker, which);
}

/* --- refusals --------------------------------------------------------------------------------- */

static const char *const names[BACKEND__MAX] = {
    [BACKEND_POSTGRES] = "PostgreSQL",
    [BACKEND_REDIS] = "Redis",
};

/* What the database said to its last operation; NULL when it refused nothing. */
static const struct refusal *refusal_of(const struct store *store, enum backend which,
                                        const char **code) {
  if (breaker_is_open(store->breaker, which))
    return NULL;
  if (which == BACKEND_POSTGRES) {
    *code = pg_sqlstate(store->pg);
    return **code ? refusal_by_postgres(*code) : NULL;
  }
  const struct refusal *refusal = redis_refusal(store->redis);
  *code = refusal ? refusal->code : "";
  return refusal;
}

bool store_add_refusal(const struct store *store, enum backend which, struct buf *out) {
  const char *code;
  const struct refusal *refusal = refusal_of(store, which, &code);
  buf_str(out, names[which]);
  if (which == BACKEND_POSTGRES && *pg_schema_error(store->pg)) {
    buf_printf(out, " (%s)", pg_schema_error(store->pg));
    return true;
  }
  if (refusal)
    buf_printf(out, " (%s%s%s)", code, *code ? ": " : "", refusal->meaning);
  return refusal;
}
