/* The client's side of a WebSocket (common/ws.c): URLs, the handshake, frames both ways, those that
 * come also a byte at a time. */

#include "common/ws.h"

#include "tests/harness/frames.h"
#include "tests/unit/test.h"

static void test_url(void) {
  static const struct {
    const char *url, *where, *target; /* where is NULL: no URL */
  } cases[] = {
      {"ws://127.0.0.1:3000/ws?call_id=x", "127.0.0.1:3000", "/ws?call_id=x"},
      {"WS://h/a", "h:80", "/a"},
      {"ws://[::1]/a", "[::1]:80", "/a"},
      {"ws://[::1]:8080/a", "[::1]:8080", "/a"},
      {"ws://h:1", "h:1", "/"},
      {"unix:/run/wsd.sock:/ws", "/run/wsd.sock", "/ws"},
      {"unix:/run/wsd.sock", "/run/wsd.sock", "/"},
      {"ws://", NULL, NULL},
      {"ws:///a", NULL, NULL},
      {"ws://h?a", NULL, NULL},
      {"wss://h/a", NULL, NULL},
      {"http://h/a", NULL, NULL},
      {"unix:wsd.sock:/ws", NULL, NULL},
      {"unix:", NULL, NULL},
      {"", NULL, NULL},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    cleanup_buf struct buf where = {0};
    const char *target = NULL;
    bool good = ws_url(cases[i].url, &where, &target);
    CHECK_STR(good ? buf_text(&where) : NULL, cases[i].where);
    CHECK_STR(good ? target : NULL, cases[i].target);
  }
}

/* RFC 6455, section 1.3. */
static void test_accept(void) {
  char accept[WS_ACCEPT_SIZE];
  ws_accept("dGhlIHNhbXBsZSBub25jZQ==", accept);
  CHECK_STR(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void test_key(void) {
  char a[WS_KEY_SIZE], b[WS_KEY_SIZE];
  ws_key(a);
  ws_key(b);
  CHECK_INT(strlen(a), WS_KEY_SIZE - 1);
  CHECK(strcmp(a, b) != 0);
}

static void test_request(void) {
  cleanup_buf struct buf out = {0};
  ws_request(&out, "/ws?call_id=x", "h:1", "KEY", "Origin: o\r\n");
  CHECK_STR(buf_text(&out),
            "GET /ws?call_id=x HTTP/1.1\r\nHost: h:1\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: KEY\r\n"
            "Sec-WebSocket-Version: 13\r\nOrigin: o\r\n\r\n");
}

static void test_check(void) {
#define START "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE "Upgrade: WebSocket\r\nConnection: upgrade\r\n"
  static const struct {
    const char *head;
    bool offered;
    const char *wrong;
  } cases[] = {
      {START UPGRADE "Sec-WebSocket-Accept: yes\r\n\r\n", false, NULL},
      {START "Sec-WebSocket-Accept:yes\r\n" UPGRADE "Sec-WebSocket-Protocol: a\r\n\r\n", true,
       NULL},
      {START UPGRADE "\r\n", false, "accept"},
      {START UPGRADE "Sec-WebSocket-Accept: yesyes\r\n\r\n", false, "accept"},
      {START UPGRADE "Sec-WebSocket-Accept: ye\r\n\r\n", false, "accept"},
      {START "Connection: upgrade\r\nSec-WebSocket-Accept: yes\r\n\r\n", false, "upgrade"},
      {START "Upgrade: websocket\r\nSec-WebSocket-Accept: yes\r\n\r\n", false, "upgrade"},
      {START UPGRADE "Sec-WebSocket-Extensions: x\r\nSec-WebSocket-Accept: yes\r\n\r\n", false,
       "extension"},
      {START UPGRADE "Sec-WebSocket-Accept: yes\r\n\r\n", true, "subprotocol"},
      {START UPGRADE "Sec-WebSocket-Accept: yes\r\nSec-WebSocket-Protocol: a\r\n\r\n", false,
       "subprotocol"},
  };
#undef START
#undef UPGRADE
  for (size_t i = 0; i < ARRAY_LEN(cases); i++)
    CHECK_STR(ws_check(cases[i].head, strlen(cases[i].head), "yes", cases[i].offered),
              cases[i].wrong);
}

/* --- frames that come ------------------------------------------------------------------------- */

static const struct {
  const char *name, *hex;
  const char *error; /* NULL: a frame */
  bool is_final;
  enum ws_opcode opcode;
  size_t len;
} frames[] = {
    {"empty text", "8100", NULL, true, WS_TEXT, 0},
    {"text", "8102 6869", NULL, true, WS_TEXT, 2},
    {"text of 125", "817d 2a*125", NULL, true, WS_TEXT, 125},
    {"text of 126", "817e007e 2a*126", NULL, true, WS_TEXT, 126},
    {"text of 65535", "817effff 2a*65535", NULL, true, WS_TEXT, 65535},
    {"text of 65536", "817f0000000000010000 2a*65536", NULL, true, WS_TEXT, 65536},
    {"binary", "8201 ff", NULL, true, WS_BINARY, 1},
    {"first fragment", "0101 68", NULL, false, WS_TEXT, 1},
    {"last fragment", "8001 69", NULL, true, WS_CONTINUATION, 1},
    {"ping", "8901 07", NULL, true, WS_PING, 1},
    {"pong of 125", "8a7d 2a*125", NULL, true, WS_PONG, 125},
    {"close", "8802 03e8", NULL, true, WS_CLOSE, 2},
    {"close without code", "8800", NULL, true, WS_CLOSE, 0},
    {"close of one byte", "8801 03", "half a close code", true, WS_CLOSE, 0},
    {"reserved bit", "c100", "reserved bits", true, WS_TEXT, 0},
    {"masked", "8182 00000000 6869", "masked", true, WS_TEXT, 0},
    {"opcode 3", "8300", "opcode", true, 3, 0},
    {"opcode 11", "8b00", "opcode", true, 11, 0},
    {"opcode 15", "8f00", "opcode", true, 15, 0},
    {"fragmented ping", "0900", "fragmented control frame", false, WS_PING, 0},
    {"ping of 126", "897e007e", "long control frame", true, WS_PING, 0},
    {"length in more bytes than needed", "817e007d", "length", true, WS_TEXT, 0},
    {"length in eight bytes", "817f000000000000ffff", "length", true, WS_TEXT, 0},
    {"beyond the longest", "817f0000000000100001", "length", true, WS_TEXT, 0},
    {"length of 2^64 - 1", "817fffffffffffffffff", "length", true, WS_TEXT, 0},
};

static unsigned char data[FRAMES_MAX];

/* Each prefix of a good frame is incomplete; of a bad one, up to where it is found out. */
static void test_take(void) {
  for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
    struct ws_frame frame = {0};
    size_t len = frames_unhex(frames[i].hex, data), at = 0;
    ssize_t used = 0;
    while (used == 0 && at < len)
      used = ws_take((const char *)data, ++at, &frame);
    if (used != (frames[i].error ? -1 : (ssize_t)len) || (!frames[i].error && at != len))
      test_error(__FILE__, __LINE__, "%s: %zd after %zu bytes", frames[i].name, used, at);
    CHECK_STR(frame.error, frames[i].error);
    CHECK_INT(frame.is_final, frames[i].is_final);
    CHECK_INT(frame.opcode, frames[i].opcode);
    CHECK_INT(frame.len, frames[i].len);
    if (!frames[i].error)
      CHECK(frame.payload == (const char *)data + len - frames[i].len);
  }
}

/* The bytes of the frame that follows change nothing. */
static void test_take_first(void) {
  static const char two[] = "\x81\x02hi\xff\xff";
  struct ws_frame frame;
  CHECK_INT(ws_take(two, 6, &frame), 4);
  CHECK_INT(frame.len, 2);
}

static void test_close_code(void) {
  struct ws_frame frame;
  CHECK_INT(ws_take("\x88\x05\x03\xe9"
                    "bye",
                    7, &frame),
            7);
  CHECK_INT(ws_close_code(&frame), 1001);
  CHECK_INT(ws_take("\x88\x00", 2, &frame), 2);
  CHECK_INT(ws_close_code(&frame), WS_CODE_NONE);
}

/* --- frames that go --------------------------------------------------------------------------- */

static void test_frame(void) {
  static const struct {
    size_t len;
    const char *head;
  } cases[] = {
      {0, "8180"},       {1, "8181"},         {125, "81fd"},
      {126, "81fe007e"}, {65535, "81feffff"}, {65536, "81ff0000000000010000"},
  };
  static char payload[65536];
  for (size_t i = 0; i < sizeof(payload); i++)
    payload[i] = (char)(i * 7);
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    cleanup_buf struct buf out = {0};
    size_t head = frames_unhex(cases[i].head, data);
    ws_frame(&out, WS_TEXT, payload, cases[i].len);
    CHECK_INT(out.len, head + 4 + cases[i].len);
    CHECK_INT(memcmp(out.data, data, head), 0);
    const char *mask = out.data + head, *masked = mask + 4;
    size_t wrong = 0;
    for (size_t k = 0; k < cases[i].len; k++)
      wrong += (char)(masked[k] ^ mask[k % 4]) != payload[k];
    CHECK_INT(wrong, 0);
  }
}

static void test_frame_masks(void) {
  cleanup_buf struct buf out = {0};
  ws_frame(&out, WS_PING, "\0\0\0\0", 4);
  ws_frame(&out, WS_PING, "\0\0\0\0", 4);
  CHECK_INT(out.len, 20);
  CHECK(memcmp(out.data + 2, out.data + 12, 4) != 0);
}

int main(void) {
  RUN(test_url);
  RUN(test_accept);
  RUN(test_key);
  RUN(test_request);
  RUN(test_check);
  RUN(test_take);
  RUN(test_take_first);
  RUN(test_close_code);
  RUN(test_frame);
  RUN(test_frame_masks);
  return test_done();
}
