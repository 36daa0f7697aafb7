/* Retention removes calls that were finished long ago, a few at a time. */

#include "worker/retention.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/pg/value.h"
#include "worker/worker.h"

#include <stdio.h>

enum { DEADLINE_MS = 3000 };

void retention_run(struct worker *w) {
  if (w->config->retention_days == 0 || clock_monotonic_ms() < w->retention.next_ms)
    return;
  char days[12], max[12];
  snprintf(days, sizeof(days), "%ld", w->config->retention_days);
  snprintf(max, sizeof(max), "%d", RETENTION_ROWS);
  const char *const values[] = {days, max};
  cleanup_pgresult PGresult *r = NULL;
  int removed = 0;
  if (pg_exec(w->pg, "calls_retire", 2, values, clock_monotonic_ms() + DEADLINE_MS, &r) == PG_DONE)
    removed = pg_i32(r, 0, 0);
  if (removed)
    log_info("calls.retire", "removed=%d", removed);
  w->retention.next_ms =
      clock_monotonic_ms() +
      (removed == RETENTION_ROWS ? RETENTION_SHORT_PAUSE_MS : RETENTION_PAUSE_MS);
}
