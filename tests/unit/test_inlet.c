/* Incoming frames (wsd/inlet.c): each stream of bytes is fed whole, one byte at a time, and in
 * portions of several sizes, and cut in two; the answers and the verdict must be the same. */

#include "wsd/inlet.h"

#include "tests/harness/frames.h"
#include "tests/unit/test.h"

#include <stdint.h>
#include <stdlib.h>

static const struct {
  const char *name, *hex;
  enum inlet_result result;
  bool open; /* something is unfinished at the end */
  const char *replies;
} cases[] = {
#define FRAMES(name_, hex_, result_, open_, replies_)                                              \
  {name_, hex_, INLET_##result_, open_, replies_},
#include "tests/harness/frames.def"
#undef FRAMES
};

/* Whether the replies are the expected ones; a pong may be missing if its ping came just before the
 * end. */
static bool replies_are(size_t i, const struct buf *replies) {
  static unsigned char wanted[FRAMES_MAX];
  size_t len = frames_unhex(cases[i].replies, wanted), skip = 0;
  if (strstr(cases[i].name, "then") && replies->len < len)
    skip = len - replies->len;
  return len - skip == replies->len &&
         (!replies->len || memcmp(wanted + skip, replies->data, replies->len) == 0);
}

/* Feeds `data` in portions of which the first has `first` bytes and the others `step`. */
static void feed(size_t i, const char *data, size_t len, size_t first, size_t step) {
  struct inlet *inlet = NULL;
  cleanup_buf struct buf replies = {0}, hex = {0};
  enum inlet_result result = INLET_MORE;
  for (size_t at = 0, n = first; at < len && result == INLET_MORE; at += n, n = step) {
    if (n > len - at)
      n = len - at;
    result = inlet_feed(&inlet, data + at, n, &replies);
  }
  if (result != cases[i].result || (inlet != NULL) != cases[i].open || !replies_are(i, &replies)) {
    for (size_t k = 0; k < replies.len; k++)
      buf_printf(&hex, "%02x", (unsigned char)replies.data[k]);
    test_error(__FILE__, __LINE__, "%s (%zu, %zu): result %d, open %d, replies %s", cases[i].name,
               first, step, result, inlet != NULL, buf_text(&hex));
  }
  inlet_free(inlet);
}

static char data[FRAMES_MAX];

static size_t unhex(size_t i) {
  return frames_unhex(cases[i].hex, (unsigned char *)data);
}

static void test_whole(void) {
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    size_t len = unhex(i);
    feed(i, data, len, len, len);
  }
}

static void test_byte_by_byte(void) {
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    feed(i, data, unhex(i), 1, 1);
}

static void test_in_portions(void) {
  static const size_t steps[] = {2, 3, 7, 64, 997, 4096};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++)
      feed(i, data, unhex(i), steps[k], steps[k]);
}

/* At every place of a short one, around both ends of a long one. */
static void test_cut_anywhere(void) {
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    size_t len = unhex(i);
    for (size_t cut = 1; cut < len; cut++)
      if (cut < 300 || cut + 20 > len)
        feed(i, data, len, cut, len);
  }
}

/* Appends a masked frame of zeros. */
static void add_frame(struct buf *out, int first_byte, size_t len) {
  buf_chr(out, (char)first_byte);
  buf_chr(out, (char)0xff);
  for (int i = 7; i >= 0; i--)
    buf_chr(out, (char)((uint64_t)len >> (8 * i)));
  buf_add(out, "\0\0\0\0", 4);
  memset(buf_reserve(out, len), 0, len);
  out->len += len;
}

static enum inlet_result feed_in_portions(struct inlet **inlet, const struct buf *in, size_t step,
                                          struct buf *replies) {
  enum inlet_result result = INLET_MORE;
  for (size_t at = 0; at < in->len && result == INLET_MORE; at += step)
    result = inlet_feed(inlet, in->data + at, in->len - at < step ? in->len - at : step, replies);
  return result;
}

static void test_longest_message(void) {
  struct inlet *inlet = NULL;
  cleanup_buf struct buf in = {0}, replies = {0};
  add_frame(&in, 0x82, INLET_MESSAGE_MAX);
  add_frame(&in, 0x82, INLET_MESSAGE_MAX);
  CHECK_INT(feed_in_portions(&inlet, &in, 4096, &replies), INLET_MORE);
  CHECK(inlet == NULL);
  CHECK_INT(replies.len, 0);
}

/* Neither frame is too long, but the message is; also when it is made of a great many frames. */
static void test_too_long_in_fragments(void) {
  struct inlet *inlet = NULL;
  cleanup_buf struct buf in = {0}, replies = {0};
  buf_add(&in, "\x02\x81\0\0\0\0x", 7);
  add_frame(&in, 0x80, INLET_MESSAGE_MAX);
  CHECK_INT(feed_in_portions(&inlet, &in, 1000, &replies), INLET_ERROR);
  CHECK(inlet == NULL);
  CHECK_INT(replies.len, 4);
  CHECK_INT(memcmp(buf_text(&replies), "\x88\x02\x03\xf1", 4), 0);
}

static void test_endless_empty_fragments(void) {
  struct inlet *inlet = NULL;
  cleanup_buf struct buf in = {0}, replies = {0};
  buf_add(&in, "\x01\x80\0\0\0\0", 6);
  for (int i = 0; i < 100000; i++)
    buf_add(&in, "\x00\x80\0\0\0\0", 6);
  CHECK_INT(feed_in_portions(&inlet, &in, 4096, &replies), INLET_MORE);
  CHECK(inlet != NULL);
  CHECK_INT(replies.len, 0);
  inlet_free(inlet);
}

int main(void) {
  RUN(test_whole);
  RUN(test_byte_by_byte);
  RUN(test_in_portions);
  RUN(test_cut_anywhere);
  RUN(test_longest_message);
  RUN(test_too_long_in_fragments);
  RUN(test_endless_empty_fragments);
  return test_done();
}
