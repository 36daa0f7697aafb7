/* One connection to Redis: finding it, connecting, backing off, and the lifetime rules of hiredis.
 */

#include "wsd/link.h"

#include "common/log.h"
#include "common/redis.h"
#include "common/resolve.h"
#include "common/sentinel.h"

#include <hiredis/adapters/libev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double backoff_min_s = 0.1, backoff_max_s = 1, sentinel_patience_s = 0.5;

struct link {
  struct ev_loop *loop;
  const struct config *config;
  const char *name;
  struct link_owner owner;
  redisAsyncContext *redis; /* NULL while waiting for the next try; its data points back here */
  bool asking;              /* it is a Sentinel's */
  bool resolving;           /* the timer asks for the addresses again */
  int sentinel;             /* the one to ask */
  struct redis_address at;  /* whom it is connecting to, or connected with */
  char address[CONFIG_ITEM_SIZE]; /* that of its host; "" while it is not known */
  bool ready;
  char said[200]; /* why it was lost, as last logged; "" when it has worked since */
  double backoff_s;
  ev_timer timer; /* the next try, or the end of patience with this one */
};

redisAsyncContext *link_redis(const struct link *link) {
  return link->asking ? NULL : link->redis;
}

bool link_is_ready(const struct link *link) {
  return link->ready;
}

static void arm(struct link *link, double after_s) {
  ev_timer_stop(link->loop, &link->timer);
  ev_timer_set(&link->timer, after_s, 0.);
  ev_timer_start(link->loop, &link->timer);
}

/* The context is hiredis's to free, or freed: forget it and try again after a while. */
static void lost(struct link *link, const char *reason) {
  char quoted[200];
  link->redis = NULL;
  link->asking = false;
  if (!link->ready) { /* another one may know better */
    link->sentinel++;
    resolve_avoid(link->at.host, link->address);
  }
  link->ready = false;
  log_quote(reason, quoted, sizeof(quoted));
  if (strcmp(quoted, link->said) != 0) {
    log_warn("redis.lost", "link=%s msg=\"%s\"", link->name, quoted);
    memcpy(link->said, quoted, sizeof(quoted));
  }
  arm(link, link->backoff_s);
  link->backoff_s = link->backoff_s * 2 < backoff_max_s ? link->backoff_s * 2 : backoff_max_s;
  link->owner.on_lost(link->owner.arg);
}

void link_break(struct link *link, const char *reason) {
  redisAsyncContext *redis = link->redis;
  if (!redis)
    return;
  redis->data = NULL; /* so that its last callbacks do not count as a second loss */
  lost(link, reason);
  redisAsyncFree(redis);
}

static void on_auth(redisAsyncContext *redis, void *reply, void *arg) {
  const redisReply *r = reply;
  if (r && r->type == REDIS_REPLY_ERROR && redis->data)
    link_break(redis->data, r->str);
}

/* A Sentinel may have named a master that is none any more. */
static void on_role(redisAsyncContext *redis, void *reply, void *arg) {
  if (reply && redis->data && !sentinel_is_master(reply))
    link_break(redis->data, "not a master");
}

static void reach(struct link *link);

static void on_master(redisAsyncContext *redis, void *reply, void *arg) {
  struct link *link = redis->data;
  struct redis_address master;
  if (!reply || !link)
    return; /* lost; or given up */
  if (!sentinel_read(reply, &master)) {
    link_break(link, "the Sentinel knows no such master");
    return;
  }
  redis->data = link->redis = NULL;
  redisAsyncFree(redis);
  link->asking = false;
  link->at = master;
  reach(link);
}

static void on_connect(const redisAsyncContext *redis, int status) {
  struct link *link = redis->data;
  if (!link)
    return;
  if (status != REDIS_OK) {
    lost(link, redis->errstr); /* hiredis frees the context next */
    return;
  }
  if (link->asking) {
    const char *words[SENTINEL_WORDS];
    sentinel_question(link->config, words);
    redisAsyncCommandArgv(link->redis, on_master, NULL, SENTINEL_WORDS, words, NULL);
    return;
  }
  const char *words[REDIS_AUTH_WORDS];
  int count = redis_auth(link->config, words);
  if (count)
    redisAsyncCommandArgv(link->redis, on_auth, NULL, count, words, NULL);
  if (sentinel_count(link->config))
    redisAsyncCommand(link->redis, on_role, NULL, "ROLE");
  link->owner.on_connected(link->owner.arg);
}

static void on_disconnect(const redisAsyncContext *redis, int status) {
  struct link *link = redis->data;
  if (link)
    lost(link, status == REDIS_OK ? "disconnected" : redis->errstr);
}

static void open_link(struct link *link) {
  redisAsyncContext *redis = strchr(link->address, '/')
                                 ? redisAsyncConnectUnix(link->address)
                                 : redisAsyncConnect(link->address, link->at.port);
  if (!redis)
    log_oom();
  if (redis->err) {
    lost(link, redis->errstr);
    redisAsyncFree(redis);
    return;
  }
  redis->data = link;
  link->redis = redis;
  redisLibevAttach(link->loop, redis);
  redisAsyncSetConnectCallback(redis, on_connect);
  redisAsyncSetDisconnectCallback(redis, on_disconnect);
}

/* Connects to the first of the addresses of link->at, each of which has its share of the time; asks
 * again soon while they are not known. */
static void reach(struct link *link) {
  struct resolved found;
  const char *why;
  link->address[0] = '\0';
  switch (resolve_poll(link->at.host, &found, &why)) {
  case RESOLVE_FOUND:
    memcpy(link->address, found.address[0], sizeof(link->address));
    arm(link, (link->asking ? sentinel_patience_s : LINK_READY_S) / found.count);
    open_link(link);
    break;
  case RESOLVE_PENDING:
    link->resolving = true;
    arm(link, RESOLVE_POLL_S);
    break;
  case RESOLVE_FAILED:
    lost(link, why);
    break;
  }
}

static void connect_link(struct link *link) {
  const struct config *config = link->config;
  link->asking = sentinel_count(config) > 0;
  if (link->asking) {
    sentinel_at(config, link->sentinel, &link->at);
  } else {
    snprintf(link->at.host, sizeof(link->at.host), "%s", config->resolved_redis_host);
    link->at.port = (int)config->redis_port;
  }
  reach(link);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events) {
  struct link *link = timer->data;
  bool resolving = link->resolving;
  link->resolving = false;
  if (link->redis)
    link_break(link, "no answer to the first commands");
  else if (resolving)
    reach(link);
  else
    connect_link(link);
}

void link_ready(struct link *link) {
  if (!link->redis || link->ready)
    return;
  link->ready = true;
  link->said[0] = '\0';
  link->backoff_s = backoff_min_s;
  ev_timer_stop(link->loop, &link->timer);
  log_info("redis.ready", "link=%s", link->name);
}

struct link *link_new(struct ev_loop *loop, const struct config *config, const char *name,
                      const struct link_owner *owner) {
  struct link *link = calloc(1, sizeof(*link));
  if (!link)
    log_oom();
  link->loop = loop;
  link->config = config;
  link->name = name;
  link->owner = *owner;
  link->backoff_s = backoff_min_s;
  ev_timer_init(&link->timer, on_timer, 0., 0.);
  link->timer.data = link;
  arm(link, 0.);
  return link;
}

void link_free(struct link *link) {
  if (!link)
    return;
  ev_timer_stop(link->loop, &link->timer);
  if (link->redis) {
    link->redis->data = NULL;
    redisAsyncFree(link->redis);
  }
  free(link);
}
