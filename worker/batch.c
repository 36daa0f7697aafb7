/*
 * What all handlers share: one statement for the jobs of a batch, its rows, and jobs that are put
 * off. The size of a batch follows the speed of the database. Rows that another session has locked
 * are left out.
 */

#include "worker/batch.h"

#include "calls/live/apply.h"
#include "common/clock.h"
#include "common/failpoint.h"
#include "common/log.h"
#include "common/pg/value.h"
#include "calls/row.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  GIVE_BACK_MS = 300,
  REFUSED_MS = 2000, /* at least, until the next try of a job that the database refuses by itself */
  REFUSED_MAX_MS = 60000,
  LOCKED_MS = 300, /* the same of a job whose row is locked */
  CAREFUL_MS =
      2000,       /* so long after a locked row locks are looked for before they are waited for */
  QUICK_MS = 500, /* a statement that is quicker could have been about more rows */
  SLOW_MS = 1500, /* one that is slower should have been about fewer */
  REFUSALS_MAX = 30, /* of the parts of one batch; a single row of BATCH_MAX is found by 13 */
  VALUES_MAX = 8,
};

/* --- one statement ---------------------------------------------------------------------------- */

const struct live_time *batch_time(const struct batch *batch, const char *id) {
  return &batch->time[id_shard(id)];
}

static int by_id(const void *id, const void *job) {
  return memcmp(id, ((const struct job *)job)->id, ID_SIZE);
}

/* The first of the jobs about this call, NULL when there is none. */
static const struct job *first_job(const struct batch *batch, const char *id) {
  const struct job *job = bsearch(id, batch->jobs, (size_t)batch->count, sizeof(*job), by_id);
  while (job && job > batch->jobs && by_id(id, job - 1) == 0)
    job--;
  return job;
}

/* The next job of the same call, NULL after the last. There may be two after Redis was restored
 * from a snapshot. */
static const struct job *next_job(const struct batch *batch, const struct job *job) {
  const struct job *next = job + 1;
  return next < batch->jobs + batch->count && by_id(job->id, next) == 0 ? next : NULL;
}

/* Hands a row to each job of its call. */
static void give_row(struct worker *w, const struct batch *batch, batch_row *on_row,
                     const struct call *call, bool moved, bool *seen) {
  for (const struct job *job = first_job(batch, call->id); job; job = next_job(batch, job)) {
    seen[job - batch->jobs] = true;
    if (on_row)
      on_row(w, batch, job, call, moved);
    moved = false;
  }
}

/* The texts of the jobs that are not seen yet, as a PostgreSQL array. */
static void make_texts(const struct worker *w, const struct batch *batch,
                       const struct batch_statement *statement, const bool *seen,
                       struct buf *texts) {
  for (int i = 0; i < batch->count; i++) {
    if (seen[i])
      continue;
    buf_str(texts, texts->len ? ",\"" : "{\"");
    statement->add_text(texts, w, &batch->jobs[i]);
    buf_chr(texts, '"');
  }
  buf_chr(texts, '}');
}

/* The ids and numbers of the jobs that are not seen yet, as PostgreSQL arrays; how many. */
static int make_arrays(const struct batch *batch, const bool *seen, struct buf *ids,
                       struct buf *numbers) {
  int count = 0;
  buf_chr(ids, '{');
  buf_chr(numbers, '{');
  for (int i = 0; i < batch->count; i++) {
    if (seen[i])
      continue;
    if (count++) {
      buf_chr(ids, ',');
      buf_chr(numbers, ',');
    }
    buf_str(ids, batch->jobs[i].id);
    buf_i64(numbers, batch->jobs[i].n);
  }
  buf_chr(ids, '}');
  buf_chr(numbers, '}');
  return count;
}

static bool was_too_slow(const struct worker *w) {
  return pg_timed_out(w->pg) || strcmp(pg_sqlstate(w->pg), "57014") == 0;
}

/* Half as many rows next time when the statement took too long, twice as many when it did not. */
static void adapt(struct worker *w, int count, bool done, int64_t took_ms) {
  if (done ? took_ms > SLOW_MS : was_too_slow(w)) {
    w->max = count > 1 ? count / 2 : 1;
    log_warn("batch.slow", "rows=%d ms=%" PRId64 " next=%d", count, took_ms, w->max);
  } else if (done && took_ms < QUICK_MS && count >= w->max / (2 * ID_SHARDS)) {
    w->max = w->max * 2 < BATCH_MAX ? w->max * 2 : BATCH_MAX;
  }
}

enum exec { EXEC_DONE, EXEC_LOCKED, EXEC_FAILED };

static void read_rows(struct worker *w, const struct batch *batch,
                      const struct batch_statement *statement, const PGresult *r, bool *seen) {
  const int moved_column = PQnfields(r) - 1;
  for (int row = 0; row < PQntuples(r); row++) {
    struct call call;
    bool readable = row_read(r, row, &call);
    if (!readable)
      log_error("call.unreadable", "statement=%s id=%s", statement->name, call.id);
    give_row(w, batch, readable ? statement->on_row : NULL, &call, pg_bool(r, row, moved_column),
             seen);
  }
}

static enum exec exec_once(struct worker *w, const struct batch *batch,
                           const struct batch_statement *statement, bool *seen) {
  cleanup_buf struct buf ids = {0};
  cleanup_buf struct buf numbers = {0};
  cleanup_buf struct buf texts = {0};
  cleanup_pgresult PGresult *r = NULL;
  int count = make_arrays(batch, seen, &ids, &numbers);
  if (count == 0)
    return EXEC_DONE;
  char now[24], stripe[12];
  snprintf(now, sizeof(now), "%" PRId64, batch->wall_ms);
  snprintf(stripe, sizeof(stripe), "%d", w->stripe);
  const char *values[VALUES_MAX] = {buf_text(&ids), buf_text(&numbers), now, stripe};
  int given = 4;
  if (statement->add_text) {
    make_texts(w, batch, statement, seen, &texts);
    values[given++] = buf_text(&texts);
  }
  assert(given + statement->count <= VALUES_MAX);
  memcpy(values + given, statement->values, (size_t)statement->count * sizeof(*values));
  int64_t began_ms = clock_monotonic_ms();
  bool done = pg_exec(w->pg, statement->name, given + statement->count, values,
                      began_ms + ROW_BATCH_MS, &r) == PG_DONE;
  adapt(w, count, done, clock_monotonic_ms() - began_ms);
  if (!done)
    return strcmp(pg_sqlstate(w->pg), "55P03") == 0 ? EXEC_LOCKED : EXEC_FAILED;
  FAILPOINT(statement->name); /* has committed, and Redis knows nothing of it */
  read_rows(w, batch, statement, r, seen);
  return EXEC_DONE;
}

/* Puts off the jobs about this row. */
static void set_aside(struct worker *w, const struct batch *batch, const char *id, bool *seen) {
  for (const struct job *job = first_job(batch, id); job; job = next_job(batch, job)) {
    if (!seen[job - batch->jobs])
      batch_put_off(w, batch, job, LOCKED_MS);
    seen[job - batch->jobs] = true;
  }
}

/* Sets aside the jobs whose rows another session has locked; counts by a stripe that none has.
 */
static bool set_locked_aside(struct worker *w, const struct batch *batch, bool *seen) {
  cleanup_buf struct buf ids = {0};
  cleanup_buf struct buf numbers = {0};
  cleanup_pgresult PGresult *r = NULL;
  char stripe[12], first[12], last[12], id[ID_SIZE];
  make_arrays(batch, seen, &ids, &numbers);
  snprintf(stripe, sizeof(stripe), "%d", w->stripe);
  snprintf(first, sizeof(first), "%d", ROW_WORKER_STRIPE);
  snprintf(last, sizeof(last), "%d", ROW_WORKER_STRIPE + ROW_WORKER_STRIPES - 1);
  const char *const values[] = {buf_text(&ids), stripe, first, last};
  if (pg_exec(w->pg, "locks_free", ARRAY_LEN(values), values, clock_monotonic_ms() + ROW_BATCH_MS,
              &r) != PG_DONE)
    return false;
  int locked = 0;
  for (int row = 0; row < PQntuples(r); row++) {
    if (!PQgetisnull(r, row, 2))
      w->stripe = pg_i32(r, row, 2);
    if (pg_bool(r, row, 1))
      continue;
    id_format((const uint8_t *)PQgetvalue(r, row, 0), id);
    set_aside(w, batch, id, seen);
    locked++;
  }
  int64_t now_ms = clock_monotonic_ms();
  if (locked && now_ms >= w->careful_until_ms)
    log_warn("calls.locked", "count=%d msg=\"another session has locked their rows\"", locked);
  if (locked)
    w->careful_until_ms = now_ms + CAREFUL_MS;
  return true;
}

bool batch_exec(struct worker *w, const struct batch *batch,
                const struct batch_statement *statement, bool *seen) {
  bool careful = clock_monotonic_ms() < w->careful_until_ms;
  enum exec exec = careful ? EXEC_LOCKED : exec_once(w, batch, statement, seen);
  if (exec == EXEC_LOCKED && set_locked_aside(w, batch, seen))
    exec = exec_once(w, batch, statement, seen);
  return exec == EXEC_DONE;
}

/* --- jobs that come again --------------------------------------------------------------------- */

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

/* --- parts ------------------------------------------------------------------------------------ */

/* Whether an error can be about single rows, rather than about the database, its connection or the
 * statement. */
static bool is_about_rows(const char *sqlstate) {
  static const char *const others[] = {"08", "25", "40", "42", "53", "55", "57", "58"};
  for (size_t i = 0; i < ARRAY_LEN(others); i++)
    if (strncmp(sqlstate, others[i], 2) == 0)
      return false;
  return *sqlstate;
}

/* The older the call, the later its refused job comes again, so that the interval doubles with each
 * try. Rows that stay refused then do not use up REFUSALS_MAX in every batch. */
static int64_t refused_ms(const struct batch *batch, const struct job *job) {
  int64_t age_ms = batch->wall_ms - id_created_ms(job->id);
  if (age_ms < REFUSED_MS)
    return REFUSED_MS;
  return age_ms < REFUSED_MAX_MS ? age_ms : REFUSED_MAX_MS;
}

static void run_part(struct worker *w, const struct batch *part, batch_handler *handler,
                     int *refusals) {
  if (handler(w, part))
    return;
  bool about_rows = is_about_rows(pg_sqlstate(w->pg));
  if (!about_rows || ++*refusals > REFUSALS_MAX) {
    batch_give_back(w, part, part->jobs, part->count);
  } else if (part->count == 1) {
    batch_put_off(w, part, part->jobs, refused_ms(part, part->jobs));
  } else {
    struct batch half = *part;
    half.count = part->count / 2;
    run_part(w, &half, handler, refusals);
    half.jobs += half.count;
    half.count = part->count - half.count;
    run_part(w, &half, handler, refusals);
  }
}

bool batch_run(struct worker *w, const struct batch *batch, batch_handler *handler) {
  int refusals = 0;
  struct batch part = *batch;
  for (int at = 0; at < batch->count; at += part.count) {
    int left = batch->count - at;
    part.jobs = batch->jobs + at;
    part.count = left < w->max ? left : w->max;
    /* A statement must end before the leases do. If it might not, another worker may have the jobs.
     */
    if (at > 0 && clock_monotonic_ms() - batch->claimed_ms > LIVE_LEASE_MS - ROW_BATCH_MS) {
      for (; at < batch->count; at++)
        batch_put_off(w, batch, &batch->jobs[at], 0);
      return true;
    }
    run_part(w, &part, handler, &refusals);
    if (part.count < left && !worker_drain(w))
      return false;
  }
  return true;
}
