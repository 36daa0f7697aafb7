/*
 * `mcs-admin follow`: prints the transitions of calls as they happen, in the specification's words,
 * until a signal ends it. It subscribes to the events that the workers publish, as wsd does, and
 * works in rounds: it sends a PING and prints all events that arrive before the reply. So a Redis
 * that hangs is noticed by the time-out of a read, after which it connects again.
 *
 * Redis stores no events. Those published while there is no subscription are not printed; the
 * worker's log has them. When Redis lost its data and a worker rebuilds the live state, the last
 * transition of each open call is printed again.
 */

#include "admin/commands.h"

#include "calls/call.h"
#include "calls/keys.h"
#include "common/clock.h"
#include "common/privileges.h"
#include "common/redis.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { ROUND_MS = 100, RETRY_MS = 500 };

static bool is(const redisReply *reply, const char *text) {
  return reply->type == REDIS_REPLY_STRING && strcmp(reply->str, text) == 0;
}

static void print_event(const redisReply *event) {
  struct call call;
  if (event->type != REDIS_REPLY_STRING || !call_unpack(event->str, event->len, &call) ||
      call.seq < 2 || call.seq > LIFECYCLE_STATES)
    return; /* no transition; the worker's log has the result of an upload */
  enum call_status from = lifecycle_status(call.plan.outcome, call.seq - 1);
  printf("Call %s: %s -> %s\n", call.id, lifecycle_status_name(from),
         lifecycle_status_name(call_status(&call)));
  if (call.seq == LIFECYCLE_STATES)
    printf(" Enqueued recording upload job for call: %s\n", call.id);
}

static bool subscribe(struct redis *redis) {
  char names[ID_SHARDS][KEYS_SIZE];
  const char *channels[ID_SHARDS];
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    keys_events(shard, names[shard]);
    channels[shard] = names[shard];
  }
  return redis_subscribe(redis, ID_SHARDS, channels);
}

/* Prints the events that have arrived; false when the connection broke or our output is closed. */
static bool print_events(struct redis *redis) {
  const char *const ping[] = {"PING"};
  redis_queue(redis, 1, ping, NULL);
  while (!ferror(stdout)) {
    cleanup_reply redisReply *reply = redis_next(redis);
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements < 2)
      return false;
    if (is(reply->element[0], "pong"))
      return true;
    if (is(reply->element[0], "message") && reply->elements == 3)
      print_event(reply->element[2]);
  }
  return false;
}

int command_follow(const struct config *config, int argc, char **argv) {
  if (argc > 1) {
    fputs("usage: mcs-admin follow\n", stderr);
    return 2;
  }
  privileges_drop();
  signal(SIGPIPE, SIG_IGN); /* the connection to Redis may have broken */
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct redis *redis = redis_new(config);
  while (!ferror(stdout)) {
    if (subscribe(redis))
      while (print_events(redis))
        clock_pause_ms(ROUND_MS);
    clock_pause_ms(RETRY_MS);
  }
  redis_free(redis);
  return 1;
}
