/*
 * The claim loop: claim the jobs that are due, hand them to the handlers by kind, send what these
 * queued for Redis, sleep until the next job is due.
 */

#include "worker/poll.h"

#include "calls/plan.h"
#include "common/clock.h"
#include "common/log.h"
#include "worker/batch.h"
#include "worker/reconcile.h"
#include "worker/worker.h"

#include <string.h>

enum {
  BATCH_MS = 10,
  BATCH_JOBS = 256, /* so many are worth a transaction of their own */
  TROUBLE_MS = 200, /* until the next try when a database does not answer */
  LISTEN_MS = 5000, /* until the next try to subscribe */
};

static batch_handler *const handlers[JOB_KIND__MAX] = {
    [JOB_ADVANCE] = advance_run,
    [JOB_UPLOAD] = upload_start,
    [JOB_FINISH] = upload_finish,
};

static int by_kind_and_id(const void *a, const void *b) {
  const struct job *x = a, *y = b;
  return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : memcmp(x->id, y->id, ID_SIZE);
}

static bool do_jobs(struct worker *w, const struct live_claim *claim, int64_t claimed_ms) {
  qsort(claim->jobs, (size_t)claim->count, sizeof(*claim->jobs), by_kind_and_id);
  log_batch_begin();
  bool good = true;
  for (int i = 0; i < claim->count && good;) {
    int end = i + 1;
    while (end < claim->count && claim->jobs[end].kind == claim->jobs[i].kind)
      end++;
    const struct batch batch = {.jobs = claim->jobs + i,
                                .count = end - i,
                                .claimed_ms = claimed_ms,
                                .wall_ms = claim->wall_us / 1000,
                                .epoch = claim->epoch,
                                .time = claim->time};
    good = batch_run(w, &batch, handlers[claim->jobs[i].kind]);
    i = end;
  }
  log_batch_end();
  return good && worker_drain(w);
}

static int64_t min_of(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* More was due than a claim takes. */
static bool is_behind(const struct live_claim *claim) {
  return claim->count > 0 && claim->next_ms == 0;
}

/* The time between two claims: at least min_ms, even if a job comes due, and at most max_ms. */
struct pause {
  int64_t min_ms, max_ms;
};

static const struct pause at_once = {0, 0};
static const struct pause trouble = {TROUBLE_MS, TROUBLE_MS};

/*
 * A worker sleeps until the next job is due: the first that the claim left, or that it has queued
 * since. A wake-up announces an earlier one. After a small batch it pauses for a hundredth of the
 * shortest state, so that jobs which come due meanwhile share a transaction.
 */
static struct pause pause_after(const struct worker *w, const struct live_claim *claim,
                                int64_t claimed_ms) {
  int64_t passed_ms = clock_monotonic_ms() - claimed_ms;
  struct pause pause = {.max_ms = LIVE_ASK_MS};
  if (is_behind(claim))
    return at_once;
  if (claim->count > 0 && claim->count < BATCH_JOBS)
    pause.min_ms = min_of(plan_shortest_ms(w->config->time_scale) / 100, BATCH_MS);
  if (w->next_ms >= 0)
    pause.max_ms = min_of(w->next_ms - passed_ms, pause.max_ms);
  return pause;
}

/* Subscribes to wake-ups, unless it is subscribed. Without them jobs start up to LIVE_ASK_MS late.
 */
static void listen_again(struct worker *w) {
  if (strcmp(redis_run_id(w->wake), redis_run_id(w->redis)) == 0 ||
      clock_monotonic_ms() < w->listen_at_ms)
    return;
  w->listen_at_ms = clock_monotonic_ms() + LISTEN_MS;
  bool was_deaf = w->deaf;
  w->deaf = !live_listen(w->wake);
  if (w->deaf && !was_deaf)
    log_warn("worker.deaf", "msg=\"cannot subscribe to Redis channels: jobs may start late\"");
}

/* One round: returns how long to sleep. */
static struct pause poll_once(struct worker *w, struct live_claim *claim, int64_t *claimed_ms) {
  /* Without the database no job can be done: leave them to workers that reach it. */
  if (!pg_connect(w->pg, clock_monotonic_ms() + 2000))
    return trouble;
  if (!redis_connect(w->redis)) {
    rival_give_way(w);
    return trouble;
  }
  listen_again(w);
  claim->max = w->max > ID_SHARDS ? w->max : ID_SHARDS;
  if (!live_claim(w->redis, claim))
    return trouble;
  *claimed_ms = clock_monotonic_ms();
  w->was_ready |= claim->ready;
  if (!claim->ready)
    return reconcile_run(w) ? at_once : trouble;
  rival_warn_off(w);
  w->next_ms = claim->next_ms;
  if (claim->count > 0 && !do_jobs(w, claim, *claimed_ms))
    return trouble;
  bool auditing = false;
  if (!is_behind(claim)) { /* else these can wait; both pace themselves */
    retention_run(w);
    auditing = audit_run(w);
  }
  return auditing ? at_once : pause_after(w, claim, *claimed_ms);
}

/* When the job of a wake-up is due, by this host's clock. */
static int64_t heard_due_ms(const struct live_claim *claim, int64_t claimed_ms, int shard,
                            int64_t due_us) {
  return claimed_ms + (due_us - claim->time[shard].now_us + 999) / 1000;
}

static void rest(struct worker *w, const struct live_claim *claim, int64_t claimed_ms,
                 struct pause pause) {
  int64_t now_ms = clock_monotonic_ms(), due_us;
  int64_t until_ms = now_ms + pause.max_ms;
  int shard;
  worker_sleep(pause.min_ms); /* even for 0 ms: it lets the stop signal in */
  for (;;) {
    while (live_heard(w->wake, &shard, &due_us))
      until_ms = min_of(until_ms, heard_due_ms(claim, claimed_ms, shard, due_us));
    now_ms = clock_monotonic_ms();
    if (worker_stopping() || now_ms >= until_ms)
      return;
    worker_wait(redis_fd(w->wake), until_ms - now_ms);
  }
}

void poll_run(struct worker *w) {
  struct job *jobs = calloc(BATCH_MAX, sizeof(*jobs));
  if (!jobs)
    log_oom();
  struct live_claim claim = {.jobs = jobs, .max = BATCH_MAX};
  int64_t claimed_ms = 0;
  while (!worker_stopping()) {
    struct pause pause = poll_once(w, &claim, &claimed_ms);
    rest(w, &claim, claimed_ms, pause);
  }
  free(jobs);
}
