/* One connection to Redis: finding it, connecting, backing off, and the lifetime rules of hiredis.
 */

#include "common/redis/async.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/redis.h"
#include "common/refusal.h"
#include "common/resolve.h"
#include "common/sentinel.h"

#include <hiredis/adapters/libev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double backoff_min_s = 0.1, backoff_max_s = 1, sentinel_patience_s = 0.5, beat_s = 1;

struct redis_async {
  struct ev_loop *loop;
  const struct config *config;
  const char *name;
  struct redis_async_owner owner;
  redisAsyncContext *redis; /* NULL while waiting for the next try; its data points back here */
  bool asking;              /* the connection is to a Sentinel */
  bool resolving;           /* the timer asks for the addresses again */
  int sentinel;             /* the one to ask */
  struct redis_address at;  /* the server of this connection or attempt */
  char address[CONFIG_ITEM_SIZE]; /* that of its host; "" while it is not known */
  bool ready;
  int64_t heard_ms; /* when the last reply to a heartbeat came */
  char said[200];   /* the last reason that was logged; "" when it has worked since */
  double backoff_s;
  ev_timer timer; /* the next try, the end of patience with this one, or the next heartbeat */
};

redisAsyncContext *redis_async_context(const struct redis_async *client) {
  return client->asking ? NULL : client->redis;
}

bool redis_async_is_ready(const struct redis_async *client) {
  return client->ready;
}

static void arm(struct redis_async *client, double after_s) {
  ev_timer_stop(client->loop, &client->timer);
  ev_timer_set(&client->timer, after_s, 0.);
  ev_timer_start(client->loop, &client->timer);
}

/* The context is hiredis's to free, or freed: forget it and try again after a while. */
static void lost(struct redis_async *client, const char *reason) {
  char quoted[200];
  bool was_ready = client->ready;
  client->redis = NULL;
  client->asking = false;
  if (!was_ready) { /* another one may know better */
    client->sentinel++;
    resolve_avoid(client->at.host, client->address);
  }
  client->ready = false;
  log_quote(reason, quoted, sizeof(quoted));
  if (strcmp(quoted, client->said) != 0) {
    log_warn("redis.lost", "connection=%s msg=\"%s\"", client->name, quoted);
    memcpy(client->said, quoted, sizeof(quoted));
  }
  arm(client, client->backoff_s);
  client->backoff_s = client->backoff_s * 2 < backoff_max_s ? client->backoff_s * 2 : backoff_max_s;
  if (client->owner.on_lost)
    client->owner.on_lost(client->owner.arg, was_ready);
}

void redis_async_break(struct redis_async *client, const char *reason) {
  redisAsyncContext *redis = client->redis;
  if (!redis)
    return;
  redis->data = NULL; /* so that its last callbacks do not count as a second loss */
  lost(client, reason);
  redisAsyncFree(redis);
}

static void on_auth(redisAsyncContext *redis, void *reply, void *arg) {
  const redisReply *r = reply;
  if (r && r->type == REDIS_REPLY_ERROR && redis->data)
    redis_async_break(redis->data, r->str);
}

/* A Sentinel may have named a former master. */
static void on_role(redisAsyncContext *redis, void *reply, void *arg) {
  if (reply && redis->data && !sentinel_is_master(reply))
    redis_async_break(redis->data, "not a master");
}

static void reach(struct redis_async *client);

static void on_master(redisAsyncContext *redis, void *reply, void *arg) {
  struct redis_async *client = redis->data;
  struct redis_address master;
  if (!reply || !client)
    return; /* the connection is lost or was broken off */
  if (!sentinel_read(reply, &master)) {
    redis_async_break(client, "the Sentinel knows no such master");
    return;
  }
  redis->data = client->redis = NULL;
  redisAsyncFree(redis);
  client->asking = false;
  client->at = master;
  reach(client);
}

static void on_connect(const redisAsyncContext *redis, int status) {
  struct redis_async *client = redis->data;
  if (!client)
    return;
  if (status != REDIS_OK) {
    lost(client, redis->errstr); /* hiredis frees the context next */
    return;
  }
  if (client->asking) {
    const char *words[SENTINEL_WORDS];
    sentinel_question(client->config, words);
    redisAsyncCommandArgv(client->redis, on_master, NULL, SENTINEL_WORDS, words, NULL);
    return;
  }
  const char *words[REDIS_AUTH_WORDS];
  int count = redis_auth(client->config, words);
  if (count)
    redisAsyncCommandArgv(client->redis, on_auth, NULL, count, words, NULL);
  if (sentinel_count(client->config))
    redisAsyncCommand(client->redis, on_role, NULL, "ROLE");
  client->owner.on_connected(client->owner.arg);
}

static void on_disconnect(const redisAsyncContext *redis, int status) {
  struct redis_async *client = redis->data;
  if (client)
    lost(client, status == REDIS_OK ? "disconnected" : redis->errstr);
}

static void open_connection(struct redis_async *client) {
  redisAsyncContext *redis = strchr(client->address, '/')
                                 ? redisAsyncConnectUnix(client->address)
                                 : redisAsyncConnect(client->address, client->at.port);
  if (!redis)
    log_oom();
  if (redis->err) {
    lost(client, redis->errstr);
    redisAsyncFree(redis);
    return;
  }
  redis->data = client;
  client->redis = redis;
  redisLibevAttach(client->loop, redis);
  redisAsyncSetConnectCallback(redis, on_connect);
  redisAsyncSetDisconnectCallback(redis, on_disconnect);
}

/* Connects to the first of the addresses of client->at, each of which has its share of the time;
 * asks again soon while they are not known. */
static void reach(struct redis_async *client) {
  struct resolved found;
  const char *why;
  client->address[0] = '\0';
  switch (resolve_poll(client->at.host, &found, &why)) {
  case RESOLVE_FOUND:
    memcpy(client->address, found.address[0], sizeof(client->address));
    arm(client, (client->asking ? sentinel_patience_s : REDIS_ASYNC_READY_S) / found.count);
    open_connection(client);
    break;
  case RESOLVE_PENDING:
    client->resolving = true;
    arm(client, RESOLVE_POLL_S);
    break;
  case RESOLVE_FAILED:
    lost(client, why);
    break;
  }
}

static void start(struct redis_async *client) {
  const struct config *config = client->config;
  client->asking = sentinel_count(config) > 0;
  if (client->asking) {
    sentinel_at(config, client->sentinel, &client->at);
  } else {
    snprintf(client->at.host, sizeof(client->at.host), "%s", config->resolved_redis_host);
    client->at.port = (int)config->redis_port;
  }
  reach(client);
}

/* A master that was cut off, and perhaps replaced, refuses the write. */
static void on_beat_reply(redisAsyncContext *redis, void *reply, void *arg) {
  struct redis_async *client = redis->data;
  const redisReply *r = reply;
  if (!r || !client)
    return;
  client->heard_ms = clock_monotonic_ms();
  if (r->type == REDIS_REPLY_ERROR && sentinel_count(client->config) &&
      refusal_by_redis(r->str)->reconnect)
    redis_async_break(client, r->str);
}

static void beat(struct redis_async *client) {
  if (clock_monotonic_ms() - client->heard_ms > REDIS_ASYNC_SILENCE_MS) {
    redis_async_break(client, "no reply to the heartbeat");
    return;
  }
  if (sentinel_count(client->config))
    redisAsyncCommandArgv(client->redis, on_beat_reply, NULL, SENTINEL_WRITE_WORDS,
                          (const char **)sentinel_write, NULL);
  else
    redisAsyncCommand(client->redis, on_beat_reply, NULL, "PING");
  arm(client, beat_s);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events) {
  struct redis_async *client = timer->data;
  bool resolving = client->resolving;
  client->resolving = false;
  if (client->ready)
    beat(client);
  else if (client->redis)
    redis_async_break(client, "no reply to the first commands");
  else if (resolving)
    reach(client);
  else
    start(client);
}

void redis_async_ready(struct redis_async *client) {
  if (!client->redis || client->ready)
    return;
  client->ready = true;
  client->said[0] = '\0';
  client->backoff_s = backoff_min_s;
  client->heard_ms = clock_monotonic_ms();
  if (client->owner.subscribes)
    ev_timer_stop(client->loop, &client->timer);
  else
    arm(client, beat_s);
  log_info("redis.ready", "connection=%s", client->name);
}

struct redis_async *redis_async_new(struct ev_loop *loop, const struct config *config,
                                    const char *name, const struct redis_async_owner *owner) {
  struct redis_async *client = calloc(1, sizeof(*client));
  if (!client)
    log_oom();
  client->loop = loop;
  client->config = config;
  client->name = name;
  client->owner = *owner;
  client->backoff_s = backoff_min_s;
  ev_timer_init(&client->timer, on_timer, 0., 0.);
  client->timer.data = client;
  arm(client, 0.);
  return client;
}

void redis_async_free(struct redis_async *client) {
  if (!client)
    return;
  ev_timer_stop(client->loop, &client->timer);
  if (client->redis) {
    client->redis->data = NULL;
    redisAsyncFree(client->redis);
  }
  free(client);
}
