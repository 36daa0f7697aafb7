/* Outgoing frames (wsd/frame.c): headers at every length where they change, closes, pings. */

#include "wsd/frame.h"

#include "tests/unit/test.h"

#include <stdlib.h>

static void check_bytes(const struct buf *b, const char *expected_hex) {
  cleanup_buf struct buf hex = {0};
  for (size_t i = 0; i < b->len; i++)
    buf_printf(&hex, "%02x", (unsigned char)b->data[i]);
  CHECK_STR(buf_text(&hex), expected_hex);
}

static void test_text_header(void) {
  static const struct {
    size_t len;
    const char *header;
  } cases[] = {
      {0, "8100"},       {1, "8101"},         {125, "817d"},
      {126, "817e007e"}, {127, "817e007f"},   {255, "817e00ff"},
      {256, "817e0100"}, {40000, "817e9c40"}, {65535, "817effff"},
  };
  static char payload[FRAME_TEXT_MAX];
  memset(payload, 'x', sizeof(payload));
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    cleanup_buf struct buf frame = {0};
    frame_text(&frame, payload, cases[i].len);
    size_t header = frame.len - cases[i].len;
    CHECK_INT(header * 2, strlen(cases[i].header));
    CHECK_INT(memcmp(frame.data + header, payload, cases[i].len), 0);
    frame.len = header;
    check_bytes(&frame, cases[i].header);
  }
}

static void test_close(void) {
  static const struct {
    enum close_code code;
    const char *reason, *hex;
  } cases[] = {
      {CLOSE_NORMAL, "", "880203e8"},         {CLOSE_GOING_AWAY, "bye", "880503e9627965"},
      {CLOSE_PROTOCOL_ERROR, "", "880203ea"}, {CLOSE_POLICY, "no", "880403f06e6f"},
      {CLOSE_TOO_BIG, "", "880203f1"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    cleanup_buf struct buf frame = {0};
    frame_close(&frame, cases[i].code, cases[i].reason);
    check_bytes(&frame, cases[i].hex);
  }
}

static void test_longest_reason(void) {
  char reason[FRAME_REASON_MAX + 1];
  memset(reason, 'r', FRAME_REASON_MAX);
  reason[FRAME_REASON_MAX] = '\0';
  cleanup_buf struct buf frame = {0};
  frame_close(&frame, CLOSE_NORMAL, reason);
  CHECK_INT(frame.len, 2 + 125);
  CHECK_INT((unsigned char)frame.data[1], 125);
}

static void test_frames_follow_each_other(void) {
  cleanup_buf struct buf out = {0};
  frame_text(&out, "hi", 2);
  frame_ping(&out);
  frame_close(&out, CLOSE_NORMAL, "x");
  check_bytes(&out,
              "81026869"
              "8900"
              "880303e878");
}

int main(void) {
  RUN(test_text_header);
  RUN(test_close);
  RUN(test_longest_reason);
  RUN(test_frames_follow_each_other);
  return test_done();
}
