/* Jobs of the kind "advance": calls leave one state and enter the next. */

#include "worker/batch.h"

#include "calls/live/apply.h"
#include "calls/live/query.h"
#include "calls/live/rebuild.h"
#include "common/clock.h"
#include "common/failpoint.h"
#include "common/log.h"
#include "calls/row.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The lifecycle as the two arrays that calls_advance.sql takes; made once. */
static void lifecycle_arrays(const char **outcomes, const char **statuses) {
  static struct buf names, paths;
  if (!names.len) {
    for (int o = 0; o < OUTCOME__MAX; o++) {
      enum call_outcome outcome = (enum call_outcome)o;
      buf_printf(&names, "%c%s", o ? ',' : '{', lifecycle_outcome_name(outcome));
      buf_chr(&paths, o ? ',' : '{');
      for (int seq = 1; seq <= LIFECYCLE_STATES; seq++)
        buf_printf(&paths, "%c%s", seq > 1 ? ',' : '{',
                   lifecycle_status_name(lifecycle_status(outcome, seq)));
      buf_chr(&paths, '}');
    }
    buf_chr(&names, '}');
    buf_chr(&paths, '}');
  }
  *outcomes = buf_text(&names);
  *statuses = buf_text(&paths);
}

static void log_moved(const struct call *call) {
  enum call_outcome outcome = call->plan.outcome;
  const char *to = lifecycle_status_name(call_status(call));
  const char *from = lifecycle_status_name(lifecycle_status(outcome, call->seq - 1));
  log_info("call.advance", "id=%s seq=%d msg=\"Call %s: %s -> %s\"", call->id, call->seq, call->id,
           from, to);
  if (call->seq == LIFECYCLE_STATES)
    log_info("upload.enqueue",
             "id=%s job=%" PRId64 " msg=\"Enqueued recording upload job for call: %s\"", call->id,
             call->upload_job, call->id);
}

static void on_row(struct worker *w, const struct batch *batch, const struct job *job,
                   const struct call *call, bool moved) {
  if (moved)
    log_moved(call);
  worker_queued(w, live_apply_queue(w->redis, job->text, call, batch_time(batch, call->id)));
}

/* Moves the calls of the batch, and queues what Redis has to know; see batch_exec(). */
static bool move(struct worker *w, const struct batch *batch, bool *seen) {
  char last[12];
  snprintf(last, sizeof(last), "%d", LIFECYCLE_STATES);
  const char *outcomes, *statuses;
  lifecycle_arrays(&outcomes, &statuses);
  const char *const values[] = {outcomes, statuses, last};
  const struct batch_statement statement = {
      .name = "calls_advance", .values = values, .count = ARRAY_LEN(values), .on_row = on_row};
  return batch_exec(w, batch, &statement, seen);
}

enum { INSERT_MS = 100 }; /* within that after the admission the responder inserts the row */

enum repair {
  REPAIR_NONE,     /* it has no row now; its job was dropped, or comes again */
  REPAIR_DONE,     /* it has one */
  REPAIR_HOPELESS, /* a database does not answer: the rest of the batch would fail as well */
};

static void drop_queue(struct worker *w, const struct job *job, const char *api_key) {
  live_drop_queue(w->redis, job, api_key);
  worker_queued(w, -1);
}

/* Without its live call the API key of the call is unknown: it is one of those of its shard. */
static enum repair drop(struct worker *w, const struct job *job, const struct call *call) {
  log_warn("call.gone", "id=%s msg=\"a job without a call was dropped\"", job->id);
  drop_queue(w, job, call ? call->api_key : NULL);
  for (size_t i = 0; !call && i < keyring_count(w->ring); i++)
    if (id_shard_of_owner(keyring_key(w->ring, i)) == id_shard(job->id))
      drop_queue(w, job, keyring_key(w->ring, i));
  return REPAIR_NONE;
}

/* Not the first job, or no live call: drops the job if the database certainly has no row. */
static enum repair drop_unless_there(struct worker *w, const struct job *job,
                                     const struct call *call) {
  struct call stored;
  cleanup_pgresult PGresult *r = NULL;
  if (row_find(w->pg, job->id, clock_monotonic_ms() + ROW_READ_MS, &stored, &r) != PG_DONE)
    return REPAIR_HOPELESS;
  return r ? REPAIR_NONE /* inserted meanwhile; the job comes again when its lease is over */
           : drop(w, job, call);
}

/*
 * A job without a row: the responder is about to insert it (where states are short), or died
 * between the admission and the insert, or its insert timed out. Inserts the call from its live
 * call.
 */
static enum repair insert_missing(struct worker *w, const struct batch *batch,
                                  const struct job *job) {
  struct call call;
  cleanup_reply redisReply *reply = NULL;
  if (!worker_drain(w)) /* a reply comes behind those to what is queued */
    return REPAIR_HOPELESS;
  switch (live_find(w->redis, job->id, &call, &reply)) {
  case LIVE_DOWN:
  case LIVE_LOST:
    return REPAIR_HOPELESS;
  case LIVE_ABSENT:
    return drop_unless_there(w, job, NULL);
  case LIVE_FOUND:
    break;
  }
  if (call.seq != 1 || job->n != 1)
    return drop_unless_there(w, job, &call);
  int64_t age_ms = batch->wall_ms - call.entered_ms[0];
  if (age_ms >= 0 && age_ms < INSERT_MS) { /* for as long again as it has been waited for */
    batch_put_off(w, batch, job, age_ms + 1);
    return REPAIR_NONE;
  }
  switch (row_insert(w->pg, &call, batch->epoch, row_stripe_of_worker(),
                     clock_monotonic_ms() + ROW_INSERT_MS)) {
  case ROW_STORED:
    log_warn("call.recovered", "id=%s msg=\"inserted from its live call\"", job->id);
    return REPAIR_DONE;
  case ROW_INVALID:
    return drop(w, job, &call);
  case ROW_OUTDATED:
    live_invalidate(w->redis, batch->epoch);
    return REPAIR_HOPELESS;
  case ROW_REFUSED:
  case ROW_UNKNOWN:
    break;
  }
  return REPAIR_HOPELESS;
}

bool advance_run(struct worker *w, const struct batch *batch) {
  cleanup_free bool *seen = calloc((size_t)batch->count, sizeof(*seen));
  cleanup_free struct job *again = calloc((size_t)batch->count, sizeof(*again));
  if (!seen || !again)
    log_oom();
  FAILPOINT("worker.claimed");
  if (!move(w, batch, seen))
    return false;
  if (!memchr(seen, 0, (size_t)batch->count))
    return true; /* all have rows */
  struct batch repaired = *batch;
  repaired.jobs = again;
  repaired.count = 0;
  enum repair repair = REPAIR_NONE;
  for (int i = 0; i < batch->count && repair != REPAIR_HOPELESS; i++)
    if (!seen[i] && (repair = insert_missing(w, batch, &batch->jobs[i])) == REPAIR_DONE)
      again[repaired.count++] = batch->jobs[i];
  memset(seen, 0, (size_t)batch->count * sizeof(*seen));
  if (repaired.count && !move(w, &repaired, seen))
    batch_give_back(w, batch, again, repaired.count);
  return true;
}
