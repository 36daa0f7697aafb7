/* Redis: the scripts of lua/, which a server may forget at any time. */

#include "common/redis.h"

#include "common/embedded.h"
#include "common/log.h"
#include "common/redis/parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static int script_index(const char *name) {
  for (int i = 0; embedded_lua[i].name; i++)
    if (strcmp(embedded_lua[i].name, name) == 0)
      return i;
  assert(!"a script that lua/ does not have");
}

static void append_script(struct redis *redis, const struct redis_command *command) {
  if (redisAppendFormattedCommand(redis->context, command->script, command->script_len) != 0)
    log_oom();
}

void redis_queue_script(struct redis *redis, const char *script, int keys, int argc,
                        const char *const *argv, const size_t *lens) {
  const char *all[REDIS_ARGS_MAX + 3];
  size_t all_lens[REDIS_ARGS_MAX + 3];
  char keys_text[12];
  assert(argc <= REDIS_ARGS_MAX);
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
  struct redis_command *command = redis_add_command(redis);
  int len = redisFormatCommandArgv(&command->script, argc + 3, all, all_lens);
  if (len < 0)
    log_oom();
  command->script_len = (size_t)len;
  append_script(redis, command);
}

bool redis_is_forgotten(const struct redis_command *command) {
  return command->script && command->reply->type == REDIS_REPLY_ERROR &&
         strncmp(command->reply->str, "NOSCRIPT", strlen("NOSCRIPT")) == 0;
}

/* Nothing may be outstanding. */
bool redis_load_scripts(struct redis *redis) {
  for (const struct embedded_text *s = embedded_lua; s->name; s++) {
    const char *argv[] = {"SCRIPT", "LOAD", s->text};
    if (redisAppendCommandArgv(redis->context, ARRAY_LEN(argv), argv, NULL) != 0)
      log_oom();
  }
  bool good = true;
  for (int i = 0; embedded_lua[i].name; i++) {
    assert(i < REDIS_SCRIPTS_MAX);
    cleanup_reply redisReply *reply = NULL;
    if (!redis_receive(redis, &reply))
      return false;
    if (reply->type == REDIS_REPLY_ERROR)
      redis_note_refusal(redis, reply->str);
    good = good && reply->type == REDIS_REPLY_STRING && reply->len == 40;
    if (good)
      memcpy(redis->sha[i], reply->str, 41);
  }
  return good;
}

/* Repeats the scripts of the pipeline that the server did not know any more. */
bool redis_repeat_forgotten(struct redis *redis) {
  for (size_t i = redis->next; i < redis->count; i++)
    if (!redis->commands[i].reply && !redis_receive(redis, &redis->commands[i].reply))
      return false;
  if (!redis_load_scripts(redis))
    return redis->context != NULL;
  log_info("redis.scripts", "msg=\"Redis had forgotten our scripts; loaded them again\"");
  for (size_t i = redis->next; i < redis->count; i++)
    if (redis_is_forgotten(&redis->commands[i]))
      append_script(redis, &redis->commands[i]);
  for (size_t i = redis->next; i < redis->count; i++) {
    struct redis_command *command = &redis->commands[i];
    if (!redis_is_forgotten(command))
      continue;
    freeReplyObject(command->reply);
    command->reply = NULL;
    if (!redis_receive(redis, &command->reply))
      return false;
  }
  return true;
}
