#pragma once

#include "common/config.h"
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

/* A handler does all jobs of one kind in a claim, jobs[0 … count-1], which are sorted by id. */
void advance_run(struct worker *w, const struct live_claim *claim, const struct job *jobs,
                 int count);
void upload_start(struct worker *w, const struct live_claim *claim, const struct job *jobs,
                  int count);
void upload_finish(struct worker *w, const struct live_claim *claim, const struct job *jobs,
                   int count);

/* poll.c, for the handlers: the job of that id among `jobs`, or NULL. */
const struct job *poll_job_of(const struct job *jobs, int count, const char *id);
/* poll.c: gives jobs back, to be done soon, because the record did not answer. */
void poll_give_back(struct worker *w, const struct job *jobs, int count);
/* poll.c: the ids and numbers of jobs as PostgreSQL arrays. */
void poll_job_arrays(const struct job *jobs, int count, struct buf *ids, struct buf *numbers);

/* reconcile.c: rebuilds the picture in Redis from the record, if no other worker is doing so.
 * True when the picture is whole afterwards. */
bool reconcile_run(struct worker *w);

/* retention.c: removes some of the calls that are past their time, now and then. */
void retention_run(struct worker *w);
