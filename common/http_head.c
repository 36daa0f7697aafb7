/* Reads the head of an HTTP/1 response. */

#include "common/http_head.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

size_t http_head_len(const char *data, size_t len) {
  const char *end = len ? memmem(data, len, "\r\n\r\n", 4) : NULL;
  return end ? (size_t)(end + 4 - data) : 0;
}

int http_head_status(const char *data, size_t len) {
  static const char version[] = "HTTP/1."; /* then a digit, a blank and three digits */
  const char *at = data + sizeof(version) - 1;
  if (len < sizeof(version) + 4 || memcmp(data, version, sizeof(version) - 1) != 0 || at[1] != ' ')
    return 0;
  int status = 0;
  for (int i = 2; i < 5; i++) {
    if (!isdigit((unsigned char)at[i]))
      return 0;
    status = status * 10 + at[i] - '0';
  }
  return status;
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

const char *http_head_find(const char *head, size_t len, const char *name, size_t *value_len) {
  size_t name_len = strlen(name);
  const char *end = head + len, *line = head, *next;
  while ((next = memmem(line, (size_t)(end - line), "\r\n", 2))) {
    const char *value = line + name_len + 1;
    if (value <= next && value[-1] == ':' && strncasecmp(line, name, name_len) == 0) {
      const char *last = next;
      while (value < last && is_blank(*value))
        value++;
      while (last > value && is_blank(last[-1]))
        last--;
      *value_len = (size_t)(last - value);
      return value;
    }
    line = next + 2;
  }
  return NULL;
}

bool http_head_has(const char *head, size_t len, const char *name, const char *token) {
  size_t left, token_len = strlen(token);
  const char *at = http_head_find(head, len, name, &left);
  while (at && left) {
    const char *comma = memchr(at, ',', left);
    size_t item = comma ? (size_t)(comma - at) : left, used = item + (comma ? 1 : 0),
           trimmed = item;
    const char *start = at;
    while (trimmed && is_blank(*start))
      start++, trimmed--;
    while (trimmed && is_blank(start[trimmed - 1]))
      trimmed--;
    if (trimmed == token_len && strncasecmp(start, token, token_len) == 0)
      return true;
    at += used;
    left -= used;
  }
  return false;
}
