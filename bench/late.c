/*
 * late: subscribes to the worker's events and measures how late calls move on: from the moment at
 * which a state was to end, by the call's plan, to the moment at which the event of the next one
 * arrives here. That includes the poll, the claim, the commit and the way through Redis.
 *
 *   late EVENTS SECONDS QUIET_SECONDS
 *
 * It ends after that many events, after SECONDS, or when nothing came for QUIET_SECONDS after
 * the first one. Settings come from the environment, as for the service's programs. Prints one line
 * of JSON: moved (states entered), final (uploads that ended), when the last event came (ms since
 * 1970), the rate a second of both since the first event, lateness of moves in ms.
 */

#include "calls/call.h"
#include "common/clock.h"
#include "common/config.h"
#include "calls/keys.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LATE_MAX = 120000, POLL_MS = 100 }; /* beyond two minutes it is two minutes late */

static struct {
  long moved, final;
  int64_t first_ms, last_ms;
  long count[LATE_MAX + 1]; /* moves that were so many ms late */
} seen;

static void note_move(const struct call *call, int64_t now) {
  int64_t late = now - call->entered_ms[call->seq - 2] - call->plan.duration_ms[call->seq - 2];
  seen.count[late < 0 ? 0 : late > LATE_MAX ? LATE_MAX : late]++;
  seen.moved++;
}

static void take(const char *line, size_t len) {
  struct call call;
  if (!call_unpack(line, len, &call))
    return;
  int64_t now = clock_wall_ms();
  if (!seen.first_ms)
    seen.first_ms = now;
  seen.last_ms = now;
  if (call_is_final(&call))
    seen.final++;
  else if (call.seq >= 2 && call.seq <= LIFECYCLE_STATES)
    note_move(&call, now);
}

static long percentile(double share) {
  long rest = (long)((double)(seen.moved - 1) * share), late = 0;
  while (late < LATE_MAX && (rest -= seen.count[late]) >= 0)
    late++;
  return late;
}

static redisContext *subscribe(const struct config *config) {
  redisContext *redis = redisConnectUnix(config->resolved_redis_host);
  if (!redis || redis->err)
    return NULL;
  const struct timeval poll = {.tv_usec = POLL_MS * 1000L};
  redisSetTimeout(redis, poll);
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    char channel[KEYS_SIZE];
    keys_events(shard, channel);
    redisAppendCommand(redis, "SUBSCRIBE %s", channel);
  }
  return redis;
}

/* Takes the next reply. False when the connection is lost; a time-out is no loss. */
static bool next(redisContext *redis) {
  void *reply = NULL;
  if (redisGetReply(redis, &reply) != REDIS_OK) {
    bool quiet = redis->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
    redis->err = 0;
    return quiet;
  }
  redisReply *r = reply;
  if (r->type == REDIS_REPLY_ARRAY && r->elements == 3 && r->element[2]->type == REDIS_REPLY_STRING)
    take(r->element[2]->str, r->element[2]->len);
  freeReplyObject(r);
  return true;
}

int main(int argc, char **argv) {
  static struct config config;
  const char *numbers[3] = {"0", "0", "0"};
  for (int i = 1; i < argc && i <= 3; i++)
    numbers[i - 1] = argv[i];
  config_start(&config, "late", "Says how late calls move on.", 1, argv);
  long events = strtol(numbers[0], NULL, 10);
  int64_t end = clock_monotonic_ms() + strtol(numbers[1], NULL, 10) * 1000,
          quiet_ms = strtol(numbers[2], NULL, 10) * 1000;
  redisContext *redis = subscribe(&config);
  while (redis && seen.moved + seen.final < events && clock_monotonic_ms() < end &&
         (!seen.last_ms || clock_wall_ms() - seen.last_ms < quiet_ms))
    if (!next(redis))
      return 1;
  double seconds = (double)(seen.last_ms - seen.first_ms) / 1000.0;
  printf("{\"moved\":%ld,\"final\":%ld,\"last_ms\":%" PRId64
         ",\"moved_rate\":%.0f,\"final_rate\":%.0f,"
         "\"p50_ms\":%ld,\"p99_ms\":%ld,\"max_ms\":%ld}\n",
         seen.moved, seen.final, seen.last_ms, seconds > 0 ? (double)seen.moved / seconds : 0,
         seconds > 0 ? (double)seen.final / seconds : 0, percentile(0.5), percentile(0.99),
         percentile(1));
  redisFree(redis);
  config_done(&config);
  return 0;
}
