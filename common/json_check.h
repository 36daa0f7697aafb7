#pragma once

#include "common/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * JSON as clients send it: checked strictly (RFC 8259, and more: nesting of at most 32, valid
 * UTF-8, no lone surrogates, no \u0000, no number beyond a double's range) before anything is
 * taken out of it. What is taken out are slices of the client's own text, so no value changes on
 * its way through.
 */

enum json_kind {
  JSON_ABSENT,
  JSON_NULL,
  JSON_BOOL,
  JSON_NUMBER,
  JSON_STRING,
  JSON_ARRAY,
  JSON_OBJECT
};

/* A member of the object to be taken out: the caller sets `name`, the rest is the result.
 * Where the text names a member twice, the last one counts. */
struct json_member {
  const char *name;
  enum json_kind type; /* JSON_ABSENT when the object has none of that name */
  const char *text;    /* its value's slice of the checked text */
  size_t len;
  /* Length of the same value without blanks and with its numbers as PostgreSQL's jsonb gives them
   * back: it keeps 1e3 as 1000. Strings never become longer there. */
  size_t stored_len;
};

/*
 * Checks that `text` of `len` bytes is one JSON object and nothing else but a byte order mark
 * before it, and finds `members` in it. On failure returns false and points `*error` at a constant
 * sentence for the client. Time and memory are linear in `len`.
 */
must_check bool json_object_check(const char *text, size_t len, struct json_member *members,
                                  size_t count, const char **error);
