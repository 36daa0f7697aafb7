#pragma once

#include "calls/store.h"

#include <stdint.h>

/* The service's counters, over all accounts. */
struct metrics {
  int64_t total_calls, active_calls, completed_calls;
  int64_t uploads_in_progress, uploads_completed, uploads_failed;
  int64_t current_cps; /* calls created in the last second */
};

/* Reads them. False when PostgreSQL does not answer. Blocks for a few seconds at most. */
must_check bool metrics_read(struct store *store, struct metrics *metrics);
