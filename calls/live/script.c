/* The arguments of Lua scripts. */

#include "calls/live/script.h"

#include "common/cleanup.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void script_add_len(struct script_args *args, const char *text, size_t len) {
  assert(args->count < SCRIPT_ARGS);
  args->text[args->count] = text;
  args->len[args->count++] = len;
}

void script_add(struct script_args *args, const char *text) {
  script_add_len(args, text, strlen(text));
}

void script_add_all(struct script_args *args, size_t count, const char *const *texts) {
  for (size_t i = 0; i < count; i++)
    script_add(args, texts[i]);
}

void script_add_number(struct script_args *args, int64_t n) {
  assert(args->numbers < SCRIPT_NUMBERS);
  char *text = args->number[args->numbers++];
  snprintf(text, SCRIPT_NUMBER_SIZE, "%" PRId64, n);
  script_add(args, text);
}

void script_add_number_if(struct script_args *args, bool is_there, int64_t n) {
  if (is_there)
    script_add_number(args, n);
  else
    script_add(args, "");
}

void script_queue(struct redis *redis, const char *script, int keys,
                  const struct script_args *args) {
  redis_queue_script(redis, script, keys, args->count, args->text, args->len);
}

int64_t script_element(const redisReply *reply, size_t i) {
  return i < reply->elements ? redis_int(reply->element[i], 0) : 0;
}
