#pragma once

#include "worker/reconcile.h"

/* Where the audit is. Zeroed before its first run. */
struct audit {
  int64_t next_ms;  /* when the next walk begins, by the monotonic clock */
  bool under_way;   /* a walk has begun and has pages left */
  long found;       /* missing jobs that this walk has restored */
  bool evicts_said; /* the warning about Redis's eviction policy is out */
  struct reconcile_walk walk;
};

/* Every AUDIT_PAUSE_MS walks through the open calls, a page at a time, and restores the missing job
 * of each call that should have moved on long ago. True when the walk has pages left, so that the
 * caller should come again soon. */
enum { AUDIT_PAUSE_MS = 20000 };
bool audit_run(struct worker *w);
