#pragma once

#include "calls/call.h"
#include "common/redis.h"

/* Reading the live state. All functions need a redis_connect() first and block for one round trip.
 */

enum live_find {
  LIVE_FOUND,
  LIVE_ABSENT, /* or there without its metadata, since a rebuild */
  LIVE_LOST,   /* the live state is not ready: what is there may be old */
  LIVE_DOWN,
};

/* Reads a live call into `call`, which then points into `*reply`, to be freed by the caller. */
must_check enum live_find live_find(struct redis *redis, const char *id, struct call *call,
                                    redisReply **reply);

/* Redis's wall clock, by which calls are created, in ms since 1970; -1 when it did not answer. */
must_check int64_t live_wall_ms(struct redis *redis);

/* True if the live state of every shard is ready. `*down` when Redis did not answer. */
must_check bool live_is_ready(struct redis *redis, bool *down);
