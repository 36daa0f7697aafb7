/*
 * The claim loop: claim what is due, hand it to the handlers by kind, tell Redis, sleep until the
 * next job is due.
 */

#include "worker/worker.h"

#include "worker/batch.h"

#include "common/clock.h"
#include "common/log.h"

#include <string.h>

enum {
  CLAIM_A_SHARD = 256,
  CLAIM_MAX = 16 * CLAIM_A_SHARD,
  IDLE_MS = 500, /* a quarter of what makes the calls' clock stand still, see clock.lua */
  BUSY_MS = 50,  /* what was done just now may have made jobs that are due at once */
  BATCH_MS = 10,
  BATCH_JOBS = 256, /* so many are worth a transaction of their own */
  TROUBLE_MS = 200, /* until the next try when a database does not answer */
};

static void (*const handlers[JOB_KIND__MAX])(struct worker *, const struct batch *) = {
    [JOB_ADVANCE] = advance_run,
    [JOB_UPLOAD] = upload_start,
    [JOB_FINISH] = upload_finish,
};

static int by_kind_and_id(const void *a, const void *b) {
  const struct job *x = a, *y = b;
  return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : memcmp(x->id, y->id, ID_SIZE);
}

static void do_jobs(struct worker *w, const struct live_claim *claim) {
  qsort(claim->jobs, (size_t)claim->count, sizeof(*claim->jobs), by_kind_and_id);
  log_batch_begin();
  for (int i = 0; i < claim->count;) {
    int end = i + 1;
    while (end < claim->count && claim->jobs[end].kind == claim->jobs[i].kind)
      end++;
    const struct batch batch = {.jobs = claim->jobs + i,
                                .count = end - i,
                                .wall_ms = claim->wall_us / 1000,
                                .epoch = claim->epoch,
                                .time = claim->time};
    handlers[claim->jobs[i].kind](w, &batch);
    i = end;
  }
  log_batch_end();
}

static int64_t least_of(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* More was due than a claim takes. */
static bool is_behind(const struct live_claim *claim) {
  return claim->count > 0 && claim->next_ms == 0;
}

/*
 * How long to sleep after a claim. A job that Redis has not told of yet is the first one of a call
 * that is created meanwhile, and due when its first state ends: so who had nothing to do need not
 * ask before half of the shortest state is over. Who has little to do pauses for a hundredth of it,
 * and so takes together what would be a transaction each.
 */
static int64_t pause_ms(const struct worker *w, const struct live_claim *claim, int64_t passed_ms) {
  int64_t shortest = lifecycle_shortest_ms(w->config->time_scale);
  int64_t most = claim->count ? BUSY_MS : least_of(shortest / 2, IDLE_MS);
  int64_t least = claim->count < BATCH_JOBS ? least_of(shortest / 100, BATCH_MS) : 0;
  if (is_behind(claim))
    return 0;
  int64_t pause = claim->next_ms < 0 ? most : least_of(claim->next_ms - passed_ms, most);
  return pause < least ? least : pause;
}

/* One round: returns how long to sleep. */
static int64_t poll_once(struct worker *w, struct job *jobs) {
  /* Without the record nothing can be done: leave the jobs to those who may reach it. */
  if (!pg_connect(w->pg, clock_monotonic_ms() + 2000) || !redis_connect(w->redis))
    return TROUBLE_MS;
  struct live_claim claim = {.jobs = jobs, .most = CLAIM_MAX};
  int64_t began_ms = clock_monotonic_ms();
  if (!live_claim(w->redis, &claim))
    return TROUBLE_MS;
  if (!claim.whole && !reconcile_run(w))
    return TROUBLE_MS;
  if (claim.count > 0) {
    do_jobs(w, &claim);
    if (!worker_drain(w))
      return TROUBLE_MS;
  }
  bool auditing = false;
  if (!is_behind(&claim)) { /* else these can wait; both pace themselves */
    retention_run(w);
    auditing = audit_run(w);
  }
  return auditing ? 0 : pause_ms(w, &claim, clock_monotonic_ms() - began_ms);
}

void poll_run(struct worker *w) {
  struct job *jobs = calloc(CLAIM_MAX, sizeof(*jobs));
  if (!jobs)
    log_oom();
  while (!worker_stopping())
    worker_sleep(poll_once(w, jobs)); /* even for 0 ms: it lets the stop signal in */
  free(jobs);
}
