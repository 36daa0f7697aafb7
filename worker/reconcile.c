/*
 * Loads the open calls from PostgreSQL into Redis: at a start, and after Redis lost the live state
 * (restarted, flushed, failed over to a replica that lagged). Nothing is admitted meanwhile.
 *
 *   1. One worker at a time: a lock in PostgreSQL, in an open transaction of a connection of its
 *      own. The server ends it with the worker, or when that asks nothing for 10 s.
 *   2. A token in Redis: if that is lost as well before the end, all begins anew. What an older
 *      live state left (Redis may be back from a snapshot) is removed.
 *   3. A barrier in PostgreSQL: every insert admitted under the old live state has landed, or is
 *      refused from now on because its epoch is over. So no call can exist beside the new live
 * state.
 *   4. Every open row is put in.
 *   5. The limits' window of one second is over since the barrier: the windows may begin empty.
 *      At a start there is nothing to wait for, unless the database shows that calls were just
 *      created.
 *   6. The marker, with the new epoch.
 */

#include "worker/reconcile.h"

#include "calls/live/query.h"
#include "calls/live/rebuild.h"
#include "calls/row.h"
#include "common/clock.h"
#include "common/failpoint.h"
#include "common/log.h"
#include "common/pg/value.h"
#include "worker/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PAGE = 1000, STEP_MS = 5000, WINDOW_MS = 1050, RECENT_MS = 5000 };
static const char query_canceled[] = "57014"; /* by the statement_timeout of our sessions */
static const char nil_id[] = "00000000-0000-0000-0000-000000000000";

static bool exec_simple(struct worker *w, const char *statement, PGresult **result) {
  return pg_exec(w->pg, statement, 0, NULL, clock_monotonic_ms() + STEP_MS, result) == PG_DONE;
}

static bool begin_epoch(struct worker *w, int64_t *epoch) {
  cleanup_pgresult PGresult *begun = NULL;
  if (!exec_simple(w, "live_state_begin", &begun))
    return false;
  *epoch = pg_i64(begun, 0, 0);
  return true;
}

/* Whether that is still the present epoch: the lock that keeps others from rebuilding is lost with
 * the connection. */
static bool epoch_is(struct worker *w, int64_t epoch) {
  cleanup_pgresult PGresult *r = NULL;
  return exec_simple(w, "ping", &r) && pg_i64(r, 0, 0) == epoch;
}

/* Takes the lock, or shows that it is still used: in a transaction that stays open. */
static bool hold_lock(struct worker *w) {
  cleanup_pgresult PGresult *held = NULL;
  return pg_exec_open(w->guard, "rebuild_lock", 0, NULL, clock_monotonic_ms() + STEP_MS, &held) ==
             PG_DONE &&
         pg_bool(held, 0, 0);
}

/* Takes the lock, unless another worker has it. Makes a second connection only once it has it. */
static bool take_lock(struct worker *w) {
  cleanup_pgresult PGresult *tried = NULL;
  return exec_simple(w, "rebuild_lock", &tried) && pg_bool(tried, 0, 0) && hold_lock(w);
}

/* Reads a page of rows. After a page that the server canceled (statement_timeout) the next one has
 * fewer rows, so that a walk goes on however slow the server is; `*r` is NULL then. False when the
 * database does not answer. */
static bool read_page(struct worker *w, const char *overdue_ms, struct reconcile_walk *walk,
                      PGresult **r) {
  char rows[12];
  if (walk->rows == 0)
    walk->rows = PAGE;
  snprintf(rows, sizeof(rows), "%d", walk->rows);
  const char *const values[] = {*walk->after ? walk->after : nil_id, rows, overdue_ms};
  if (pg_exec(w->pg, "calls_open", 3, values, clock_monotonic_ms() + STEP_MS, r) == PG_DONE)
    return true;
  bool too_slow = strcmp(pg_sqlstate(w->pg), query_canceled) == 0 && walk->rows > 1;
  walk->rows = (walk->rows + 7) / 8;
  return too_slow;
}

long reconcile_page(struct worker *w, const char *overdue_ms, struct reconcile_walk *walk) {
  enum { WANTED = ROW_COLUMNS, ROWS }; /* what calls_open.sql returns behind the call */
  cleanup_pgresult PGresult *r = NULL;
  if (!read_page(w, overdue_ms, walk, &r))
    return -1;
  if (!r)
    return 0;
  struct call call;
  for (int row = 0; row < PQntuples(r); row++) {
    bool readable = row_read(r, row, &call);
    memcpy(walk->after, call.id, ID_SIZE);
    if (!readable)
      log_error("call.unreadable", "id=%s", call.id);
    else if (pg_bool(r, row, WANTED))
      w->queued += live_restore_queue(w->redis, &call);
  }
  long restored = w->queued;
  walk->done = PQntuples(r) == 0 || pg_i64(r, 0, ROWS) < walk->rows;
  return worker_drain(w) ? restored : -1;
}

/* All pages. Returns how many calls were restored, or -1. */
static long restore_all(struct worker *w) {
  struct reconcile_walk walk = {0};
  long total = 0, restored = 0;
  for (; !walk.done && !worker_stopping(); total += restored) {
    if (!hold_lock(w) || (restored = reconcile_page(w, NULL, &walk)) < 0)
      return -1;
    worker_sleep(0); /* lets the stop signal in */
  }
  return total;
}

/* Another worker may have rebuilt between our claim and our lock. */
static bool is_ready(struct worker *w) {
  bool down;
  return live_is_ready(w->redis, &down);
}

/*
 * Whether calls may have been created within the limits' window, so that it must be waited out.
 * After a loss that is assumed. At a start the database's clock decides; RECENT_MS is longer than
 * the window, for that clock may have been set forward meanwhile.
 */
static bool window_is_open(struct worker *w) {
  cleanup_pgresult PGresult *r = NULL;
  char recent[12];
  snprintf(recent, sizeof(recent), "%d", RECENT_MS);
  const char *const values[] = {recent};
  return w->was_ready ||
         pg_exec(w->pg, "calls_recent", 1, values, clock_monotonic_ms() + STEP_MS, &r) != PG_DONE ||
         pg_bool(r, 0, 0);
}

static void log_begin(const struct worker *w) {
  if (w->was_ready)
    log_warn("live.lost", "msg=\"Redis lost the live state; loading open calls from PostgreSQL\"");
  else
    log_info("live.load", "msg=\"loading open calls from PostgreSQL into Redis\"");
}

static bool rebuild(struct worker *w) {
  log_begin(w);
  char token[24];
  int64_t epoch, began_ms = clock_monotonic_ms();
  snprintf(token, sizeof(token), "%08x%08x", arc4random(), arc4random());
  if (!live_rebuild_begin(w->redis, token) || !begin_epoch(w, &epoch))
    return false;
  int64_t epoch_ms = clock_monotonic_ms(); /* until then an older Redis may have admitted calls */
  bool wait = window_is_open(w);
  long calls = restore_all(w);
  while (calls >= 0 && wait && clock_monotonic_ms() - epoch_ms < WINDOW_MS && !worker_stopping())
    worker_sleep(20);
  if (calls < 0 || worker_stopping() || !epoch_is(w, epoch) ||
      !live_rebuild_end(w->redis, token, epoch))
    return false;
  log_info("live.ready", "epoch=%" PRId64 " open_calls=%ld ms=%" PRId64, epoch, calls,
           clock_monotonic_ms() - began_ms);
  return true;
}

bool reconcile_run(struct worker *w) {
  rival_give_way(w); /* for whichever worker of this instance is the first to rebuild */
  FAILPOINT("worker.unlocked");
  bool locked = take_lock(w);
  if (locked)
    FAILPOINT("worker.locked");
  bool ready = locked && is_ready(w);
  bool begun = locked && !ready && !rival_is_there(w);
  bool done = ready || (begun && rebuild(w));
  if (done)
    rival_warn_off(w); /* before the lock is free for a rival */
  pg_disconnect(w->guard);
  if (begun && !done)
    log_warn("live.unfinished", "msg=\"loading did not finish; trying again\"");
  return done;
}
