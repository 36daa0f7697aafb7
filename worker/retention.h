#pragma once

#include "common/cleanup.h"

#include <stdint.h>

struct worker;

/* Zeroed before the first run. */
struct retention {
  int64_t next_ms; /* when rows are removed again, by the monotonic clock */
};

enum { RETENTION_ROWS = 500, RETENTION_PAUSE_MS = 60000, RETENTION_SHORT_PAUSE_MS = 500 };

/* Removes up to RETENTION_ROWS calls that were finished more than RETENTION_DAYS ago; nothing when
 * that is 0. Paces itself: as long as there are so many it removes some each
 * RETENTION_SHORT_PAUSE_MS, else it looks each RETENTION_PAUSE_MS. */
void retention_run(struct worker *w);
