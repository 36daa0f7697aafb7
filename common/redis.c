/* Redis: finding the server, connecting, and what every connection asks first. */

#include "common/redis.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/redis/parts.h"
#include "common/resolve.h"
#include "common/sentinel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct redis *redis_new(const struct config *config) {
  struct redis *redis = calloc(1, sizeof(*redis));
  if (!redis)
    log_oom();
  redis->config = config;
  return redis;
}

void redis_disconnect(struct redis *redis) {
  if (redis->context)
    redisFree(redis->context);
  redis->context = NULL;
  redis->run_id[0] = '\0';
  for (size_t i = redis->next; i < redis->count; i++)
    redis_drop_command(&redis->commands[i]);
  redis->count = redis->next = 0;
}

void redis_free(struct redis *redis) {
  if (!redis)
    return;
  redis_disconnect(redis);
  free(redis->commands);
  free(redis);
}

const char *redis_run_id(const struct redis *redis) {
  return redis->run_id;
}

bool redis_timed_out(const struct redis *redis) {
  return redis->timed_out;
}

const struct refusal *redis_refusal(const struct redis *redis) {
  return redis->refusal;
}

static void log_failure(struct redis *redis, const char *what, const char *why) {
  char quoted[200];
  if (clock_monotonic_ms() < redis->quiet_until_ms)
    return;
  log_warn("redis.failed", "op=%s msg=\"%s\"", what, log_quote(why, quoted, sizeof(quoted)));
  redis->quiet_until_ms = clock_monotonic_ms() + REDIS_QUIET_MS;
}

void redis_fail(struct redis *redis, const char *what) {
  const char *why = redis->context ? redis->context->errstr : "out of memory";
  redis->timed_out = redis->context && redis->context->err == REDIS_ERR_IO &&
                     (errno == EAGAIN || errno == EWOULDBLOCK || errno == ETIMEDOUT);
  redis->refusal = NULL;
  log_failure(redis, what, why);
  redis_disconnect(redis);
}

static struct timeval timeval_of(int ms) {
  return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000L};
}

static bool dial_address(struct redis *redis, const char *address, int port, int connect_ms,
                         int timeout_ms) {
  redis->context = strchr(address, '/')
                       ? redisConnectUnixWithTimeout(address, timeval_of(connect_ms))
                       : redisConnectWithTimeout(address, port, timeval_of(connect_ms));
  if (!redis->context || redis->context->err ||
      redisSetTimeout(redis->context, timeval_of(timeout_ms)) != REDIS_OK) {
    redis_fail(redis, "connect");
    return false;
  }
  return true;
}

/* No address of the host may take the time of the later ones. */
static bool dial(struct redis *redis, const char *host, int port, int timeout_ms) {
  struct resolved found;
  const char *why;
  bool any_late = false;
  snprintf(redis->host, sizeof(redis->host), "%s", host);
  redis->address[0] = '\0';
  enum resolve_status status = resolve_wait(host, clock_monotonic_ms() + timeout_ms, &found, &why);
  if (status != RESOLVE_FOUND) {
    log_failure(redis, "connect", why);
    redis->timed_out = status == RESOLVE_PENDING;
    return false;
  }
  for (int i = 0; i < found.count; i++) {
    memcpy(redis->address, found.address[i], sizeof(redis->address));
    if (dial_address(redis, redis->address, port, timeout_ms / found.count, timeout_ms))
      return true;
    any_late |= redis->timed_out;
    resolve_avoid(host, redis->address);
  }
  redis->timed_out = any_late;
  return false;
}

/* Asks one Sentinel after the other, the one that was right last first. */
static bool find_master(struct redis *redis, struct redis_address *master) {
  for (int left = sentinel_count(redis->config); left > 0; left--) {
    struct redis_address sentinel;
    sentinel_at(redis->config, redis->sentinel, &sentinel);
    bool found = false;
    if (dial(redis, sentinel.host, sentinel.port, REDIS_SENTINEL_TIMEOUT_MS)) {
      const char *words[SENTINEL_WORDS];
      sentinel_question(redis->config, words);
      redis_queue(redis, SENTINEL_WORDS, words, NULL);
      cleanup_reply redisReply *reply = redis_next(redis);
      found = sentinel_read(reply, master);
      redis_disconnect(redis);
    }
    if (found)
      return true;
    redis->sentinel++;
  }
  return false;
}

static bool open_connection(struct redis *redis) {
  const struct config *config = redis->config;
  if (sentinel_count(config)) {
    struct redis_address master;
    return find_master(redis, &master) && dial(redis, master.host, master.port, REDIS_TIMEOUT_MS);
  }
  return dial(redis, config->resolved_redis_host, (int)config->redis_port, REDIS_TIMEOUT_MS);
}

int redis_auth(const struct config *config, const char *words[REDIS_AUTH_WORDS]) {
  int count = 0;
  if (!*config->redis_username && !*config->redis_password)
    return 0;
  words[count++] = "AUTH";
  if (*config->redis_username)
    words[count++] = config->redis_username;
  words[count++] = config->redis_password;
  return count;
}

static bool authenticate(struct redis *redis) {
  const char *words[REDIS_AUTH_WORDS];
  int count = redis_auth(redis->config, words);
  if (!count)
    return true;
  redis_queue(redis, count, words, NULL);
  cleanup_reply redisReply *reply = redis_next(redis);
  return reply && reply->type != REDIS_REPLY_ERROR;
}

/* A Sentinel may have named a former master. */
static bool check_role(struct redis *redis) {
  if (!sentinel_count(redis->config))
    return true;
  const char *const argv[] = {"ROLE"};
  redis_queue(redis, 1, argv, NULL);
  cleanup_reply redisReply *reply = redis_next(redis);
  return sentinel_is_master(reply);
}

static bool learn_run_id(struct redis *redis) {
  const char *const argv[] = {"INFO", "server"};
  redis_queue(redis, 2, argv, NULL);
  cleanup_reply redisReply *reply = redis_next(redis);
  const char *at =
      reply && reply->type == REDIS_REPLY_STRING ? strstr(reply->str, "run_id:") : NULL;
  if (!at)
    return false;
  at += strlen("run_id:");
  snprintf(redis->run_id, sizeof(redis->run_id), "%.*s", (int)strcspn(at, "\r\n"), at);
  return true;
}

/* Nothing may be read for long from a master that was cut off and perhaps replaced. One that
 * refuses for another reason, such as a full disk, is still the master. */
static bool check_writable(struct redis *redis) {
  int64_t now = clock_monotonic_ms();
  if (!sentinel_count(redis->config) || now - redis->written_ms < SENTINEL_WRITE_MS)
    return true;
  redis_queue(redis, SENTINEL_WRITE_WORDS, sentinel_write, NULL);
  cleanup_reply redisReply *reply = redis_next(redis);
  redis->written_ms = now;
  return reply && redis->context;
}

/* An idle connection on which something can be read has been closed by the server. */
static bool is_stale(const struct redis *redis) {
  char byte;
  return recv(redis->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
         (errno != EAGAIN && errno != EWOULDBLOCK);
}

bool redis_connect(struct redis *redis) {
  if (redis->context && is_stale(redis))
    redis_disconnect(redis);
  return redis_connect_for_reading(redis);
}

bool redis_connect_for_reading(struct redis *redis) {
  redis->timed_out = false;
  redis->refusal = NULL;
  if (redis->context && check_writable(redis))
    return true;
  redis_disconnect(redis);
  redis->written_ms = 0;
  if (open_connection(redis) && authenticate(redis) && check_role(redis) && check_writable(redis) &&
      learn_run_id(redis) && redis_load_scripts(redis)) {
    redis->quiet_until_ms = 0;
    redis->refusal = NULL;
    redis->timed_out = false; /* another address, or the connection before */
    return true;
  }
  redis_disconnect(redis);
  redis->sentinel++; /* another one may know better */
  resolve_avoid(redis->host, redis->address);
  return false;
}
