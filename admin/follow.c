/*
 * `mcs-admin follow`: prints the transitions of calls as they happen, in the specification's words,
 * until it is told to stop. It hears them as wsd does, from the events that the workers publish, in
 * rounds: a PING goes out behind whatever Redis has for us, and all that comes before its answer is
 * printed. So a Redis that hangs is noticed, by the time-out of a read like any other, and another
 * connection made.
 *
 * Redis keeps no events: what happens while it is away, or before we are subscribed again, is not
 * printed (the worker's log has it). When Redis lost its data and the calls that are under way are
 * put in again, the transition that each of them made last is printed once more.
 */

#include "admin/commands.h"

#include "calls/call.h"
#include "calls/keys.h"
#include "common/privileges.h"
#include "common/redis.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ROUND_MS = 100, RETRY_MS = 500 };

static void pause_ms(int ms) {
  const struct timespec pause = {.tv_nsec = ms * 1000000L};
  nanosleep(&pause, NULL);
}

static bool is(const redisReply *reply, const char *text) {
  return reply->type == REDIS_REPLY_STRING && strcmp(reply->str, text) == 0;
}

static void print_event(const redisReply *event) {
  struct call call;
  if (event->type != REDIS_REPLY_STRING || !call_unpack(event->str, event->len, &call) ||
      call.seq < 2 || call.seq > LIFECYCLE_STATES)
    return; /* no transition: what became of a recording is in the worker's log */
  enum call_status from = lifecycle_status(call.plan.outcome, call.seq - 1);
  printf("Call %s: %s -> %s\n", call.id, lifecycle_status_name(from),
         lifecycle_status_name(call_status(&call)));
  if (call.seq == LIFECYCLE_STATES)
    printf(" Enqueued recording upload job for call: %s\n", call.id);
}

static bool subscribe(struct redis *redis) {
  char channels[ID_SHARDS][KEYS_SIZE];
  const char *argv[ID_SHARDS + 1] = {"SUBSCRIBE"};
  if (!redis_connect(redis))
    return false;
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    keys_events(shard, channels[shard]);
    argv[shard + 1] = channels[shard];
  }
  redis_queue(redis, ID_SHARDS + 1, argv, NULL);
  return true;
}

/* Prints what has come; false when the connection broke or our output is closed. */
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
  signal(SIGPIPE, SIG_IGN); /* Redis may be gone when we ask it */
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct redis *redis = redis_new(config);
  while (!ferror(stdout)) {
    if (subscribe(redis))
      while (print_events(redis))
        pause_ms(ROUND_MS);
    pause_ms(RETRY_MS);
  }
  redis_free(redis);
  return 1;
}
