/* Reading from Redis, and whether what is there counts. */

#include "calls/live/query.h"

#include "calls/keys.h"

#include <stdlib.h>

enum live_find live_find(struct redis *redis, const char *id, struct call *call,
                         redisReply **reply) {
  char ready[KEYS_SIZE], live[KEYS_SIZE];
  keys_ready(id_shard(id), ready);
  keys_call(id, live);
  const char *const argv[] = {"MGET", ready, live};
  redis_queue(redis, 3, argv, NULL);
  redisReply *r = *reply = redis_next(redis);
  if (!r || r->type != REDIS_REPLY_ARRAY || r->elements != 2)
    return LIVE_DOWN;
  const redisReply *marker = r->element[0], *value = r->element[1];
  if (marker->type != REDIS_REPLY_STRING ||
      !keys_marker_is(marker->str, (size_t)marker->len, redis_run_id(redis)))
    return LIVE_LOST;
  if (value->type != REDIS_REPLY_STRING || !call_unpack(value->str, (size_t)value->len, call) ||
      !call->metadata_len)
    return LIVE_ABSENT;
  return LIVE_FOUND;
}

int64_t live_wall_ms(struct redis *redis) {
  const char *const argv[] = {"TIME"};
  redis_queue(redis, 1, argv, NULL);
  cleanup_reply redisReply *reply = redis_next(redis);
  if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
    return -1;
  return strtoll(reply->element[0]->str, NULL, 10) * 1000 +
         strtoll(reply->element[1]->str, NULL, 10) / 1000;
}

bool live_is_ready(struct redis *redis, bool *down) {
  char key[KEYS_SIZE];
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    keys_ready(shard, key);
    const char *const argv[] = {"GET", key};
    redis_queue(redis, 2, argv, NULL);
  }
  bool ready = true;
  *down = false;
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    cleanup_reply redisReply *reply = redis_next(redis);
    if (!reply) {
      *down = true;
      return false;
    }
    ready = ready && reply->type == REDIS_REPLY_STRING &&
            keys_marker_is(reply->str, (size_t)reply->len, redis_run_id(redis));
  }
  return ready;
}
