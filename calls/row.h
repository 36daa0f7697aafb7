#pragma once

#include "calls/call.h"
#include "common/pg.h"

/*
 * Rows of calls in PostgreSQL, a function an operation. Each is one statement and one round trip.
 */

/* How long the insert of a call may take, connect included. */
enum { ROW_INSERT_MS = 2000, ROW_READ_MS = 2000, ROW_BATCH_MS = 3000 };

enum row_insert {
  ROW_STORED,   /* committed, by this insert or an earlier one of the same id */
  ROW_REFUSED,  /* certainly not stored, and never will be */
  ROW_OUTDATED, /* refused because the epoch of its admission is over */
  ROW_INVALID,  /* refused because the database cannot hold these values */
  ROW_UNKNOWN,  /* may be stored, now or later */
};

/*
 * Inserts a call in its first state and counts it, provided that the epoch under which it was
 * admitted is still the present one. Safe to repeat. `stripe`: see below.
 */
enum row_insert row_insert(struct pg *pg, const struct call *call, int64_t epoch, int stripe,
                           int64_t deadline_ms);

/* Finds out whether row_insert() would be refused, and stores nothing: ROW_OUTDATED when not. */
must_check enum row_insert row_probe(struct pg *pg, int stripe, int64_t deadline_ms);

/* How many columns a call has in a result, the metadata included; what else a statement returns
 * stands behind them. */
enum {
  ROW_COLUMNS = 1
#define COLUMN(name, column) +1
#include "calls/columns.def"
#undef COLUMN
};

/* Reads the call in a result's row. call->metadata points into the result. False for a row that
 * this version cannot read, but for its id. */
must_check bool row_read(const PGresult *r, int row, struct call *call);

/* Finds one call: PG_DONE with *result NULL when there is none; else its row 0 is in `*result`. */
must_check enum pg_outcome row_find(struct pg *pg, const char *id, int64_t deadline_ms,
                                    struct call *call, PGresult **result);

/*
 * A stripe of the metrics table for one writer, to be kept: two writers of one stripe wait for each
 * other's commits. Those of up to 48 children of one pool differ: `first` is any number that the
 * children have in common, `child` is the child's own. Other pools may share them; no worker does.
 */
int row_stripe_of_child(unsigned first, int child);
int row_stripe_of_worker(void);
enum { ROW_WORKER_STRIPE = 49, ROW_WORKER_STRIPES = 16 }; /* the first of them; how many */
