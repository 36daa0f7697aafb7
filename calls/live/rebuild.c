/* Rebuilding the live state: lua/restore.lua, lua/mark.lua, lua/invalidate.lua. */

#include "calls/live/rebuild.h"

#include "calls/keys.h"
#include "calls/live/apply.h"
#include "calls/live/script.h"
#include "calls/next.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool live_restore_queue(struct redis *redis, const struct call *call) {
  const struct next next = next_of(call);
  if (!next.is_open)
    return false;
  int shard = id_shard(call->id);
  char live[KEYS_SIZE], slots[KEYS_SIZE], due[KEYS_SIZE], clock[KEYS_SIZE], events[KEYS_SIZE],
      wake[KEYS_SIZE];
  keys_call(call->id, live);
  keys_slots(call->api_key, slots);
  keys_due(shard, due);
  keys_clock(shard, clock);
  keys_events(shard, events);
  keys_wake(shard, wake);
  cleanup_buf struct buf packed = {0};
  call_pack(&packed, call);

  struct script_args a = {0};
  const char *const texts[] = {live, slots, due, clock, call->id};
  script_add_all(&a, ARRAY_LEN(texts), texts);
  script_add_number(&a, call->seq);
  script_add_len(&a, packed.data, packed.len);
  script_add(&a, next.job.text);
  script_add_number(&a, next.began_ms);
  script_add_number(&a, next.length_ms);
  script_add_number_if(&a, next.holds_slot, next.to_end_ms);
  script_add(&a, events);
  script_add(&a, wake);
  script_queue(redis, "restore", 4, &a);
  return true;
}

/* Removes what one page of SCAN named; the clock goes on, and the token stays. */
static bool wipe_page(struct redis *redis, const redisReply *names) {
  int queued = 0;
  for (size_t i = 0; i < names->elements; i++) {
    const char *name = names->element[i]->str;
    if (!name || keys_outlives_rebuild(name))
      continue;
    const char *const argv[] = {"UNLINK", name};
    redis_queue(redis, 2, argv, NULL);
    queued++;
  }
  return live_drain(redis, queued);
}

static bool wipe(struct redis *redis) {
  char cursor[24] = "0";
  do {
    const char *const argv[] = {"SCAN", cursor, "MATCH", KEYS_PATTERN, "COUNT", "1000"};
    redis_queue(redis, ARRAY_LEN(argv), argv, NULL);
    cleanup_reply redisReply *reply = redis_next(redis);
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        !wipe_page(redis, reply->element[1]))
      return false;
    snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
  } while (strcmp(cursor, "0") != 0);
  return true;
}

bool live_rebuild_begin(struct redis *redis, const char *token) {
  char key[KEYS_SIZE];
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    keys_rebuild(shard, key);
    const char *const set[] = {"SET", key, token};
    redis_queue(redis, ARRAY_LEN(set), set, NULL);
    keys_ready(shard, key); /* before all else goes: a half-loaded live state must admit nothing */
    const char *const del[] = {"DEL", key};
    redis_queue(redis, ARRAY_LEN(del), del, NULL);
  }
  return live_drain(redis, 2 * ID_SHARDS) && wipe(redis);
}

bool live_rebuild_end(struct redis *redis, const char *token, int64_t epoch) {
  char ready[KEYS_SIZE], rebuild[KEYS_SIZE];
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    keys_ready(shard, ready);
    keys_rebuild(shard, rebuild);
    struct script_args a = {0};
    const char *const texts[] = {ready, rebuild, redis_run_id(redis)};
    script_add_all(&a, ARRAY_LEN(texts), texts);
    script_add_number(&a, epoch);
    script_add(&a, token);
    script_queue(redis, "mark", 2, &a);
  }
  bool all = true;
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    cleanup_reply redisReply *reply = redis_next(redis);
    if (!reply)
      return false;
    all = all && redis_int(reply, 0) == 1;
  }
  return all;
}

void live_invalidate(struct redis *redis, int64_t epoch) {
  char ready[KEYS_SIZE];
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    keys_ready(shard, ready);
    struct script_args a = {0};
    script_add(&a, ready);
    script_add(&a, redis_run_id(redis));
    script_add_number(&a, epoch);
    script_queue(redis, "invalidate", 1, &a);
  }
  if (live_drain(redis, ID_SHARDS))
    log_warn("live.invalidated", "epoch=%" PRId64 " msg=\"the database has begun another\"", epoch);
}
