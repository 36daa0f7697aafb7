/* Encodes the frames that wsd sends. Pongs and echoed closes are wslay's (inlet.c). */

#include "wsd/frame.h"

#include <assert.h>
#include <string.h>

enum { FIN = 0x80, OP_TEXT = 0x1, OP_CLOSE = 0x8, OP_PING = 0x9, SHORT_MAX = 125, LEN_16 = 126 };

static void header(struct buf *out, int opcode, size_t len) {
  buf_chr(out, (char)(FIN | opcode));
  if (len <= SHORT_MAX) {
    buf_chr(out, (char)len);
    return;
  }
  buf_chr(out, LEN_16);
  buf_chr(out, (char)(len >> 8));
  buf_chr(out, (char)(len & 0xff));
}

void frame_text(struct buf *out, const char *text, size_t len) {
  assert(len <= FRAME_TEXT_MAX);
  header(out, OP_TEXT, len);
  buf_add(out, text, len);
}

void frame_close(struct buf *out, enum close_code code, const char *reason) {
  size_t len = strlen(reason);
  assert(len <= FRAME_REASON_MAX);
  header(out, OP_CLOSE, 2 + len);
  buf_chr(out, (char)(code >> 8));
  buf_chr(out, (char)(code & 0xff));
  buf_add(out, reason, len);
}

void frame_ping(struct buf *out) {
  header(out, OP_PING, 0);
}
