#pragma once

#include <stdarg.h>
#include <stddef.h>

/*
 * A growing byte buffer. `data` is always followed by a NUL once anything was written (or by
 * nothing at all while it is NULL), so text in it is a C string. Out of memory aborts.
 * `struct buf b = {0}` is a valid empty buffer.
 */
struct buf {
  char *data;
  size_t len;
  size_t cap;
};

/* Frees what the buffer holds and makes it empty. */
void buf_done(struct buf *b);
/* Empties the buffer but keeps its memory. */
void buf_clear(struct buf *b);
/* Makes room for `more` bytes after the text (and a NUL); returns where they go. */
char *buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_str(struct buf *b, const char *s);
void buf_chr(struct buf *b, char c);
void buf_i64(struct buf *b, long long n);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The text so far; "" for a buffer never written to. Owned by the buffer. */
const char *buf_text(const struct buf *b);

#define cleanup_buf __attribute__((cleanup(buf_done)))
