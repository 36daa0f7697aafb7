#pragma once

#include "calls/id.h"
#include "common/cleanup.h"

#include <stdbool.h>

struct worker;

/* Loads the open calls from PostgreSQL into Redis, if no other worker is doing so. Takes seconds;
 * ends early when the worker is to stop. True when the live state is ready afterwards. */
must_check bool reconcile_run(struct worker *w);

/* Where a walk through the open calls has arrived; zeroed before its first page. */
struct reconcile_walk {
  char after[ID_SIZE]; /* id of the last call of the pages so far; "" before the first one */
  int rows;            /* that the next page may have; fewer after one that timed out */
  bool done;           /* no page follows */
};

/* Puts the next page of the open calls' rows into the live state, all or only those that should
 * have moved on `overdue_ms` (a number; NULL: all) ago; what is there already stays as it is.
 * Returns how many calls were queued (0 also for a page that timed out and comes again, smaller),
 * -1 when a database did not answer. */
long reconcile_page(struct worker *w, const char *overdue_ms, struct reconcile_walk *walk);
