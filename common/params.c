/* Queries and forms. */

#include "common/params.h"

#include "common/percent.h"

#include <stdbool.h>
#include <string.h>

/* False for a broken escape or a NUL; then `out` is the text itself. */
static bool decode(const char *text, size_t len, struct buf *out) {
  buf_clear(out);
  buf_add(out, "", 0); /* even an empty one has memory, and its NUL */
  for (size_t i = 0; i < len; i++) {
    int c = text[i] == '+' ? ' ' : (unsigned char)text[i];
    if (c == '%') {
      c = percent_byte(text + i, len - i);
      i += 2;
    }
    if (c == '\0' || c == -1) {
      buf_clear(out);
      buf_add(out, text, len);
      return false;
    }
    buf_chr(out, (char)c);
  }
  return true;
}

enum params_step params_next(struct params *params) {
  while (params->len && *params->at == '&')
    params->at++, params->len--;
  if (!params->len)
    return PARAMS_END;
  if (params->count == PARAMS_MAX)
    return PARAMS_TOO_MANY;
  params->count++;
  const char *name = params->at, *end = memchr(name, '&', params->len);
  size_t len = end ? (size_t)(end - name) : params->len;
  const char *equals = memchr(name, '=', len);
  size_t name_len = equals ? (size_t)(equals - name) : len;
  params->at += len;
  params->len -= len;
  bool good = decode(name, name_len, &params->name);
  good &= equals ? decode(equals + 1, len - name_len - 1, &params->value)
                 : decode("", 0, &params->value);
  return good ? PARAMS_GOOD : PARAMS_MALFORMED;
}

void params_done(struct params *params) {
  buf_done(&params->name);
  buf_done(&params->value);
}
