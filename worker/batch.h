#pragma once

#include "worker/worker.h"

/* The jobs of one kind in a claim, sorted by id, and the claim's time and picture. */
struct batch {
  const struct job *jobs;
  int count;
  int64_t wall_ms;              /* Redis's wall clock at the claim */
  int64_t epoch;                /* of the picture at the claim */
  const struct live_time *time; /* at the claim, by shard */
};

/* The time at the claim of the shard that a call or job with this id is in. */
const struct live_time *batch_time(const struct batch *batch, const char *id);

/* The jobs' ids and numbers as PostgreSQL arrays. */
void batch_arrays(const struct batch *batch, struct buf *ids, struct buf *numbers);

/* A call as it stands after the statement; `moved`: the statement changed it. */
typedef void batch_row(struct worker *w, const struct batch *batch, const struct job *job,
                       const struct call *call, bool moved);

/*
 * Runs a statement that returns calls (and, as its last column, whether it moved them), and calls
 * `on_row` for each that one of the jobs is about; seen[i] is set for jobs[i]. False when the
 * record did not answer.
 */
must_check bool batch_exec(struct worker *w, const struct batch *batch, const char *statement,
                           int count, const char *const *values, batch_row *on_row, bool *seen);

/* Has a job of the batch done again `delay_ms` after the claim. */
void batch_put_off(struct worker *w, const struct batch *batch, const struct job *job,
                   int64_t delay_ms);

/* Gives some of the batch's jobs back, to be done soon, because the record did not answer. */
void batch_give_back(struct worker *w, const struct batch *batch, const struct job *jobs,
                     int count);

/* The handlers, one for each kind of job. */
void advance_run(struct worker *w, const struct batch *batch);
void upload_start(struct worker *w, const struct batch *batch);
void upload_finish(struct worker *w, const struct batch *batch);
