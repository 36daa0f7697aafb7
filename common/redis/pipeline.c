/* Redis: commands that are sent together, and their replies in order. */

#include "common/redis.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/redis/parts.h"

#include <errno.h>
#include <string.h>

enum { SCRIPT_TRIES = 3 };

void redis_drop_command(struct redis_command *command) {
  free(command->script);
  if (command->reply)
    freeReplyObject(command->reply);
  *command = (struct redis_command){0};
}

struct redis_command *redis_add_command(struct redis *redis) {
  if (redis->next == redis->count)
    redis->count = redis->next = 0;
  if (redis->count == redis->room) {
    redis->room = redis->room ? redis->room * 2 : 32;
    redis->commands = realloc(redis->commands, redis->room * sizeof(*redis->commands));
    if (!redis->commands)
      log_oom();
  }
  redis->commands[redis->count] = (struct redis_command){0};
  return &redis->commands[redis->count++];
}

void redis_queue(struct redis *redis, int argc, const char *const *argv, const size_t *lens) {
  if (!redis->context)
    return;
  redis_add_command(redis);
  if (redisAppendCommandArgv(redis->context, argc, (const char **)argv, lens) != 0)
    log_oom();
}

void redis_note_refusal(struct redis *redis, const char *error) {
  redis->refusal = refusal_by_redis(error);
  if (clock_monotonic_ms() < redis->error_quiet_until_ms)
    return;
  char quoted[200];
  log_warn("redis.error", "msg=\"%s\"", log_quote(error, quoted, sizeof(quoted)));
  redis->error_quiet_until_ms = clock_monotonic_ms() + REDIS_QUIET_MS;
}

bool redis_receive(struct redis *redis, redisReply **reply) {
  void *got = NULL;
  errno = 0;
  if (redisGetReply(redis->context, &got) != REDIS_OK) {
    redis_fail(redis, "reply");
    return false;
  }
  *reply = got;
  return true;
}

/* The next reply in order. A message for a subscriber has no command. */
static redisReply *next_in_order(struct redis *redis) {
  redisReply *reply = NULL;
  if (redis->next == redis->count)
    return redis_receive(redis, &reply) ? reply : NULL;
  struct redis_command *command = &redis->commands[redis->next];
  if (!command->reply && !redis_receive(redis, &command->reply))
    return NULL;
  for (int tries = 1; redis_is_forgotten(command) && tries < SCRIPT_TRIES; tries++)
    if (!redis_repeat_forgotten(redis))
      return NULL;
  reply = command->reply;
  command->reply = NULL;
  redis_drop_command(command);
  redis->next++;
  return reply;
}

redisReply *redis_next(struct redis *redis) {
  redisReply *reply = redis->context ? next_in_order(redis) : NULL;
  if (!reply || reply->type != REDIS_REPLY_ERROR)
    return reply;
  redis_note_refusal(redis, reply->str);
  if (redis->refusal->reconnect)
    redis_disconnect(redis);
  return reply;
}

long long redis_int(const redisReply *reply, long long otherwise) {
  return reply && reply->type == REDIS_REPLY_INTEGER ? reply->integer : otherwise;
}
