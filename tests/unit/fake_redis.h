/* A Redis for unit tests: what it replies to each command is the test's. */
#pragma once

#include "tests/unit/fake.h"

#include "common/config.h"

#include <hiredis/hiredis.h>

/* Serves a connection until it ends: hands each command to `reply`, which may write replies to
 * `fd`. A command is an array of strings, as a reply may be. */
static inline void fake_redis_serve(int fd, void (*reply)(int fd, const redisReply *command)) {
  char buffer[65536];
  ssize_t got;
  redisReader *reader = redisReaderCreate();
  while ((got = read(fd, buffer, sizeof(buffer))) > 0) {
    void *command = NULL;
    redisReaderFeed(reader, buffer, (size_t)got);
    while (redisReaderGetReply(reader, &command) == REDIS_OK && command) {
      reply(fd, command);
      freeReplyObject(command);
    }
  }
  redisReaderFree(reader);
}

static inline bool fake_redis_is(const redisReply *command, const char *name) {
  return strcmp(command->element[0]->str, name) == 0;
}

/* What every connection of ours asks for first. */
static inline void fake_redis_say_run_id(int fd) {
  fake_say(fd, "$12\r\n\nrun_id:abcd\r\n");
}

static inline void fake_redis_say_script_name(int fd) {
  fake_say(fd, "$40\r\n0123456789012345678901234567890123456789\r\n");
}

/* Settings that lead to the unix socket at `path`. */
static inline struct config fake_redis_config(const char *path, const char *password) {
  return (struct config){.redis_host = path,
                         .resolved_redis_host = path,
                         .redis_username = "",
                         .redis_password = password,
                         .redis_sentinels = ""};
}
