/* Admission: lua/admit.lua, lua/release.lua, lua/probe.lua. */

#include "calls/live/admit.h"

#include "calls/keys.h"
#include "calls/live/claim.h"
#include "calls/live/script.h"
#include "calls/next.h"

#include <string.h>

/*
 * When a place is expected to be free: rather too late than too early. Workers take a moment for
 * each step of the call that has to end, and longer while they are behind. A call that should have
 * ended has lost its worker: it goes on when the lease of its job is over, or when there is a
 * worker again.
 */
static int64_t place_free_ms(int64_t ends_ms, int64_t late_ms) {
  enum { STEPS_MS = 250 };
  int64_t wait_ms = ends_ms + STEPS_MS;
  if (wait_ms >= 0)
    return wait_ms + late_ms;
  return -wait_ms > LIVE_LEASE_MS ? -wait_ms : LIVE_LEASE_MS;
}

static void queue_admission(struct redis *redis, const struct call *call,
                            const struct live_limits *limits) {
  const struct next next = next_of(call);
  int shard = id_shard(call->id);
  char ready[KEYS_SIZE], clock[KEYS_SIZE], live[KEYS_SIZE], slots[KEYS_SIZE], window[KEYS_SIZE],
      due[KEYS_SIZE], wake[KEYS_SIZE];
  keys_ready(shard, ready);
  keys_clock(shard, clock);
  keys_call(call->id, live);
  keys_slots(call->api_key, slots);
  keys_window(call->api_key, window);
  keys_due(shard, due);
  keys_wake(shard, wake);
  cleanup_buf struct buf packed = {0};
  call_pack_rest(&packed, call);
  buf_chr(&packed, '\n');
  buf_add(&packed, call->metadata, call->metadata_len);

  struct script_args a = {0};
  const char *const texts[] = {ready,   clock, live, slots, window, due, redis_run_id(redis),
                               call->id};
  script_add_all(&a, ARRAY_LEN(texts), texts);
  script_add_number(&a, limits->max_concurrent);
  script_add_number(&a, limits->max_cps);
  script_add(&a, next.job.text);
  script_add_number(&a, next.length_ms * 1000);
  script_add_number(&a, next.to_end_ms * 1000);
  script_add_len(&a, packed.data, packed.len);
  script_add(&a, next.length_ms < LIVE_ASK_MS ? wake : "");
  script_queue(redis, "admit", 6, &a);
}

enum verdict live_admit(struct redis *redis, struct call *call, const struct live_limits *limits,
                        struct live_admission *admission) {
  queue_admission(redis, call, limits);
  cleanup_reply redisReply *reply = redis_next(redis);
  if (reply && reply->type == REDIS_REPLY_ERROR)
    return VERDICT_REFUSED;
  if (!reply || reply->type != REDIS_REPLY_ARRAY)
    return VERDICT_UNKNOWN;
  switch (script_element(reply, 0)) { /* see lua/admit.lua */
  case 0:
    return VERDICT_REBUILDING;
  case 2:
    admission->retry_ms = place_free_ms(script_element(reply, 1), script_element(reply, 2));
    return VERDICT_TOO_MANY_CONCURRENT;
  case 3:
    admission->retry_ms = script_element(reply, 1);
    return VERDICT_TOO_MANY_A_SECOND;
  }
  admission->epoch = script_element(reply, 1);
  admission->due_us = script_element(reply, 3);
  call->entered_ms[0] = call->updated_ms = script_element(reply, 2);
  return VERDICT_CREATED;
}

bool live_release(struct redis *redis, const struct call *call,
                  const struct live_admission *admission) {
  char live[KEYS_SIZE], slots[KEYS_SIZE], window[KEYS_SIZE], due[KEYS_SIZE];
  keys_call(call->id, live);
  keys_slots(call->api_key, slots);
  keys_window(call->api_key, window);
  keys_due(id_shard(call->id), due);
  const struct next next = next_of(call);
  struct script_args a = {0};
  const char *const texts[] = {live, slots, window, due, call->id, next.job.text};
  script_add_all(&a, ARRAY_LEN(texts), texts);
  script_add_number(&a, admission->due_us);
  script_queue(redis, "release", 4, &a);
  cleanup_reply redisReply *reply = redis_next(redis);
  return redis_int(reply, 0) == 1;
}

bool live_probe(struct redis *redis) {
  char key[KEYS_SIZE];
  keys_probe(0, key);
  struct script_args a = {0};
  script_add(&a, key);
  script_add(&a, key);
  script_queue(redis, "probe", 1, &a);
  cleanup_reply redisReply *reply = redis_next(redis);
  return redis_int(reply, 0) == 1;
}
