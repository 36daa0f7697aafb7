#pragma once

#include "common/redis.h"

#include <stddef.h>
#include <stdint.h>

/* What redis.c and the files of redis/ share, and no other file includes. */

enum { REDIS_SCRIPTS_MAX = 32, REDIS_ARGS_MAX = 32, REDIS_QUIET_MS = 5000 };

/* A queued command whose reply has not been given out yet. */
struct redis_command {
  char *script; /* the bytes of an EVALSHA, should it have to be repeated; else NULL */
  size_t script_len;
  redisReply *reply; /* NULL until it was read */
};

struct redis {
  const struct config *config;
  redisContext *context; /* NULL while not connected */
  char run_id[48];
  char sha[REDIS_SCRIPTS_MAX][41]; /* in the order of embedded_lua */
  struct redis_command *commands;  /* the pipeline, in order; those before `next` are done */
  size_t count, next, room;
  const struct refusal *refusal; /* the last error reply since the last connect, if that failed */
  bool timed_out;
  char host[CONFIG_ITEM_SIZE], address[CONFIG_ITEM_SIZE]; /* dialled last; "" before that */
  int sentinel;                                           /* the one to ask first */
  int64_t written_ms;     /* when it was last seen to be writable, where there are Sentinels */
  int64_t quiet_until_ms; /* so long a failure is not logged again */
  int64_t error_quiet_until_ms;
};

/* Closes the connection; what is queued gets no reply. */
void redis_disconnect(struct redis *redis);
/* The same after an error of hiredis's, which it logs. */
void redis_fail(struct redis *redis, const char *what);

/* A command to be filled in, at the end of the pipeline. */
struct redis_command *redis_add_command(struct redis *redis);
void redis_drop_command(struct redis_command *command);
/* Reads a reply; false when the connection failed. */
must_check bool redis_receive(struct redis *redis, redisReply **reply);
/* Remembers, and logs now and then, an error reply. */
void redis_note_refusal(struct redis *redis, const char *error);

/* Loads all scripts. No reply may be outstanding. */
must_check bool redis_load_scripts(struct redis *redis);
/* Whether the command is a script that the server did not know. */
bool redis_is_forgotten(const struct redis_command *command);
/* Repeats the scripts of the pipeline that the server did not know any more. False when the
 * connection failed. */
must_check bool redis_repeat_forgotten(struct redis *redis);
