#pragma once

#include "common/redis.h"

#include <stdint.h>

/*
 * The arguments of one call of a script of lua/, its keys first. Texts are not copied: they must
 * live until script_queue(). What does not fit is a bug.
 */
enum { SCRIPT_ARGS = 24, SCRIPT_NUMBERS = 8, SCRIPT_NUMBER_SIZE = 24 };

struct script_args {
  int count;
  int numbers;
  const char *text[SCRIPT_ARGS];
  size_t len[SCRIPT_ARGS];
  char number[SCRIPT_NUMBERS][SCRIPT_NUMBER_SIZE];
};

void script_add(struct script_args *args, const char *text);
void script_add_all(struct script_args *args, size_t count, const char *const *texts);
void script_add_len(struct script_args *args, const char *text, size_t len);
void script_add_number(struct script_args *args, int64_t n);
/* The number, or '' where there is none. */
void script_add_number_if(struct script_args *args, bool is_there, int64_t n);

/* Adds the call to the pipeline; the first `keys` arguments are its keys. */
void script_queue(struct redis *redis, const char *script, int keys,
                  const struct script_args *args);

/* The number in an array reply's place `i`, 0 if there is none. */
int64_t script_element(const redisReply *reply, size_t i);
