/* What all handlers do with the jobs of a batch: one statement, its rows, and jobs given back. */

#include "worker/batch.h"

#include "common/clock.h"
#include "common/fault.h"
#include "common/log.h"
#include "common/record.h"

#include <stdlib.h>
#include <string.h>

enum { GIVE_BACK_MS = 300 };

void batch_arrays(const struct batch *batch, struct buf *ids, struct buf *numbers) {
  for (int i = 0; i < batch->count; i++) {
    buf_chr(ids, i ? ',' : '{');
    buf_str(ids, batch->jobs[i].id);
    buf_chr(numbers, i ? ',' : '{');
    buf_i64(numbers, batch->jobs[i].n);
  }
  buf_chr(ids, '}');
  buf_chr(numbers, '}');
}

const struct live_time *batch_time(const struct batch *batch, const char *id) {
  return &batch->time[keys_shard(id)];
}

static int by_id(const void *id, const void *job) {
  return memcmp(id, ((const struct job *)job)->id, ID_SIZE);
}

/* Hands a row to each job of its call: there may be two, after Redis went back in time. */
static void give_row(struct worker *w, const struct batch *batch, batch_row *on_row,
                     const struct call *call, bool moved, bool *seen) {
  const struct job *end = batch->jobs + batch->count;
  const struct job *job = bsearch(call->id, batch->jobs, (size_t)batch->count, sizeof(*job), by_id);
  while (job && job > batch->jobs && by_id(call->id, job - 1) == 0)
    job--;
  for (; job && job < end && by_id(call->id, job) == 0; job++, moved = false) {
    seen[job - batch->jobs] = true;
    if (on_row)
      on_row(w, batch, job, call, moved);
  }
}

bool batch_exec(struct worker *w, const struct batch *batch, const char *statement, int count,
                const char *const *values, batch_row *on_row, bool *seen) {
  cleanup_pgresult PGresult *r = NULL;
  int64_t deadline_ms = clock_monotonic_ms() + RECORD_BATCH_MS;
  if (pg_exec(w->pg, statement, count, values, deadline_ms, &r) != PG_DONE)
    return false;
  FAULT_POINT(statement); /* has committed, and Redis knows nothing of it */
  const int moved_column = PQnfields(r) - 1;
  for (int row = 0; row < PQntuples(r); row++) {
    struct call call;
    bool readable = record_read(r, row, &call);
    if (!readable)
      log_error("call.unreadable", "statement=%s id=%s", statement, call.id);
    give_row(w, batch, readable ? on_row : NULL, &call, pg_bool(r, row, moved_column), seen);
  }
  return true;
}

void batch_put_off(struct worker *w, const struct batch *batch, const struct job *job,
                   int64_t delay_ms) {
  live_requeue_queue(w->redis, job->text, job, batch_time(batch, job->id), delay_ms);
  worker_queued(w, delay_ms);
}

void batch_give_back(struct worker *w, const struct batch *batch, const struct job *jobs,
                     int count) {
  for (int i = 0; i < count; i++)
    batch_put_off(w, batch, &jobs[i], GIVE_BACK_MS);
}
