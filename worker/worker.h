#pragma once

#include "common/config.h"
#include "common/keyring.h"
#include "common/live.h"
#include "common/pg.h"
#include "common/redis.h"

#include <stdbool.h>

/*
 * What the worker's parts share. Handlers queue what they have to tell Redis in the one pipeline
 * and count it in `queued`; worker_drain() sends it, once a batch.
 */
struct worker {
  const struct config *config;
  struct pg *pg;
  struct redis *redis;
  struct keyring *ring;
  int stripe; /* of the metrics table */
  int queued; /* commands in the pipeline */
};

/* Sends the pipeline. False when Redis did not take all of it: what it did not take comes again
 * when the jobs' leases are over. */
bool worker_drain(struct worker *w);
/* Sleeps, at most `ms`; ends early when the worker is to stop. */
void worker_sleep(int64_t ms);
/* True once the worker was told to stop. */
bool worker_stopping(void);

/* poll.c: claims and does what is due until the worker is told to stop. */
void poll_run(struct worker *w);

/* reconcile.c: rebuilds the picture in Redis from the record, if no other worker is doing so.
 * True when the picture is whole afterwards. */
bool reconcile_run(struct worker *w);

/* Puts a page of the record's open calls into the picture, all or only those that should have moved
 * on `overdue_ms` (a number; NULL: all) ago; what is there already stays as it is. `after` is the
 * id behind which the page begins ("": the first page), and becomes that of its last call; *last
 * says that no page follows. Returns how many calls, -1 when a database did not answer. */
long reconcile_page(struct worker *w, const char *overdue_ms, char after[ID_SIZE], bool *last);

/* audit.c: gives what should have moved on long ago its job again, now and then; a page of calls
 * at a time. True when it wants to go on at once. */
bool audit_run(struct worker *w);

/* retention.c: removes some of the calls that are past their time, now and then. */
void retention_run(struct worker *w);
