/* The service's counters. */

#include "calls/metrics.h"

#include "calls/live/query.h"
#include "calls/row.h"
#include "common/clock.h"
#include "common/pg/value.h"

#include <inttypes.h>
#include <stdio.h>

/* The time by the clock that calls are created by: Redis's. Without Redis nothing is created, so
 * this host's clock will do. */
static int64_t wall_ms(struct store *store) {
  struct redis *redis = store_redis(store);
  int64_t ms = redis ? live_wall_ms(redis) : -1;
  if (redis && ms < 0)
    store_redis_failed(store);
  return ms < 0 ? clock_wall_ms() : ms;
}

bool metrics_read(struct store *store, struct metrics *metrics) {
  cleanup_pgresult PGresult *r = NULL;
  char now[24];
  snprintf(now, sizeof(now), "%" PRId64, wall_ms(store));
  const char *const values[] = {now};
  struct pg *pg = store_postgres(store);
  if (!pg)
    return false;
  int64_t deadline_ms = clock_monotonic_ms() + ROW_READ_MS;
  enum pg_outcome outcome = pg_exec(pg, "metrics_sum", 1, values, deadline_ms, &r);
  if (outcome == PG_UNKNOWN) /* reading twice does no harm: try a new connection */
    outcome = pg_exec(pg, "metrics_sum", 1, values, deadline_ms, &r);
  if (outcome != PG_DONE) {
    store_postgres_failed(store);
    return false;
  }
  *metrics = (struct metrics){
      .total_calls = pg_i64(r, 0, 0),
      .active_calls = pg_i64(r, 0, 1),
      .completed_calls = pg_i64(r, 0, 2),
      .uploads_in_progress = pg_i64(r, 0, 3),
      .uploads_completed = pg_i64(r, 0, 4),
      .uploads_failed = pg_i64(r, 0, 5),
      .current_cps = pg_i64(r, 0, 6),
  };
  return true;
}
