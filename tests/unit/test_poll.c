/* worker/poll.c: what a worker does with a claim, and how long it sleeps after it. */

#include "worker/poll.h"

#include "tests/unit/fake_stores.h"
#include "tests/unit/test.h"
#include "worker/batch.h"
#include "worker/reconcile.h"

/* One round of the loop: what the claim says, and what is heard afterwards. */
static struct {
  bool postgres_away, claim_fails, not_ready, rebuilt, audit_goes_on, batch_fails;
  int jobs;               /* due; of three kinds in turn */
  int64_t next_ms;        /* until the next job is due that the claim left; -1: none */
  int64_t queued_ms;      /* the same of what the handlers queued */
  int64_t batch_takes_ms; /* how long the handlers take */
  int64_t heard_ms;       /* a wake-up: a job is due so long after the claim; -1: none */
  int rounds;             /* so many; in those after the first nothing is due. 0: until it sleeps */
} round_;

/* What the loop did. */
static struct {
  int claims, rebuilds, audits, retentions, give_ways, listens;
  int batches[JOB_KIND__MAX]; /* jobs handed over, by kind */
  int batch_count;
} did;

static int64_t claimed_ms;

static void begin(void) {
  fake_reset();
  memset(&round_, 0, sizeof(round_));
  memset(&did, 0, sizeof(did));
  round_.next_ms = round_.queued_ms = round_.heard_ms = -1;
}

/* Runs one round; returns how long the worker slept after its claim and batches. */
static int64_t run_with(struct worker *w) {
  poll_run(w);
  return fake.slept_ms;
}

static int64_t run(void) {
  static const struct config config = {.time_scale = 1};
  struct worker w = {.config = &config, .max = BATCH_MAX, .redis = NULL, .next_ms = -1};
  return run_with(&w);
}

/* --- what the linker puts in place of the other modules
 * ------------------------------------------- */

bool __wrap_pg_connect(struct pg *pg, int64_t deadline_ms);
bool __wrap_pg_connect(struct pg *pg, int64_t deadline_ms) {
  return !round_.postgres_away;
}

bool __wrap_redis_connect(struct redis *redis);
bool __wrap_redis_connect(struct redis *redis) {
  return !fake.redis_away;
}

bool __wrap_live_claim(struct redis *redis, struct live_claim *claim);
bool __wrap_live_claim(struct redis *redis, struct live_claim *claim) {
  did.claims++;
  claimed_ms = fake.now_ms;
  claim->count = 0;
  claim->ready = !round_.not_ready;
  claim->next_ms = round_.next_ms;
  if (did.claims == 2)
    *claim =
        (struct live_claim){.jobs = claim->jobs, .max = claim->max, .next_ms = 0, .ready = true};
  if (did.claims == round_.rounds)
    fake.stopping = true;
  for (; did.claims < 2 && claim->count < round_.jobs; claim->count++)
    claim->jobs[claim->count] = (struct job){.kind = (enum job_kind)(claim->count % JOB_KIND__MAX)};
  return !round_.claim_fails;
}

bool __wrap_batch_run(struct worker *w, const struct batch *batch, batch_handler *handler);
bool __wrap_batch_run(struct worker *w, const struct batch *batch, batch_handler *handler) {
  fake.now_ms += round_.batch_takes_ms;
  did.batch_count++;
  for (int i = 0; i < batch->count; i++) {
    CHECK_INT(batch->jobs[i].kind, batch->jobs[0].kind);
    did.batches[batch->jobs[i].kind]++;
  }
  CHECK_INT(batch->claimed_ms, claimed_ms);
  worker_queued(w, round_.queued_ms);
  return !round_.batch_fails;
}

bool __wrap_reconcile_run(struct worker *w);
bool __wrap_reconcile_run(struct worker *w) {
  did.rebuilds++;
  return round_.rebuilt;
}

bool __wrap_audit_run(struct worker *w);
bool __wrap_audit_run(struct worker *w) {
  did.audits++;
  return round_.audit_goes_on;
}

void __wrap_retention_run(struct worker *w);
void __wrap_retention_run(struct worker *w) {
  did.retentions++;
}

void __wrap_rival_warn_off(struct worker *w);
void __wrap_rival_warn_off(struct worker *w) {
}

void __wrap_rival_give_way(struct worker *w);
void __wrap_rival_give_way(struct worker *w) {
  did.give_ways++;
}

bool __wrap_live_listen(struct redis *redis);
bool __wrap_live_listen(struct redis *redis) {
  did.listens++;
  return false;
}

bool __wrap_live_heard(struct redis *redis, int *shard, int64_t *due_us);
bool __wrap_live_heard(struct redis *redis, int *shard, int64_t *due_us) {
  if (round_.heard_ms < 0)
    return false;
  *shard = 3;
  *due_us = round_.heard_ms * 1000; /* the claim's clock stands at 0 */
  round_.heard_ms = -1;
  return true;
}

int __wrap_redis_fd(const struct redis *redis);
int __wrap_redis_fd(const struct redis *redis) {
  return -1;
}

/* The sleep is over: one round was enough. */
void __wrap_worker_wait(int fd, int64_t ms);
void __wrap_worker_wait(int fd, int64_t ms) {
  fake.slept_ms += ms;
  fake.now_ms += ms;
  fake.stopping = true;
}

/* --- how long it sleeps
 * ----------------------------------------------------------------------------- */

static void test_nothing_is_due(void) {
  begin();
  CHECK_INT(run(), LIVE_ASK_MS);
}

static void test_until_the_next_job(void) {
  begin();
  round_.next_ms = 123;
  CHECK_INT(run(), 123);
  begin();
  round_.next_ms = 10 * LIVE_ASK_MS;
  CHECK_INT(run(), LIVE_ASK_MS);
}

/* The first that it has queued itself counts from the claim, as that of the claim does. */
static void test_until_a_job_that_it_queued(void) {
  begin();
  round_.jobs = 1;
  round_.next_ms = 400;
  round_.queued_ms = 90;
  round_.batch_takes_ms = 20;
  CHECK_INT(run(), 70);
}

/* With little to do it waits for a hundredth of the shortest state, 10 ms at most, and so takes
 * together what comes due meanwhile. */
static void test_a_short_rest(void) {
  static const struct {
    double time_scale;
    int jobs;
    int64_t rest_ms;
  } rows[] = {
      {1, 1, 10}, {1, 255, 10}, {2, 1, 5}, {1000, 1, 0}, {1, 256, 0}, {0.1, 1, 10},
  };
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    const struct config config = {.time_scale = rows[i].time_scale};
    struct worker w = {.config = &config, .max = BATCH_MAX, .next_ms = -1};
    begin();
    round_.jobs = rows[i].jobs;
    round_.queued_ms = 0;
    round_.rounds = 2;
    CHECK_INT(run_with(&w), rows[i].rest_ms);
  }
}

/* More was due than a claim takes: it claims again at once, and leaves the rest for later. */
static void test_a_worker_that_is_behind(void) {
  begin();
  round_.jobs = 100;
  round_.next_ms = 0;
  round_.queued_ms = 300;
  round_.rounds = 2;
  CHECK_INT(run(), 0);
  CHECK_INT(did.audits, 1); /* by the second round, in which nothing is due */
}

static void test_an_audit_that_goes_on(void) {
  begin();
  round_.audit_goes_on = true;
  round_.rounds = 2;
  CHECK_INT(run(), 0);
}

/* The claim of a rebuilt live state follows at once. */
static void test_after_a_rebuild(void) {
  begin();
  round_.not_ready = round_.rebuilt = true;
  round_.rounds = 2;
  CHECK_INT(run(), 0);
  CHECK_INT(did.rebuilds, 1);
}

/* A wake-up: earlier than it would have asked, or later. */
static void test_wake_ups(void) {
  begin();
  round_.heard_ms = 50;
  CHECK_INT(run(), 50);
  begin();
  round_.next_ms = 20;
  round_.heard_ms = 50;
  CHECK_INT(run(), 20);
}

/* --- what it does
 * ------------------------------------------------------------------------------------- */

/* Jobs of one kind are one batch. */
static void test_batches_by_kind(void) {
  begin();
  round_.jobs = 7;
  round_.queued_ms = 100;
  run();
  CHECK_INT(did.batch_count, JOB_KIND__MAX);
  CHECK_INT(did.batches[JOB_ADVANCE], 3);
  CHECK_INT(did.batches[JOB_UPLOAD], 2);
  CHECK_INT(did.batches[JOB_FINISH], 2);
  CHECK_INT(did.audits, 1);
  CHECK_INT(did.retentions, 1);
}

/* How long it sleeps after a round in which something did not work. */
static int64_t run_in_trouble(void) {
  fake.stop_after_ms = 1;
  return run();
}

static void test_trouble(void) {
  enum { TROUBLE_MS = 200 };
  begin();
  round_.postgres_away = true;
  CHECK_INT(run_in_trouble(), TROUBLE_MS);
  CHECK_INT(did.claims, 0); /* the jobs are for workers that reach the database */

  begin();
  fake.redis_away = true;
  CHECK_INT(run_in_trouble(), TROUBLE_MS);
  CHECK_INT(did.give_ways, 1);

  begin();
  round_.claim_fails = true;
  CHECK_INT(run_in_trouble(), TROUBLE_MS);

  begin();
  round_.jobs = 7;
  round_.batch_fails = true;
  CHECK_INT(run_in_trouble(), TROUBLE_MS);
  CHECK_INT(did.batch_count, 1); /* the leases of the others end */
  CHECK_INT(did.audits, 0);

  begin();
  round_.not_ready = true;
  CHECK_INT(run_in_trouble(), TROUBLE_MS);
  CHECK_INT(did.rebuilds, 1);
}

/* Where the subscription is not to the Redis that the worker uses it is made anew, but not in each
 * round while that fails. */
static void test_subscribing_to_wake_ups(void) {
  static const struct config config = {.time_scale = 1};
  struct worker w = {.config = &config, .max = BATCH_MAX, .next_ms = -1};
  begin();
  run_with(&w);
  CHECK_INT(did.listens, 0);

  begin();
  w.wake = (struct redis *)&did;
  fake.wake_run_id = "";
  run_with(&w);
  CHECK_INT(did.listens, 1);
  CHECK(w.deaf);
  fake.stopping = false;
  run_with(&w);
  CHECK_INT(did.listens, 1);
  fake.stopping = false;
  fake.now_ms += 5000;
  run_with(&w);
  CHECK_INT(did.listens, 2);
}

int main(void) {
  RUN(test_nothing_is_due);
  RUN(test_until_the_next_job);
  RUN(test_until_a_job_that_it_queued);
  RUN(test_a_short_rest);
  RUN(test_a_worker_that_is_behind);
  RUN(test_an_audit_that_goes_on);
  RUN(test_after_a_rebuild);
  RUN(test_wake_ups);
  RUN(test_batches_by_kind);
  RUN(test_trouble);
  RUN(test_subscribing_to_wake_ups);
  return test_done();
}
