/* A growing byte buffer; the one place that grows memory for text and replies. */

#include "common/buf.h"

#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_done(struct buf *b) {
  free(b->data);
  *b = (struct buf){0};
}

void buf_clear(struct buf *b) {
  b->len = 0;
  if (b->data)
    b->data[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t more) {
  size_t need = b->len + more + 1;
  if (need > b->cap) {
    size_t cap = b->cap ? b->cap : 128;
    while (cap < need)
      cap *= 2;
    b->data = realloc(b->data, cap);
    if (!b->data)
      log_oom();
    b->cap = cap;
  }
  return b->data + b->len;
}

void buf_add(struct buf *b, const void *data, size_t len) {
  char *at = buf_reserve(b, len);
  if (len)
    memcpy(at, data, len);
  b->len += len;
  b->data[b->len] = '\0';
}

void buf_str(struct buf *b, const char *s) {
  buf_add(b, s, strlen(s));
}

void buf_chr(struct buf *b, char c) {
  buf_add(b, &c, 1);
}

void buf_i64(struct buf *b, long long n) {
  char digits[24], *end = digits + sizeof(digits), *p = end;
  unsigned long long rest = n < 0 ? -(unsigned long long)n : (unsigned long long)n;
  do
    *--p = (char)('0' + rest % 10);
  while (rest /= 10);
  if (n < 0)
    *--p = '-';
  buf_add(b, p, (size_t)(end - p));
}

void buf_printf(struct buf *b, const char *fmt, ...) {
  va_list args, again;
  va_start(args, fmt);
  va_copy(again, args);
  int len = vsnprintf(buf_reserve(b, 64), 65, fmt, args);
  if (len > 64)
    vsnprintf(buf_reserve(b, (size_t)len), (size_t)len + 1, fmt, again);
  va_end(again);
  va_end(args);
  b->len += (size_t)len;
}

const char *buf_text(const struct buf *b) {
  return b->data ? b->data : "";
}
