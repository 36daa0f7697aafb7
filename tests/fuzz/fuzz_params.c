/* Queries and forms (common/params.c). */

#include "tests/fuzz/fuzz.h"

#include "common/params.h"

#include <string.h>

/* Each byte of it as an escape. */
static void add_escaped(struct buf *out, const struct buf *text) {
  static const char digits[] = "0123456789ABCDEF";
  for (size_t i = 0; i < text->len; i++) {
    unsigned char c = (unsigned char)text->data[i];
    const char escape[] = {'%', digits[c >> 4], digits[c & 15]};
    buf_add(out, escape, sizeof(escape));
  }
}

static bool same(const struct buf *a, const struct buf *b) {
  return a->len == b->len && (!a->len || memcmp(a->data, b->data, a->len) == 0);
}

/* What was decoded, escaped and decoded again, is the same; a second parameter follows unharmed. */
static void check_good(const struct params *params) {
  cleanup_buf struct buf text = {0};
  HOLDS(strlen(buf_text(&params->name)) == params->name.len);
  HOLDS(strlen(buf_text(&params->value)) == params->value.len);
  add_escaped(&text, &params->name);
  buf_chr(&text, '=');
  add_escaped(&text, &params->value);
  buf_str(&text, "&x=y+z");
  cleanup_params struct params again = {.at = text.data, .len = text.len};
  HOLDS(params_next(&again) == PARAMS_GOOD);
  HOLDS(same(&again.name, &params->name) && same(&again.value, &params->value));
  HOLDS(params_next(&again) == PARAMS_GOOD);
  HOLDS(strcmp(buf_text(&again.name), "x") == 0 && strcmp(buf_text(&again.value), "y z") == 0);
  HOLDS(params_next(&again) == PARAMS_END);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  cleanup_params struct params params = {.at = (const char *)data, .len = size};
  int good = 0, malformed = 0;
  size_t len = 0;
  for (enum params_step step; (step = params_next(&params)) != PARAMS_END;) {
    if (step == PARAMS_TOO_MANY) {
      HOLDS(good + malformed == PARAMS_MAX && params_next(&params) == PARAMS_TOO_MANY);
      break;
    }
    len += params.name.len + params.value.len;
    HOLDS(len <= size && params.len <= size);
    if (step == PARAMS_GOOD)
      check_good(&params);
    step == PARAMS_GOOD ? good++ : malformed++;
  }
  HOLDS(params.count == good + malformed);
  return 0;
}
