/*
 * The clock and both stores, replaced for the unit tests of worker/. The Makefile links these tests
 * with --wrap, so that calls from one module to another come here. A test says by `fake` what the
 * stores answer, and reads there what was asked of them.
 */
#pragma once

#include "calls/live/apply.h"
#include "calls/live/query.h"
#include "calls/live/rebuild.h"
#include "calls/row.h"
#include "common/clock.h"
#include "worker/worker.h"

#include <stdlib.h>
#include <string.h>

enum { FAKE_ROWS = 64, FAKE_QUEUED = 256 };

/* A command for Redis that a module has queued. */
struct fake_queued {
  const char *what;    /* "requeue", "apply", "drop" or "restore" */
  char id[ID_SIZE];    /* of the call */
  char next[JOB_SIZE]; /* the job that replaces the one that was done */
  int64_t delay_ms;
};

static struct {
  int64_t now_ms;       /* the monotonic clock */
  const char *sqlstate; /* of the last error */
  bool timed_out;
  /* Answers a statement: sets *r, or returns that it failed. NULL: an empty result. */
  enum pg_outcome (*exec)(const char *statement, const char *const *values, PGresult **r);
  int execs;
  struct call rows[FAKE_ROWS]; /* what row_read() reads from row n of a result */
  struct fake_queued queued[FAKE_QUEUED];
  int queued_count;
  int64_t apply_ms; /* what live_apply_queue() returns: when the next job is due; -1: none */
  bool redis_away;
  const char *run_id;      /* of the Redis that is connected */
  const char *wake_run_id; /* the same of a second connection */
  unsigned session;        /* pg_session() */
  int disconnects;         /* of pg_disconnect() */
  bool ready;              /* live_is_ready() */
  bool stopping;
  int64_t slept_ms;      /* in all */
  int64_t stop_after_ms; /* the worker is told to stop when it has slept so long; 0: never */
} fake;

static inline void fake_reset(void) {
  memset(&fake, 0, sizeof(fake));
  fake.now_ms = 1000000;
  fake.sqlstate = "";
  fake.run_id = fake.wake_run_id = "redis-1";
  fake.session = 1;
  fake.apply_ms = -1;
}

static inline struct fake_queued *fake_queue(const char *what, const char *id) {
  struct fake_queued *q = &fake.queued[fake.queued_count++ % FAKE_QUEUED];
  *q = (struct fake_queued){.what = what};
  snprintf(q->id, sizeof(q->id), "%s", id);
  return q;
}

/* A result of one row and one column, of so many bytes in the server's order. */
static inline PGresult *fake_value(uint64_t value, int size) {
  static char name[] = "value";
  PGresAttDesc column = {.name = name, .format = 1, .typlen = size};
  char bytes[8];
  for (int i = 0; i < size; i++)
    bytes[i] = (char)(value >> (8 * (size - 1 - i)));
  PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
  if (!r || !PQsetResultAttrs(r, 1, &column) || !PQsetvalue(r, 0, 0, bytes, size))
    abort();
  return r;
}

static inline PGresult *fake_bigint(int64_t value) {
  return fake_value((uint64_t)value, 8);
}

static inline PGresult *fake_int(int64_t value) {
  return fake_value((uint64_t)value, 4);
}

static inline PGresult *fake_bool(bool value) {
  return fake_value(value, 1);
}

/* A result of `rows` rows of the columns "id" (text) and one boolean, true in all rows. */
static inline PGresult *fake_rows(int rows) {
  static char names[2][8] = {"id", "moved"};
  PGresAttDesc columns[2] = {{.name = names[0], .typlen = -1},
                             {.name = names[1], .format = 1, .typlen = 1}};
  char moved = 1;
  PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
  if (!r || !PQsetResultAttrs(r, 2, columns))
    abort();
  for (int row = 0; row < rows; row++)
    if (!PQsetvalue(r, row, 0, fake.rows[row].id, (int)strlen(fake.rows[row].id)) ||
        !PQsetvalue(r, row, 1, &moved, 1))
      abort();
  return r;
}

/* --- what the Makefile names in WRAP ------------------------------------------------------------
 */

int64_t __wrap_clock_monotonic_ms(void);
int64_t __wrap_clock_monotonic_ms(void) {
  return fake.now_ms;
}

enum pg_outcome __wrap_pg_exec(struct pg *pg, const char *statement, int count,
                               const char *const *values, int64_t deadline_ms, PGresult **result);
enum pg_outcome __wrap_pg_exec(struct pg *pg, const char *statement, int count,
                               const char *const *values, int64_t deadline_ms, PGresult **result) {
  fake.execs++;
  *result = NULL;
  if (fake.exec)
    return fake.exec(statement, values, result);
  *result = fake_rows(0);
  return PG_DONE;
}

const char *__wrap_pg_sqlstate(const struct pg *pg);
const char *__wrap_pg_sqlstate(const struct pg *pg) {
  return fake.sqlstate;
}

bool __wrap_pg_timed_out(const struct pg *pg);
bool __wrap_pg_timed_out(const struct pg *pg) {
  return fake.timed_out;
}

bool __wrap_row_read(const PGresult *r, int row, struct call *call);
bool __wrap_row_read(const PGresult *r, int row, struct call *call) {
  *call = fake.rows[row];
  return call->seq > 0; /* else it stands for a row that this version cannot read */
}

void __wrap_live_requeue_queue(struct redis *redis, const char *done, const struct job *job,
                               const struct live_time *claimed, int64_t delay_ms);
void __wrap_live_requeue_queue(struct redis *redis, const char *done, const struct job *job,
                               const struct live_time *claimed, int64_t delay_ms) {
  struct fake_queued *q = fake_queue("requeue", job->id);
  snprintf(q->next, sizeof(q->next), "%s", job->text);
  q->delay_ms = delay_ms;
}

int64_t __wrap_live_apply_queue(struct redis *redis, const char *done, const struct call *call,
                                const struct live_time *claimed);
int64_t __wrap_live_apply_queue(struct redis *redis, const char *done, const struct call *call,
                                const struct live_time *claimed) {
  fake_queue("apply", call->id);
  return fake.apply_ms;
}

void __wrap_live_drop_queue(struct redis *redis, const struct job *job, const char *api_key);
void __wrap_live_drop_queue(struct redis *redis, const struct job *job, const char *api_key) {
  fake_queue("drop", job->id);
}

bool __wrap_live_restore_queue(struct redis *redis, const struct call *call);
bool __wrap_live_restore_queue(struct redis *redis, const struct call *call) {
  fake_queue("restore", call->id);
  return true;
}

bool __wrap_live_drain(struct redis *redis, int count);
bool __wrap_live_drain(struct redis *redis, int count) {
  return !fake.redis_away;
}

unsigned __wrap_pg_session(const struct pg *pg);
unsigned __wrap_pg_session(const struct pg *pg) {
  return fake.session;
}

void __wrap_pg_disconnect(struct pg *pg);
void __wrap_pg_disconnect(struct pg *pg) {
  fake.disconnects++;
}

const char *__wrap_redis_run_id(const struct redis *redis);
const char *__wrap_redis_run_id(const struct redis *redis) {
  return redis ? fake.wake_run_id : fake.run_id; /* the first connection is NULL in all tests */
}

bool __wrap_live_is_ready(struct redis *redis, bool *down);
bool __wrap_live_is_ready(struct redis *redis, bool *down) {
  *down = fake.redis_away;
  return fake.ready;
}

void __wrap_worker_sleep(int64_t ms);
void __wrap_worker_sleep(int64_t ms) {
  fake.slept_ms += ms;
  fake.now_ms += ms;
  fake.stopping |= fake.stop_after_ms && fake.slept_ms >= fake.stop_after_ms;
}

bool __wrap_worker_stopping(void);
bool __wrap_worker_stopping(void) {
  return fake.stopping;
}
