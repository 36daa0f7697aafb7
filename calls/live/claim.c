/* Claiming jobs that are due (lua/claim.lua), and wake-ups. */

#include "calls/live/claim.h"

#include "calls/keys.h"
#include "calls/live/script.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

static void read_claim(const redisReply *reply, int shard, struct live_claim *claim) {
  if (script_element(reply, 0) == 0) {
    claim->ready = false;
    return;
  }
  claim->epoch = script_element(reply, 1);
  struct live_time *time = &claim->time[shard];
  *time =
      (struct live_time){.wall_us = script_element(reply, 2), .now_us = script_element(reply, 3)};
  claim->wall_us = time->wall_us;
  int64_t next_us = script_element(reply, 4), wait_ms = (next_us - time->now_us + 999) / 1000;
  if (next_us >= 0 && (claim->next_ms < 0 || wait_ms < claim->next_ms))
    claim->next_ms = wait_ms < 0 ? 0 : wait_ms;
  for (size_t i = 5; i < reply->elements && claim->count < claim->max; i++) {
    const redisReply *job = reply->element[i];
    if (job->type == REDIS_REPLY_STRING &&
        job_parse(job->str, (size_t)job->len, &claim->jobs[claim->count]))
      claim->count++;
    else
      log_error("job.malformed", "shard_reply=%zu", i); /* comes again when its lease is over */
  }
}

/* Redis answered for one shard after the other, but rows get one time for all. So each shard's time
 * becomes that at the end of the claim. If the wall clock was set in between no time has passed. */
static void align_times(struct live_claim *claim) {
  enum { MAX_US = REDIS_TIMEOUT_MS * 1000 };
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    struct live_time *time = &claim->time[shard];
    int64_t passed_us = claim->wall_us - time->wall_us;
    if (passed_us > 0 && passed_us < MAX_US)
      time->now_us += passed_us;
    time->wall_us = claim->wall_us;
  }
}

static void queue_claim(struct redis *redis, int shard, int max) {
  char ready[KEYS_SIZE], clock[KEYS_SIZE], due[KEYS_SIZE];
  keys_ready(shard, ready);
  keys_clock(shard, clock);
  keys_due(shard, due);
  struct script_args a = {0};
  const char *const texts[] = {ready, clock, due, redis_run_id(redis)};
  script_add_all(&a, ARRAY_LEN(texts), texts);
  script_add_number(&a, max);
  script_add_number(&a, LIVE_LEASE_MS * INT64_C(1000));
  script_queue(redis, "claim", 3, &a);
}

bool live_claim(struct redis *redis, struct live_claim *claim) {
  for (int shard = 0; shard < ID_SHARDS; shard++)
    queue_claim(redis, shard, claim->max / ID_SHARDS);
  claim->count = 0;
  claim->next_ms = -1;
  claim->ready = true;
  bool good = true;
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    cleanup_reply redisReply *reply = redis_next(redis);
    if (!reply)
      return false;
    if (reply->type == REDIS_REPLY_ARRAY)
      read_claim(reply, shard, claim);
    else
      good = false; /* the other replies are read all the same */
  }
  align_times(claim);
  return good;
}

bool live_listen(struct redis *redis) {
  char names[ID_SHARDS][KEYS_SIZE];
  const char *channels[ID_SHARDS];
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    keys_wake(shard, names[shard]);
    channels[shard] = names[shard];
  }
  return redis_subscribe(redis, ID_SHARDS, channels);
}

/* Reads ["message", channel, due time]; false for anything else. */
static bool read_wake(const redisReply *message, int *shard, int64_t *due_us) {
  char name[KEYS_SIZE];
  if (message->type != REDIS_REPLY_ARRAY || message->elements != 3 ||
      message->element[2]->type != REDIS_REPLY_STRING)
    return false;
  for (*shard = 0; *shard < ID_SHARDS; ++*shard) {
    keys_wake(*shard, name);
    if (strcmp(message->element[1]->str, name) == 0) {
      *due_us = strtoll(message->element[2]->str, NULL, 10);
      return true;
    }
  }
  return false;
}

bool live_heard(struct redis *redis, int *shard, int64_t *due_us) {
  for (;;) {
    cleanup_reply redisReply *message = redis_pushed(redis);
    if (!message)
      return false;
    if (read_wake(message, shard, due_us))
      return true;
  }
}
