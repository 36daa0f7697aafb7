/* The subscriber. What an event means is the hub's business. */

#include "wsd/feed.h"

#include "common/clock.h"
#include "calls/keys.h"
#include "common/log.h"
#include "common/refusal.h"
#include "common/sentinel.h"
#include "common/redis_async.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double beat_s = 1;

struct feed {
  struct ev_loop *loop;
  const struct config *config;
  struct redis_async *commands, *subscriber;
  struct feed_owner owner;
  char heartbeat[KEYS_SIZE]; /* our private channel */
  int64_t heard_ms;          /* when the subscriber last brought anything */
  ev_timer beat;
};

static void on_subscribed(struct feed *feed) {
  if (redis_async_is_ready(feed->subscriber))
    return;
  redis_async_ready(feed->subscriber);
  feed->owner.on_subscribed(feed->owner.arg);
}

static bool is(const redisReply *r, const char *text) {
  return r->type == REDIS_REPLY_STRING && r->len == strlen(text) &&
         memcmp(r->str, text, r->len) == 0;
}

/* All that comes on the connection: confirmations, events, our heartbeat; NULL when it ends. */
static void on_message(redisAsyncContext *redis, void *reply, void *arg) {
  struct feed *feed = arg;
  const redisReply *r = reply;
  if (!r || !redis->data)
    return;
  if (r->type != REDIS_REPLY_ARRAY || r->elements != 3) {
    redis_async_break(feed->subscriber, r->type == REDIS_REPLY_ERROR ? r->str : "unexpected reply");
    return;
  }
  feed->heard_ms = clock_monotonic_ms();
  const redisReply *kind = r->element[0], *channel = r->element[1], *body = r->element[2];
  if (is(kind, "subscribe") && body->integer == KEYS_SHARDS + 1)
    on_subscribed(feed);
  else if (is(kind, "message") && body->type == REDIS_REPLY_STRING && !is(channel, feed->heartbeat))
    feed->owner.on_event(feed->owner.arg, body->str, body->len);
}

static void on_connected(void *arg) {
  struct feed *feed = arg;
  char channels[KEYS_SHARDS][KEYS_SIZE];
  const char *argv[KEYS_SHARDS + 2] = {"SUBSCRIBE", feed->heartbeat};
  for (int shard = 0; shard < KEYS_SHARDS; shard++) {
    keys_events(shard, channels[shard]);
    argv[shard + 2] = channels[shard];
  }
  redisAsyncCommandArgv(redis_async_context(feed->subscriber), on_message, feed, KEYS_SHARDS + 2,
                        argv, NULL);
}

static void on_lost(void *arg) {
}

static void break_links(struct feed *feed, const char *reason) {
  redis_async_break(feed->subscriber, reason);
  redis_async_break(feed->commands, reason);
}

/* A master that was cut off, and perhaps replaced, goes on publishing what nobody has to say. */
static void on_written(redisAsyncContext *redis, void *reply, void *arg) {
  const redisReply *r = reply;
  if (r && redis->data && r->type == REDIS_REPLY_ERROR && refusal_by_redis(r->str)->reconnect)
    break_links(arg, r->str);
}

static void on_beat(struct ev_loop *loop, ev_timer *timer, int events) {
  struct feed *feed = timer->data;
  if (redis_async_is_ready(feed->subscriber) &&
      clock_monotonic_ms() - feed->heard_ms > FEED_SILENCE_MS) {
    break_links(feed, "silence on the subscriber");
    return;
  }
  if (!redis_async_is_ready(feed->commands))
    return;
  redisAsyncCommand(redis_async_context(feed->commands), NULL, NULL, "PUBLISH %s 1",
                    feed->heartbeat);
  if (sentinel_count(feed->config))
    redisAsyncCommandArgv(redis_async_context(feed->commands), on_written, feed,
                          SENTINEL_WRITE_WORDS, (const char **)sentinel_write, NULL);
}

struct feed *feed_new(struct ev_loop *loop, const struct config *config,
                      struct redis_async *commands, const struct feed_owner *owner) {
  struct feed *feed = calloc(1, sizeof(*feed));
  if (!feed)
    log_oom();
  feed->loop = loop;
  feed->config = config;
  feed->commands = commands;
  feed->owner = *owner;
  snprintf(feed->heartbeat, sizeof(feed->heartbeat), "mcs:wsd:%08x%08x", arc4random(),
           arc4random());
  ev_timer_init(&feed->beat, on_beat, beat_s, beat_s);
  feed->beat.data = feed;
  ev_timer_start(loop, &feed->beat);
  const struct redis_async_owner redis_async_owner = {on_connected, on_lost, feed};
  feed->subscriber = redis_async_new(loop, config, "events", &redis_async_owner);
  return feed;
}

void feed_free(struct feed *feed) {
  ev_timer_stop(feed->loop, &feed->beat);
  redis_async_free(feed->subscriber);
  free(feed);
}
