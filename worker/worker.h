#pragma once

#include "calls/keyring.h"
#include "common/config.h"
#include "common/pg.h"
#include "common/redis.h"
#include "worker/audit.h"
#include "worker/retention.h"
#include "worker/rival.h"

#include <stdbool.h>

/*
 * What the modules of the worker share, and the state that each keeps from one claim to the next.
 * Handlers queue their commands for Redis in one pipeline and count them in `queued`;
 * worker_drain() sends it, once a batch.
 */
struct worker {
  const struct config *config;
  struct pg *pg;
  struct pg *guard; /* connected only while this worker rebuilds: holds the lock */
  struct redis *redis;
  struct redis *wake;   /* subscribed to wake-ups: jobs due before the next claim */
  bool deaf;            /* the subscription failed; jobs may start late */
  int64_t listen_at_ms; /* not before then it is tried again */
  struct keyring *ring;
  int stripe;      /* of the metrics table */
  int max;         /* jobs that the database manages together; see batch_exec() */
  int queued;      /* commands in the pipeline */
  int64_t next_ms; /* from the claim until the first job that is known of is due; -1: none */
  int64_t careful_until_ms; /* rows were found locked: look before waiting for them */
  bool was_ready;           /* the live state has been ready, so when it is not, Redis lost it */
  struct audit audit;
  struct retention retention;
  struct rival rival;
};

/* Sends the pipeline. False when Redis did not take all of it; jobs whose commands were lost come
 * again when their leases end. */
bool worker_drain(struct worker *w);
/* One more command is in the pipeline. The job that it puts into `due`, if any, is due `delay_ms`
 * after the claim (-1: it puts none). */
void worker_queued(struct worker *w, int64_t delay_ms);
/* From then on signals arrive only while the worker sleeps, so that a batch is always finished. */
void worker_set_up_signals(void);
/* Sleeps, at most `ms`; ends early when the worker is to stop. */
void worker_sleep(int64_t ms);
/* The same, and ends early when something can be read from `fd` (-1: none). */
void worker_wait(int fd, int64_t ms);
/* True once the worker was told to stop. */
bool worker_stopping(void);
