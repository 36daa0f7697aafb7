/* What follows from a job that was done: lua/apply.lua, lua/requeue.lua, lua/drop.lua. */

#include "calls/live/apply.h"

#include "calls/keys.h"
#include "calls/live/script.h"
#include "calls/next.h"

enum { KEEP_MS = 60000 }; /* how long a final call stays in Redis */

/* When a stage ends by the shard's clock: within its length from the claim, whatever the wall
 * clock, by which it began, was set to. */
static int64_t stage_end_us(const struct live_time *claimed, int64_t began_ms, int64_t length_ms) {
  int64_t length_us = length_ms * 1000, passed_us = claimed->wall_us - began_ms * 1000;
  if (passed_us < 0)
    passed_us = 0;
  return claimed->now_us + (passed_us < length_us ? length_us - passed_us : 0);
}

int64_t live_apply_queue(struct redis *redis, const char *done, const struct call *call,
                         const struct live_time *claimed) {
  const struct next next = next_of(call);
  int64_t due_us = next.is_open ? stage_end_us(claimed, next.began_ms, next.length_ms) : 0;
  int shard = id_shard(call->id);
  char live[KEYS_SIZE], slots[KEYS_SIZE], due[KEYS_SIZE], events[KEYS_SIZE];
  keys_call(call->id, live);
  keys_slots(call->api_key, slots);
  keys_due(shard, due);
  keys_events(shard, events);
  cleanup_buf struct buf packed = {0};
  call_pack(&packed, call);

  struct script_args a = {0};
  const char *const texts[] = {live, slots, due, done, call->id};
  script_add_all(&a, ARRAY_LEN(texts), texts);
  script_add_number(&a, call->seq);
  script_add_len(&a, packed.data, packed.len);
  script_add(&a, next.job.text);
  script_add_number(&a, due_us);
  script_add_number_if(&a, next.holds_slot, due_us + (next.to_end_ms - next.length_ms) * 1000);
  script_add_number_if(&a, !next.is_open, KEEP_MS);
  script_add(&a, events);
  script_queue(redis, "apply", 3, &a);
  return next.is_open ? (due_us - claimed->now_us + 999) / 1000 : -1;
}

void live_requeue_queue(struct redis *redis, const char *done, const struct job *job,
                        const struct live_time *claimed, int64_t delay_ms) {
  char due[KEYS_SIZE];
  keys_due(id_shard(job->id), due);
  struct script_args a = {0};
  const char *const texts[] = {due, done, job->text};
  script_add_all(&a, ARRAY_LEN(texts), texts);
  script_add_number(&a, claimed->now_us + delay_ms * 1000);
  script_queue(redis, "requeue", 1, &a);
}

void live_drop_queue(struct redis *redis, const struct job *job, const char *api_key) {
  char live[KEYS_SIZE], slots[KEYS_SIZE], due[KEYS_SIZE];
  keys_call(job->id, live);
  if (api_key)
    keys_slots(api_key, slots);
  keys_due(id_shard(job->id), due);
  struct script_args a = {0};
  const char *const texts[] = {live, api_key ? slots : live, due, job->id, job->text};
  script_add_all(&a, ARRAY_LEN(texts), texts);
  script_queue(redis, "drop", 3, &a);
}

bool live_drain(struct redis *redis, int count) {
  bool good = true;
  while (count-- > 0) {
    cleanup_reply redisReply *reply = redis_next(redis);
    if (!reply)
      return false;
    good = good && reply->type != REDIS_REPLY_ERROR;
  }
  return good;
}
