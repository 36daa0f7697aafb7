/* The subscription and its heartbeat. What an event means is the hub's business. */

#include "wsd/feed.h"

#include "calls/keys.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/redis/async.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double beat_s = 1;

struct feed {
  struct ev_loop *loop;
  struct redis_async *publisher, *subscriber;
  struct feed_owner owner;
  char heartbeat[KEYS_SIZE]; /* our private channel */
  int64_t heard_ms;          /* when the subscriber last brought anything */
  ev_timer beat;
};

/* --- the subscriber --------------------------------------------------------------------------- */

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
  if (is(kind, "subscribe") && body->integer == ID_SHARDS + 1)
    on_subscribed(feed);
  else if (is(kind, "message") && body->type == REDIS_REPLY_STRING && !is(channel, feed->heartbeat))
    feed->owner.on_event(feed->owner.arg, body->str, body->len);
}

static void on_subscriber_connected(void *arg) {
  struct feed *feed = arg;
  char channels[ID_SHARDS][KEYS_SIZE];
  const char *argv[ID_SHARDS + 2] = {"SUBSCRIBE", feed->heartbeat};
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    keys_events(shard, channels[shard]);
    argv[shard + 2] = channels[shard];
  }
  redisAsyncCommandArgv(redis_async_context(feed->subscriber), on_message, feed, ID_SHARDS + 2,
                        argv, NULL);
}

/* --- the heartbeat ---------------------------------------------------------------------------- */

/* An error does: where publishing is denied, the subscriber's silence says so. */
static void on_published(redisAsyncContext *redis, void *reply, void *arg) {
  struct feed *feed = arg;
  if (reply && redis->data)
    redis_async_ready(feed->publisher);
}

static void publish(struct feed *feed) {
  redisAsyncCommand(redis_async_context(feed->publisher), on_published, feed, "PUBLISH %s 1",
                    feed->heartbeat);
}

static void on_publisher_connected(void *arg) {
  publish(arg);
}

/* A master that was cut off refuses the publisher, and tells the subscriber nothing. */
static void on_publisher_lost(void *arg, bool was_ready) {
  struct feed *feed = arg;
  if (was_ready)
    redis_async_break(feed->subscriber, "its heartbeat's connection was lost");
}

static void on_beat(struct ev_loop *loop, ev_timer *timer, int events) {
  struct feed *feed = timer->data;
  bool silent = clock_monotonic_ms() - feed->heard_ms > FEED_SILENCE_MS;
  if (redis_async_is_ready(feed->subscriber) && silent) {
    redis_async_break(feed->subscriber, "silence on the subscription");
    redis_async_break(feed->publisher, "silence on the subscription");
  } else if (redis_async_is_ready(feed->publisher)) {
    publish(feed);
  }
}

/* --- life ------------------------------------------------------------------------------------- */

struct feed *feed_new(struct ev_loop *loop, const struct config *config,
                      const struct feed_owner *owner) {
  struct feed *feed = calloc(1, sizeof(*feed));
  if (!feed)
    log_oom();
  feed->loop = loop;
  feed->owner = *owner;
  snprintf(feed->heartbeat, sizeof(feed->heartbeat), "mcs:wsd:%08x%08x", arc4random(),
           arc4random());
  ev_timer_init(&feed->beat, on_beat, beat_s, beat_s);
  feed->beat.data = feed;
  ev_timer_start(loop, &feed->beat);
  const struct redis_async_owner subscriber = {
      .on_connected = on_subscriber_connected, .arg = feed, .subscribes = true};
  const struct redis_async_owner publisher = {
      .on_connected = on_publisher_connected, .on_lost = on_publisher_lost, .arg = feed};
  feed->subscriber = redis_async_new(loop, config, "events", &subscriber);
  feed->publisher = redis_async_new(loop, config, "heartbeat", &publisher);
  return feed;
}

void feed_free(struct feed *feed) {
  ev_timer_stop(feed->loop, &feed->beat);
  redis_async_free(feed->publisher);
  redis_async_free(feed->subscriber);
  free(feed);
}
