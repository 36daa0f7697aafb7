/*
 * The strict check of JSON text, in one pass and without memory of its own; the grammar is that of
 * RFC 8259. What strings mean (escapes) is json.c's.
 */

#include "common/json_check.h"

#include "common/json.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32, NUMBER_MAX = 1024 };

struct scan {
  const char *at, *end;
  const char *error;     /* NULL while all is well */
  int64_t stored_excess; /* by how much stored_len exceeds the length of what was taken so far */
};

static bool fail(struct scan *s, const char *error) {
  if (!s->error)
    s->error = error;
  return false;
}

static const char *const not_json = "Request body is not valid JSON";

static void skip_blanks(struct scan *s) {
  for (; s->at < s->end && json_is_blank(*s->at); s->at++)
    s->stored_excess--;
}

static bool take(struct scan *s, char c) {
  if (s->at >= s->end || *s->at != c)
    return false;
  s->at++;
  return true;
}

/* --- strings ---------------------------------------------------------------------------------- */

/* Length of the well-formed UTF-8 sequence at `p` (Unicode table 3-7), or 0. */
static int utf8_len(const unsigned char *p, size_t left) {
  if (p[0] < 0x80)
    return 1;
  int len = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
            : (p[0] & 0xf0) == 0xe0        ? 3
            : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                           : 0;
  if (!len || (size_t)len > left)
    return 0;
  unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
  unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
  if (p[1] < low || p[1] > high)
    return 0;
  for (int i = 2; i < len; i++)
    if ((p[i] & 0xc0) != 0x80)
      return 0;
  return len;
}

/* Four hexadecimal digits after a \u; -1 if they are not there. */
static int take_hex4(struct scan *s) {
  if (s->end - s->at < 4)
    return -1;
  int value = 0;
  for (int i = 0; i < 4; i++) {
    char c = *s->at++;
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0)
      return -1;
    value = value << 4 | digit;
  }
  return value;
}

/* The part of an escape after its "\u". */
static bool take_unicode_escape(struct scan *s) {
  int unit = take_hex4(s);
  if (unit < 0)
    return fail(s, not_json);
  if (unit == 0)
    return fail(s, "Request body must not contain \\u0000");
  bool low = unit >= 0xdc00 && unit <= 0xdfff;
  if (unit >= 0xd800 && unit <= 0xdbff) {
    int second = take(s, '\\') && take(s, 'u') ? take_hex4(s) : -1;
    low = second < 0xdc00 || second > 0xdfff;
  }
  return low ? fail(s, "Request body contains a lone surrogate") : true;
}

static bool take_string(struct scan *s) {
  if (!take(s, '"'))
    return fail(s, not_json);
  while (s->at < s->end) {
    unsigned char c = (unsigned char)*s->at;
    if (c == '"') {
      s->at++;
      return true;
    }
    if (c < 0x20)
      return fail(s, not_json);
    if (c == '\\') {
      s->at++;
      if (take(s, 'u')) {
        if (!take_unicode_escape(s))
          return false;
      } else if (s->at >= s->end || !*s->at || !strchr("\"\\/bfnrt", *s->at++)) {
        return fail(s, not_json);
      }
      continue;
    }
    int len = utf8_len((const unsigned char *)s->at, (size_t)(s->end - s->at));
    if (!len)
      return fail(s, "Request body is not valid UTF-8");
    s->at += len;
  }
  return fail(s, not_json);
}

/* --- numbers ---------------------------------------------------------------------------------- */

static size_t take_digits(struct scan *s, bool *nonzero) {
  const char *start = s->at;
  for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++)
    *nonzero |= *s->at != '0';
  return (size_t)(s->at - start);
}

/*
 * Length of a number (in range, see below) as PostgreSQL's numeric prints it, without an exponent:
 * the digits before the point without leading zeros, and as many after it as were written, moved
 * by the exponent.
 */
static int64_t numeric_len(const char *number, size_t len) {
  const char *end = number + len, *at = number + (*number == '-');
  int64_t whole = 0, fraction = 0, zeros = 0,
          exponent = 0; /* zeros: before the first other digit */
  bool nonzero = false, after_point = false;
  for (; at < end && *at != 'e' && *at != 'E'; at++) {
    if (*at == '.') {
      after_point = true;
      continue;
    }
    nonzero |= *at != '0';
    zeros += !nonzero;
    whole += !after_point;
    fraction += after_point;
  }
  bool negative = at + 1 < end && at[1] == '-';
  for (at++; at < end; at++)
    if (*at >= '0' && *at <= '9')
      exponent = exponent * 10 + (*at - '0');
  exponent = negative ? -exponent : exponent;
  whole += exponent - zeros;
  fraction = fraction > exponent ? fraction - exponent : 0;
  return (*number == '-' && nonzero) + (nonzero && whole > 0 ? whole : 1) +
         (fraction ? 1 + fraction : 0);
}

/* A double must be able to hold it: neither infinite nor, unless it is zero, rounded to nothing.
 * (A zero may come with any exponent, but not with one that PostgreSQL's numeric chokes on.) */
static bool in_range(const char *text, size_t len, bool nonzero) {
  char copy[NUMBER_MAX + 1];
  if (len > NUMBER_MAX)
    return false;
  memcpy(copy, text, len);
  copy[len] = '\0';
  double value = strtod(copy, NULL);
  const char *e = strpbrk(copy, "eE");
  long exponent = e ? strtol(e + 1, NULL, 10) : 0;
  return isfinite(value) && (value != 0 || !nonzero) && exponent >= -400 && exponent <= 400;
}

static bool take_number(struct scan *s) {
  const char *start = s->at;
  bool nonzero = false, ignored = false;
  take(s, '-');
  const char *digits = s->at;
  size_t count = take_digits(s, &nonzero);
  if (!count || (count > 1 && *digits == '0'))
    return fail(s, not_json);
  if (take(s, '.') && !take_digits(s, &nonzero))
    return fail(s, not_json);
  if (take(s, 'e') || take(s, 'E')) {
    if (!take(s, '+'))
      take(s, '-');
    if (!take_digits(s, &ignored))
      return fail(s, not_json);
  }
  size_t len = (size_t)(s->at - start);
  if (!in_range(start, len, nonzero))
    return fail(s, "Request body contains a number that is out of range");
  s->stored_excess += numeric_len(start, len) - (int64_t)len;
  return true;
}

/* --- values ----------------------------------------------------------------------------------- */

static bool take_word(struct scan *s, const char *word) {
  size_t len = strlen(word);
  if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
    return fail(s, not_json);
  s->at += len;
  return true;
}

static enum json_kind type_at(const struct scan *s) {
  switch (s->at < s->end ? *s->at : 0) {
  case '{':
    return JSON_OBJECT;
  case '[':
    return JSON_ARRAY;
  case '"':
    return JSON_STRING;
  case 't':
  case 'f':
    return JSON_BOOL;
  case 'n':
    return JSON_NULL;
  default:
    return JSON_NUMBER; /* or an error, which take_number() finds */
  }
}

static bool take_scalar(struct scan *s) {
  switch (type_at(s)) {
  case JSON_STRING:
    return take_string(s);
  case JSON_BOOL:
    return take_word(s, *s->at == 't' ? "true" : "false");
  case JSON_NULL:
    return take_word(s, "null");
  case JSON_NUMBER:
  case JSON_ABSENT:
  case JSON_ARRAY:
  case JSON_OBJECT:
    break;
  }
  return take_number(s);
}

/* `"name" :` of an object's member; gives the name's slice, quotes included. */
static bool take_name(struct scan *s, const char **name, size_t *len) {
  skip_blanks(s);
  *name = s->at;
  if (!take_string(s))
    return false;
  *len = (size_t)(s->at - *name);
  skip_blanks(s);
  return take(s, ':') || fail(s, not_json);
}

/* One value of any depth up to DEPTH_MAX - `depth`, without recursion. */
static bool take_value(struct scan *s, int depth) {
  char open[DEPTH_MAX];
  int level = 0;
  const char *name;
  size_t name_len;
  for (;;) {
    skip_blanks(s);
    char c = s->at < s->end ? *s->at : 0;
    if (c == '{' || c == '[') {
      if (depth + level >= DEPTH_MAX)
        return fail(s, "Request body is nested too deeply (32 levels at most)");
      s->at++;
      open[level++] = c;
      skip_blanks(s);
      if (!take(s, c == '{' ? '}' : ']')) {
        if (c == '{' && !take_name(s, &name, &name_len))
          return false;
        continue;
      }
      level--;
    } else if (!take_scalar(s)) {
      return false;
    }
    for (;;) { /* after a value: the array or object around it goes on, or ends as well */
      if (level == 0)
        return true;
      skip_blanks(s);
      if (take(s, ','))
        break;
      if (!take(s, open[level - 1] == '{' ? '}' : ']'))
        return fail(s, not_json);
      level--;
    }
    if (open[level - 1] == '{' && !take_name(s, &name, &name_len))
      return false;
  }
}

static bool name_is(const char *wanted, const char *slice, size_t len) {
  if (!memchr(slice, '\\', len))
    return strlen(wanted) == len - 2 && memcmp(wanted, slice + 1, len - 2) == 0;
  cleanup_buf struct buf name = {0};
  json_string_decode(slice, len, &name);
  return strcmp(buf_text(&name), wanted) == 0;
}

static bool take_member(struct scan *s, struct json_member *members, size_t count) {
  const char *name;
  size_t len;
  if (!take_name(s, &name, &len))
    return false;
  skip_blanks(s);
  enum json_kind type = type_at(s);
  const char *start = s->at;
  int64_t excess = s->stored_excess;
  if (!take_value(s, 1))
    return false;
  size_t value_len = (size_t)(s->at - start);
  for (size_t i = 0; i < count; i++)
    if (name_is(members[i].name, name, len)) {
      members[i].type = type;
      members[i].text = start;
      members[i].len = value_len;
      members[i].stored_len = (size_t)((int64_t)value_len + s->stored_excess - excess);
    }
  return true;
}

bool json_object_check(const char *text, size_t len, struct json_member *members, size_t count,
                       const char **error) {
  static const char byte_order_mark[] = "\xef\xbb\xbf";
  struct scan s = {.at = text, .end = text + len};
  if (len >= 3 && memcmp(text, byte_order_mark, 3) == 0) /* RFC 8259 section 8.1: may be ignored */
    s.at += 3;
  for (size_t i = 0; i < count; i++) {
    members[i].type = JSON_ABSENT;
    members[i].text = NULL;
    members[i].len = members[i].stored_len = 0;
  }
  skip_blanks(&s);
  bool good = true;
  if (type_at(&s) != JSON_OBJECT) {
    good = take_value(&s, 0);
    skip_blanks(&s);
    good = fail(&s, good && s.at == s.end ? "Request body must be a JSON object" : not_json);
  } else {
    s.at++;
    skip_blanks(&s);
    if (!take(&s, '}')) {
      do
        good = take_member(&s, members, count);
      while (good && (skip_blanks(&s), take(&s, ',')));
      good = good && (take(&s, '}') || fail(&s, not_json));
    }
    skip_blanks(&s);
    if (good && s.at != s.end)
      good = fail(&s, "Request body has trailing characters after the JSON object");
  }
  *error = s.error;
  return good;
}
