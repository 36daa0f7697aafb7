/* wscat --cases: the rows of frames.def, against a running service. */

#include "tests/harness/wscat_cases.h"

#include "common/clock.h"
#include "common/http_head.h"
#include "common/ws_client.h"
#include "tests/harness/frames.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Where nothing is to come, QUIET_MS is how long that is watched. Through a web server a thousand
 * portions of a byte are enough: a long row goes in portions of LONG_STEP. */
enum { CASE_MS = 30000, QUIET_MS = 30, LONG = 4096, LONG_STEP = 997, SHOWN_MAX = 200 };

enum result { MORE, CLOSED, ERROR };

static const struct row {
  const char *name, *hex;
  enum result result;
  bool open;
  const char *replies;
} rows[] = {
#define FRAMES(name_, hex_, result_, open_, replies_) {name_, hex_, result_, open_, replies_},
#include "tests/harness/frames.def"
#undef FRAMES
};

/* A ping that is sent behind a row after which the connection lives on: its pong marks the end of
 * the replies. */
static const char mark[] = "mark";

static void await(struct ws_client *c, int ms) {
  c->deadline_ms = clock_monotonic_ms() + ms;
}

static bool open_websocket(struct ws_client *c, const char *where, const char *target) {
  char key[WS_KEY_SIZE];
  cleanup_buf struct buf request = {0};
  const char *head, *error;
  size_t len;
  await(c, CASE_MS);
  ws_key(key);
  ws_request(&request, target, "localhost", key, "");
  return ws_client_connect(c, where, &error) &&
         ws_client_send(c, request.data, request.len) == WS_CLIENT_OK &&
         ws_client_head(c, &head, &len) == WS_CLIENT_OK && http_head_status(head, len) == 101;
}

/* Sends the row, and the mark behind it; the server may hang up amid it. */
static void send_row(struct ws_client *c, const struct row *row, bool bytewise, bool marking) {
  static unsigned char out[FRAMES_MAX];
  size_t len = frames_unhex(row->hex, out), step = !bytewise ? len : len > LONG ? LONG_STEP : 1;
  enum ws_client_result result = WS_CLIENT_OK;
  for (size_t at = 0; at < len && result == WS_CLIENT_OK; at += step)
    result = ws_client_send(c, out + at, len - at < step ? len - at : step);
  cleanup_buf struct buf ping = {0};
  if (marking)
    ws_frame(&ping, WS_PING, mark, strlen(mark));
  if (result == WS_CLIENT_OK)
    (void)!ws_client_send(c, ping.data, ping.len);
}

/* Gathers control frames, as they came, until the mark or the end. The call's events are texts. */
static enum ws_client_result read_replies(struct ws_client *c, struct buf *replies) {
  struct ws_frame frame;
  enum ws_client_result result;
  while ((result = ws_client_frame(c, &frame)) == WS_CLIENT_OK) {
    if (frame.opcode == WS_TEXT)
      continue;
    if (frame.opcode == WS_PONG && frame.len == strlen(mark) &&
        memcmp(frame.payload, mark, frame.len) == 0)
      break;
    buf_chr(replies, (char)(0x80 | frame.opcode));
    buf_chr(replies, (char)frame.len);
    buf_add(replies, frame.payload, frame.len);
  }
  return result;
}

/* Whether the replies are the row's; where the name has "then", a first part may be missing. */
static bool is_wanted(const struct row *row, const struct buf *replies) {
  static unsigned char wanted[FRAMES_MAX];
  size_t len = frames_unhex(row->replies, wanted), skip = 0;
  if (strstr(row->name, "then") && replies->len < len)
    skip = len - replies->len;
  return len - skip == replies->len && memcmp(wanted + skip, buf_text(replies), replies->len) == 0;
}

static bool run_case(const struct row *row, const char *where, const char *target, bool bytewise) {
  cleanup_ws_client struct ws_client c = {.fd = -1};
  cleanup_buf struct buf replies = {0};
  bool lives = row->result == MORE, marking = lives && !row->open;
  if (!open_websocket(&c, where, target)) {
    printf("not opened: %s\n", row->name);
    return false;
  }
  send_row(&c, row, bytewise, marking);
  await(&c, row->open ? QUIET_MS : CASE_MS);
  enum ws_client_result end = read_replies(&c, &replies);
  bool ended = end == (marking ? WS_CLIENT_OK : lives ? WS_CLIENT_TIMEOUT : WS_CLIENT_EOF);
  if (ended && is_wanted(row, &replies))
    return true;
  printf("wrong: %s: %s, got", row->name, ended ? "ended" : "did not end");
  for (size_t i = 0; i < replies.len && i < SHOWN_MAX; i++)
    printf(" %02x", (unsigned char)replies.data[i]);
  putchar('\n');
  return false;
}

int wscat_cases(const char *where, const char *target, bool bytewise) {
  size_t wrong = 0;
  for (size_t i = 0; i < ARRAY_LEN(rows); i++)
    wrong += !run_case(&rows[i], where, target, bytewise);
  printf("%zu cases, %zu wrong\n", ARRAY_LEN(rows), wrong);
  return wrong ? 1 : 0;
}
