/* The strings (by json-c) and blanks of JSON text that passed the check. */

#include "common/json.h"

#include "common/log.h"

#include <json-c/json.h>
#include <string.h>

/* --- compact text ----------------------------------------------------------------------------- */

/* The end of the string that begins at `at`. */
static const char *string_end(const char *at, const char *end) {
  for (at++; at < end && *at != '"'; at++)
    at += *at == '\\';
  return at < end ? at + 1 : end;
}

void json_compact(struct buf *out, const char *text, size_t len) {
  const char *end = text + len;
  for (const char *at = text; at < end;) {
    const char *start = at;
    while (at < end && !json_is_blank(*at))
      at = *at == '"' ? string_end(at, end) : at + 1;
    buf_add(out, start, (size_t)(at - start));
    while (at < end && json_is_blank(*at))
      at++;
  }
}

/* --- strings, by json-c ----------------------------------------------------------------------- */

void json_string_decode(const char *text, size_t len, struct buf *out) {
  if (!memchr(text, '\\', len)) {
    buf_add(out, text + 1, len - 2);
    return;
  }
  struct json_tokener *tokener = json_tokener_new();
  if (!tokener)
    log_oom();
  struct json_object *value = json_tokener_parse_ex(tokener, text, (int)len);
  if (value)
    buf_add(out, json_object_get_string(value), (size_t)json_object_get_string_len(value));
  json_object_put(value);
  json_tokener_free(tokener);
}

static bool is_plain(const char *text, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (text[i] < 0x20 || text[i] > 0x7e || text[i] == '"' || text[i] == '\\')
      return false;
  return true;
}

void json_string_encode(struct buf *out, const char *text, size_t len) {
  if (is_plain(text, len)) {
    buf_chr(out, '"');
    buf_add(out, text, len);
    buf_chr(out, '"');
    return;
  }
  struct json_object *value = json_object_new_string_len(text, (int)len);
  if (!value)
    log_oom();
  buf_str(out, json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE));
  json_object_put(value);
}
