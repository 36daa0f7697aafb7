/*
 * The claim loop: claim what is due, hand it to the handlers by kind, tell Redis, sleep until the
 * next job is due. It polls at least every POLL_MAX_MS, for new calls become due meanwhile.
 */

#include "worker/worker.h"

#include "worker/batch.h"

#include "common/clock.h"
#include "common/log.h"

#include <string.h>

enum {
  CLAIM_A_SHARD = 256,
  CLAIM_MAX = 16 * CLAIM_A_SHARD,
  POLL_MAX_MS = 50,
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
                                .wall_ms = claim->wall_ms,
                                .epoch = claim->epoch};
    handlers[claim->jobs[i].kind](w, &batch);
    i = end;
  }
  log_batch_end();
}

/* One round: returns how long to sleep. */
static int64_t poll_once(struct worker *w, struct job *jobs) {
  /* Without the record nothing can be done: leave the jobs to those who may reach it. */
  if (!pg_connect(w->pg, clock_monotonic_ms() + 2000) || !redis_connect(w->redis))
    return TROUBLE_MS;
  struct live_claim claim = {.jobs = jobs, .most = CLAIM_MAX};
  if (!live_claim(w->redis, &claim))
    return TROUBLE_MS;
  if (!claim.whole && !reconcile_run(w))
    return TROUBLE_MS;
  retention_run(w); /* both pace themselves */
  audit_run(w);
  if (claim.count > 0) {
    do_jobs(w, &claim);
    if (!worker_drain(w))
      return TROUBLE_MS;
    return claim.next_ms < POLL_MAX_MS && claim.next_ms >= 0 ? claim.next_ms : POLL_MAX_MS;
  }
  return claim.next_ms >= 0 && claim.next_ms < POLL_MAX_MS ? claim.next_ms : POLL_MAX_MS;
}

void poll_run(struct worker *w) {
  struct job *jobs = calloc(CLAIM_MAX, sizeof(*jobs));
  if (!jobs)
    log_oom();
  while (!worker_stopping())
    worker_sleep(poll_once(w, jobs)); /* even for 0 ms: it lets the stop signal in */
  free(jobs);
}
