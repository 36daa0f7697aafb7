#pragma once

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Strings and blanks of JSON text that json_object_check() has accepted (common/json_check.h), or
 * that we write. */

static inline bool json_is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Appends the decoded value of a string slice of checked JSON (with its quotes) to `out`. */
void json_string_decode(const char *text, size_t len, struct buf *out);
/* Appends checked JSON without the blanks between its tokens. */
void json_compact(struct buf *out, const char *text, size_t len);
/* Appends `text` as a JSON string with quotes. What is not printable ASCII or valid UTF-8 cannot
 * be told apart here: pass only checked UTF-8. */
void json_string_encode(struct buf *out, const char *text, size_t len);
