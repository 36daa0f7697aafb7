/* Request bodies (common/json_check.c): json-c must understand what we accept as we do. */

#include "tests/fuzz/fuzz.h"

#include "calls/call.h"
#include "common/json.h"
#include "common/json_check.h"

#include <json-c/json.h>
#include <string.h>

/* json-c's view of checked text; aborts if it has none. */
static struct json_object *parse_strictly(const char *text, size_t len) {
  struct json_tokener *tokener = json_tokener_new_ex(JSON_TOKENER_DEFAULT_DEPTH + 1);
  json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
  struct json_object *value = json_tokener_parse_ex(tokener, text, (int)len);
  HOLDS(json_tokener_get_error(tokener) == json_tokener_success);
  HOLDS(json_object_is_type(value, json_type_object));
  json_tokener_free(tokener);
  return value;
}

static bool same_kind(enum json_kind kind, const struct json_object *value) {
  switch (json_object_get_type(value)) {
  case json_type_null:
    return kind == JSON_NULL;
  case json_type_boolean:
    return kind == JSON_BOOL;
  case json_type_double:
  case json_type_int:
    return kind == JSON_NUMBER;
  case json_type_object:
    return kind == JSON_OBJECT;
  case json_type_array:
    return kind == JSON_ARRAY;
  case json_type_string:
    return kind == JSON_STRING;
  }
  return false;
}

/* Decoding gives what json-c gives; encoding that and decoding it again changes nothing. */
static void check_string(const struct json_member *member, struct json_object *value) {
  cleanup_buf struct buf decoded = {0}, object = {0}, again = {0};
  json_string_decode(member->text, member->len, &decoded);
  HOLDS(decoded.len == (size_t)json_object_get_string_len(value));
  HOLDS(memcmp(buf_text(&decoded), json_object_get_string(value), decoded.len) == 0);
  HOLDS(strlen(buf_text(&decoded)) == decoded.len); /* no NUL gets in */
  if (call_number_valid(buf_text(&decoded)))
    HOLDS(decoded.len < CALL_NUMBER_SIZE);

  struct json_member x = {.name = "x"};
  const char *error = NULL;
  buf_str(&object, "{\"x\":");
  json_string_encode(&object, buf_text(&decoded), decoded.len);
  buf_chr(&object, '}');
  HOLDS(json_object_check(object.data, object.len, &x, 1, &error) && x.type == JSON_STRING);
  json_string_decode(x.text, x.len, &again);
  HOLDS(again.len == decoded.len);
  HOLDS(memcmp(buf_text(&again), buf_text(&decoded), again.len) == 0);
}

static void check_member(const struct json_member *member, const struct json_object *whole) {
  struct json_object *value = NULL;
  bool there = json_object_object_get_ex(whole, member->name, &value);
  HOLDS(there == (member->type != JSON_ABSENT));
  HOLDS(there == (member->text != NULL));
  if (!there)
    return;
  HOLDS(same_kind(member->type, value));
  if (member->type == JSON_STRING)
    check_string(member, value);
}

/* The slice alone, in another object, is still good: that is how metadata is given back. */
static void check_slice(const struct json_member *member) {
  if (member->type != JSON_OBJECT)
    return;
  cleanup_buf struct buf object = {0};
  struct json_member x = {.name = "metadata"};
  const char *error = NULL;
  buf_str(&object, "{\"metadata\":");
  buf_add(&object, member->text, member->len);
  buf_str(&object, ",\"more\":null}");
  HOLDS(json_object_check(object.data, object.len, &x, 1, &error));
  HOLDS(x.type == JSON_OBJECT && x.len == member->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct json_member members[] = {{.name = "from"}, {.name = "to"}, {.name = "metadata"}};
  const char *text = (const char *)data, *error = NULL;
  if (size > 65536)
    return 0;
  bool good = json_object_check(text, size, members, ARRAY_LEN(members), &error);
  HOLDS(good == (error == NULL));
  if (!good)
    return 0;
  size_t mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
  struct json_object *whole = parse_strictly(text + mark, size - mark);
  for (size_t i = 0; i < ARRAY_LEN(members); i++) {
    check_member(&members[i], whole);
    check_slice(&members[i]);
  }
  json_object_put(whole);
  return 0;
}
