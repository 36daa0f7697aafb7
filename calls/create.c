/* The creation of a call: admission in Redis, then the row in PostgreSQL. */

#include "calls/create.h"

#include "calls/id.h"
#include "calls/live/admit.h"
#include "calls/live/rebuild.h"
#include "calls/row.h"
#include "common/clock.h"
#include "common/failpoint.h"
#include "common/log.h"

#include <stdio.h>

/* One creation under way. */
struct attempt {
  struct store *store;
  struct pg *pg;
  struct redis *redis;
  struct call *call;
  struct live_admission admission;
  struct creation *creation;
};

/* --- what a database did not do --------------------------------------------------------------- */

static enum verdict refused_by(const struct attempt *a, enum backend which) {
  cleanup_buf struct buf text = {0};
  store_note_write(a->store, which, false);
  if (store_add_refusal(a->store, which, &text))
    snprintf(a->creation->refusal, sizeof(a->creation->refusal), "%s", buf_text(&text));
  return VERDICT_REFUSED;
}

/* The row certainly is not stored: the verdict is that, if the admission can be taken back; else
 * the first job decides. */
static enum verdict release(const struct attempt *a, enum verdict verdict) {
  return live_release(a->redis, a->call, &a->admission) ? verdict : VERDICT_UNKNOWN;
}

/* --- the steps -------------------------------------------------------------------------------- */

static void plan(const struct attempt *a, const char *api_key) {
  const struct config *config = store_config(a->store);
  struct call *call = a->call;
  call->seq = 1;
  call->upload = UPLOAD_WAITING;
  snprintf(call->api_key, sizeof(call->api_key), "%s", api_key);
  id_new(id_shard_of_owner(api_key), call->id);
  plan_draw(&call->plan, config->time_scale, config->upload_failure_rate);
}

static enum verdict admit(struct attempt *a) {
  const struct config *config = store_config(a->store);
  const struct live_limits limits = {.max_concurrent = config->max_concurrent,
                                     .max_cps = config->max_cps};
  enum verdict verdict = live_admit(a->redis, a->call, &limits, &a->admission);
  a->creation->retry_ms = a->admission.retry_ms;
  if (verdict == VERDICT_CREATED)
    store_note_write(a->store, BACKEND_REDIS, true);
  else if (verdict == VERDICT_REFUSED)
    return refused_by(a, BACKEND_REDIS);
  else if (verdict == VERDICT_UNKNOWN)
    store_redis_failed(a->store);
  return verdict;
}

static enum verdict insert(const struct attempt *a) {
  int64_t deadline_ms = clock_monotonic_ms() + ROW_INSERT_MS;
  switch (row_insert(a->pg, a->call, a->admission.epoch, store_stripe(a->store), deadline_ms)) {
  case ROW_STORED:
    store_note_write(a->store, BACKEND_POSTGRES, true);
    return VERDICT_CREATED;
  case ROW_OUTDATED:
    live_invalidate(a->redis, a->admission.epoch);
    return release(a, VERDICT_REBUILDING);
  case ROW_REFUSED:
  case ROW_INVALID:
    store_postgres_failed(a->store);
    return release(a, refused_by(a, BACKEND_POSTGRES));
  case ROW_UNKNOWN:
    break;
  }
  store_postgres_failed(a->store);
  return VERDICT_UNKNOWN;
}

static enum verdict create(struct attempt *a, const char *api_key) {
  /* Connect to PostgreSQL first: without it an admission would only have to be taken back. */
  a->pg = store_postgres(a->store);
  if (!a->pg)
    return refused_by(a, BACKEND_POSTGRES);
  a->redis = store_redis(a->store);
  if (!a->redis)
    return refused_by(a, BACKEND_REDIS);
  plan(a, api_key);
  enum verdict verdict = admit(a);
  if (verdict != VERDICT_CREATED)
    return verdict;
  FAILPOINT("responder.admitted");
  return insert(a);
}

enum verdict create_call(struct store *store, const char *api_key, struct call *call,
                         struct creation *creation) {
  *creation = (struct creation){0};
  struct attempt a = {.store = store, .call = call, .creation = creation};
  enum verdict verdict = create(&a, api_key);
  if (verdict == VERDICT_UNKNOWN)
    log_warn("call.unknown", "id=%s msg=\"it is not known whether the call was created\"",
             call->id);
  return verdict;
}
