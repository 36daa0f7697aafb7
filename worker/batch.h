#pragma once

#include "calls/call.h"
#include "calls/live/claim.h"
#include "worker/worker.h"

enum { BATCH_MAX = 4096 };

/* The jobs of one kind in a claim, or some of them, sorted by id, and the claim's time and epoch.
 */
struct batch {
  const struct job *jobs;
  int count;
  int64_t claimed_ms;           /* when they were claimed, by this host's monotonic clock */
  int64_t wall_ms;              /* Redis's wall clock at the claim */
  int64_t epoch;                /* at the claim */
  const struct live_time *time; /* at the claim, by shard */
};

/* The time at the claim of the shard that a call or job with this id is in. */
const struct live_time *batch_time(const struct batch *batch, const char *id);

/* A call as it stands after the statement; `moved`: the statement changed it. */
typedef void batch_row(struct worker *w, const struct batch *batch, const struct job *job,
                       const struct call *call, bool moved);

/* A statement that moves calls, and returns them, with whether it moved them as the last column.
 * Its first four parameters are the jobs' ids and numbers, the time in ms and the stripe of
 * counters. */
struct batch_statement {
  const char *name;
  /* Writes a text of each job, without quotes or backslashes, for a fifth parameter, text[]; NULL:
   * there is none. */
  void (*add_text)(struct buf *out, const struct worker *w, const struct job *job);
  const char *const *values; /* of the parameters behind these */
  int count;
  batch_row *on_row;
};

/*
 * Runs a statement about the jobs that are not `seen` yet, and calls `on_row` for each call that
 * one of them is about; seen[i] is set for jobs[i]. A job whose row another session has locked
 * counts as seen and is put off. False when the database did nothing; pg_sqlstate() may say why.
 * Adapts w->max to how long the statement took.
 */
must_check bool batch_exec(struct worker *w, const struct batch *batch,
                           const struct batch_statement *statement, bool *seen);

/* Has a job of the batch done again `delay_ms` after the claim. */
void batch_put_off(struct worker *w, const struct batch *batch, const struct job *job,
                   int64_t delay_ms);

/* Puts some of the batch's jobs off for a moment, because the database did nothing. */
void batch_give_back(struct worker *w, const struct batch *batch, const struct job *jobs,
                     int count);

/* Does the jobs of a batch. False when the database did nothing; the caller puts them off then. */
typedef bool batch_handler(struct worker *w, const struct batch *batch);

/*
 * Hands a batch to its handler, at most w->max jobs at a time. When the database refuses a row, the
 * handler gets the jobs by halves until that row is alone, so that it holds up no other. False when
 * Redis did not answer.
 */
must_check bool batch_run(struct worker *w, const struct batch *batch, batch_handler *handler);

/* The handlers, one for each kind of job. */
batch_handler advance_run, upload_start, upload_finish;
