#pragma once

#include "common/config.h"
#include "calls/keyring.h"
#include "calls/live.h"
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
  struct pg *guard; /* connected only while this worker rebuilds: holds the lock */
  struct redis *redis;
  struct redis *wake; /* hears of jobs that come due earlier than this worker would ask */
  struct keyring *ring;
  int stripe;      /* of the metrics table */
  int max;         /* jobs that the database manages together; see batch_exec() */
  int queued;      /* commands in the pipeline */
  int64_t next_ms; /* from the claim until the first job that is known of is due; -1: none */
  int64_t careful_until_ms; /* rows were found locked: look before waiting for them */
  bool was_ready;           /* it has seen the live state ready, so when that is not, it was lost */
};

/* Sends the pipeline. False when Redis did not take all of it: what it did not take comes again
 * when the jobs' leases are over. */
bool worker_drain(struct worker *w);
/* One more command is in the pipeline. The job that it puts into `due`, if any, is due `delay_ms`
 * after the claim (-1: it puts none). */
void worker_queued(struct worker *w, int64_t delay_ms);
/* From then on signals are let in only while the worker sleeps: a batch is always finished. */
void worker_set_up_signals(void);
/* Sleeps, at most `ms`; ends early when the worker is to stop. */
void worker_sleep(int64_t ms);
/* The same, and ends early when something can be read from `fd` (-1: none). */
void worker_wait(int fd, int64_t ms);
/* True once the worker was told to stop. */
bool worker_stopping(void);

/* poll.c: claims and does what is due until the worker is told to stop. */
void poll_run(struct worker *w);

/* reconcile.c: rebuilds the live state in Redis from the database, if no other worker is doing so.
 * True when the live state is ready afterwards. */
bool reconcile_run(struct worker *w);

/* Where a walk through the open calls has arrived; zeroed before its first page. */
struct reconcile_walk {
  char after[ID_SIZE]; /* id of the last call of the pages so far; "" before the first one */
  int rows;            /* that the next page may have; fewer after one that timed out */
  bool done;           /* no page follows */
};

/* rival.c: keeps two instances that share a database, but not their Redis, apart. */
/* Says to all sessions of the database that the Redis which is connected holds the ready live
 * state; paces itself. */
void rival_warn_off(struct worker *w);
/* Takes that back: that Redis does not answer any more. */
void rival_give_way(struct worker *w);
/* The same; and true when a worker says so of another Redis (which is logged, unless it may still
 * be a worker of this instance that has not noticed a loss of Redis), or did so shortly
 * before this one has been ready for the first time, or when the database does not answer. */
must_check bool rival_is_there(struct worker *w);

/* Puts the next page of the open calls' rows into the live state, all or only those that should
 * have moved on `overdue_ms` (a number; NULL: all) ago; what is there already stays as it is.
 * Returns how many calls (0 also for a page that timed out and comes again, smaller), -1 when a
 * database did not answer. */
long reconcile_page(struct worker *w, const char *overdue_ms, struct reconcile_walk *walk);

/* audit.c: gives what should have moved on long ago its job again, now and then; a page of calls
 * at a time. True when it wants to go on at once. */
bool audit_run(struct worker *w);

/* retention.c: removes some of the calls that are past their time, now and then. */
void retention_run(struct worker *w);
