/* Redis: connecting, and pipelines of commands and scripts. */

#include "common/redis.h"

#include "common/clock.h"
#include "common/embedded.h"
#include "common/log.h"
#include "common/resolve.h"
#include "common/sentinel.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { SCRIPTS_MAX = 32, ARGS_MAX = 32, QUIET_MS = 5000, SCRIPT_TRIES = 3 };

/* A queued command whose reply has not been given out yet. */
struct command {
  char *script; /* the bytes of an EVALSHA, should it have to be repeated; else NULL */
  size_t script_len;
  redisReply *reply; /* NULL until it was read */
};

struct redis {
  const struct config *config;
  redisContext *context; /* NULL while not connected */
  char run_id[48];
  char sha[SCRIPTS_MAX][41]; /* in the order of embedded_lua */
  struct command *commands;  /* those in the pipeline, in order; from `next` on they lack a reply */
  size_t count, next, room;
  const struct refusal *refusal; /* the last error reply since the last connect, if that failed */
  bool timed_out;
  char host[CONFIG_ITEM_SIZE], address[CONFIG_ITEM_SIZE]; /* dialled last; "" before that */
  int sentinel;                                           /* the one to ask first */
  int64_t written_ms;     /* when it was last seen to be writable, where there are Sentinels */
  int64_t quiet_until_ms; /* a server that stays away is not news every time */
  int64_t error_quiet_until_ms;
};

struct redis *redis_new(const struct config *config) {
  struct redis *redis = calloc(1, sizeof(*redis));
  if (!redis)
    log_oom();
  redis->config = config;
  return redis;
}

static void drop_command(struct command *command) {
  free(command->script);
  if (command->reply)
    freeReplyObject(command->reply);
  *command = (struct command){0};
}

static void disconnect(struct redis *redis) {
  if (redis->context)
    redisFree(redis->context);
  redis->context = NULL;
  redis->run_id[0] = '\0';
  for (size_t i = redis->next; i < redis->count; i++)
    drop_command(&redis->commands[i]);
  redis->count = redis->next = 0;
}

void redis_free(struct redis *redis) {
  if (!redis)
    return;
  disconnect(redis);
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
  redis->quiet_until_ms = clock_monotonic_ms() + QUIET_MS;
}

static void fail(struct redis *redis, const char *what) {
  const char *why = redis->context ? redis->context->errstr : "out of memory";
  redis->timed_out = redis->context && redis->context->err == REDIS_ERR_IO &&
                     (errno == EAGAIN || errno == EWOULDBLOCK || errno == ETIMEDOUT);
  redis->refusal = NULL;
  log_failure(redis, what, why);
  disconnect(redis);
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
    fail(redis, "connect");
    return false;
  }
  return true;
}

/* None of the host's addresses may take the time of those behind it. */
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
      disconnect(redis);
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

/* A Sentinel may have named a master that is none any more. */
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

static bool load_scripts(struct redis *redis);

/* A master that was cut off, and perhaps replaced, must not be read from for long either. One that
 * refuses for another reason, such as a full disk, is the master nevertheless. */
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
    disconnect(redis);
  return redis_connect_for_reading(redis);
}

bool redis_connect_for_reading(struct redis *redis) {
  redis->timed_out = false;
  redis->refusal = NULL;
  if (redis->context && check_writable(redis))
    return true;
  disconnect(redis);
  redis->written_ms = 0;
  if (open_connection(redis) && authenticate(redis) && check_role(redis) && check_writable(redis) &&
      learn_run_id(redis) && load_scripts(redis)) {
    redis->quiet_until_ms = 0;
    redis->refusal = NULL;
    redis->timed_out = false; /* another address, or the connection before */
    return true;
  }
  disconnect(redis);
  redis->sentinel++; /* another one may know better */
  resolve_avoid(redis->host, redis->address);
  return false;
}

/* --- the pipeline ----------------------------------------------------------------------------- */

static struct command *add_command(struct redis *redis) {
  if (redis->next == redis->count)
    redis->count = redis->next = 0;
  if (redis->count == redis->room) {
    redis->room = redis->room ? redis->room * 2 : 32;
    redis->commands = realloc(redis->commands, redis->room * sizeof(*redis->commands));
    if (!redis->commands)
      log_oom();
  }
  redis->commands[redis->count] = (struct command){0};
  return &redis->commands[redis->count++];
}

void redis_queue(struct redis *redis, int argc, const char *const *argv, const size_t *lens) {
  if (!redis->context)
    return;
  add_command(redis);
  if (redisAppendCommandArgv(redis->context, argc, (const char **)argv, lens) != 0)
    log_oom();
}

static int script_index(const char *name) {
  for (int i = 0; embedded_lua[i].name; i++)
    if (strcmp(embedded_lua[i].name, name) == 0)
      return i;
  assert(!"a script that lua/ does not have");
}

static void append_script(struct redis *redis, const struct command *command) {
  if (redisAppendFormattedCommand(redis->context, command->script, command->script_len) != 0)
    log_oom();
}

void redis_queue_script(struct redis *redis, const char *script, int keys, int argc,
                        const char *const *argv, const size_t *lens) {
  const char *all[ARGS_MAX + 3];
  size_t all_lens[ARGS_MAX + 3];
  char keys_text[12];
  assert(argc <= ARGS_MAX);
  if (!redis->context)
    return;
  snprintf(keys_text, sizeof(keys_text), "%d", keys);
  all[0] = "EVALSHA";
  all[1] = redis->sha[script_index(script)];
  all[2] = keys_text;
  for (int i = 0; i < 3; i++)
    all_lens[i] = strlen(all[i]);
  for (int i = 0; i < argc; i++) {
    all[3 + i] = argv[i];
    all_lens[3 + i] = lens ? lens[i] : strlen(argv[i]);
  }
  struct command *command = add_command(redis);
  int len = redisFormatCommandArgv(&command->script, argc + 3, all, all_lens);
  if (len < 0)
    log_oom();
  command->script_len = (size_t)len;
  append_script(redis, command);
}

static void note_refusal(struct redis *redis, const char *error) {
  redis->refusal = refusal_by_redis(error);
  if (clock_monotonic_ms() < redis->error_quiet_until_ms)
    return;
  char quoted[200];
  log_warn("redis.error", "msg=\"%s\"", log_quote(error, quoted, sizeof(quoted)));
  redis->error_quiet_until_ms = clock_monotonic_ms() + QUIET_MS;
}

static bool receive(struct redis *redis, redisReply **reply) {
  void *got = NULL;
  errno = 0;
  if (redisGetReply(redis->context, &got) != REDIS_OK) {
    fail(redis, "reply");
    return false;
  }
  *reply = got;
  return true;
}

static bool is_forgotten(const struct command *command) {
  return command->script && command->reply->type == REDIS_REPLY_ERROR &&
         strncmp(command->reply->str, "NOSCRIPT", strlen("NOSCRIPT")) == 0;
}

/* Nothing may be outstanding. */
static bool load_scripts(struct redis *redis) {
  for (const struct embedded_text *s = embedded_lua; s->name; s++) {
    const char *argv[] = {"SCRIPT", "LOAD", s->text};
    if (redisAppendCommandArgv(redis->context, ARRAY_LEN(argv), argv, NULL) != 0)
      log_oom();
  }
  bool good = true;
  for (int i = 0; embedded_lua[i].name; i++) {
    assert(i < SCRIPTS_MAX);
    cleanup_reply redisReply *reply = NULL;
    if (!receive(redis, &reply))
      return false;
    if (reply->type == REDIS_REPLY_ERROR)
      note_refusal(redis, reply->str);
    good = good && reply->type == REDIS_REPLY_STRING && reply->len == 40;
    if (good)
      memcpy(redis->sha[i], reply->str, 41);
  }
  return good;
}

/* Repeats the scripts of the pipeline that the server did not know any more. */
static bool repeat_forgotten(struct redis *redis) {
  for (size_t i = redis->next; i < redis->count; i++)
    if (!redis->commands[i].reply && !receive(redis, &redis->commands[i].reply))
      return false;
  if (!load_scripts(redis))
    return redis->context != NULL;
  log_info("redis.scripts", "msg=\"Redis had forgotten our scripts; loaded them again\"");
  for (size_t i = redis->next; i < redis->count; i++)
    if (is_forgotten(&redis->commands[i]))
      append_script(redis, &redis->commands[i]);
  for (size_t i = redis->next; i < redis->count; i++) {
    struct command *command = &redis->commands[i];
    if (!is_forgotten(command))
      continue;
    freeReplyObject(command->reply);
    command->reply = NULL;
    if (!receive(redis, &command->reply))
      return false;
  }
  return true;
}

/* The next reply in order. What comes to a subscriber has no command. */
static redisReply *next_in_order(struct redis *redis) {
  redisReply *reply = NULL;
  if (redis->next == redis->count)
    return receive(redis, &reply) ? reply : NULL;
  struct command *command = &redis->commands[redis->next];
  if (!command->reply && !receive(redis, &command->reply))
    return NULL;
  for (int tries = 1; is_forgotten(command) && tries < SCRIPT_TRIES; tries++)
    if (!repeat_forgotten(redis))
      return NULL;
  reply = command->reply;
  command->reply = NULL;
  drop_command(command);
  redis->next++;
  return reply;
}

redisReply *redis_next(struct redis *redis) {
  redisReply *reply = redis->context ? next_in_order(redis) : NULL;
  if (!reply || reply->type != REDIS_REPLY_ERROR)
    return reply;
  note_refusal(redis, reply->str);
  if (redis->refusal->reconnect)
    disconnect(redis);
  return reply;
}

bool redis_subscribe(struct redis *redis, int count, const char *const *channels) {
  const char *words[ARGS_MAX + 1] = {"SUBSCRIBE"};
  assert(count <= ARGS_MAX);
  memcpy(words + 1, channels, (size_t)count * sizeof(*channels));
  disconnect(redis);
  if (!redis_connect_for_reading(redis))
    return false;
  if (redis->context->connection_type == REDIS_CONN_TCP)
    redisEnableKeepAlive(redis->context); /* notices a host that vanished */
  redis_queue(redis, count + 1, words, NULL);
  while (count-- > 0) { /* each channel is confirmed; an error is one reply for all */
    cleanup_reply redisReply *reply = redis_next(redis);
    if (!reply || reply->type == REDIS_REPLY_ERROR) {
      disconnect(redis);
      return false;
    }
  }
  return true;
}

redisReply *redis_pushed(struct redis *redis) {
  void *reply = NULL;
  while (redis->context) {
    struct pollfd p = {.fd = redis->context->fd, .events = POLLIN};
    errno = 0;
    if (redisGetReplyFromReader(redis->context, &reply) != REDIS_OK ||
        (!reply && poll(&p, 1, 0) > 0 && redisBufferRead(redis->context) != REDIS_OK))
      fail(redis, "listen");
    else if (reply || !p.revents)
      return reply;
  }
  return NULL;
}

int redis_fd(const struct redis *redis) {
  return redis->context ? redis->context->fd : -1;
}

long long redis_int(const redisReply *reply, long long otherwise) {
  return reply && reply->type == REDIS_REPLY_INTEGER ? reply->integer : otherwise;
}
