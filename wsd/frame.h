#pragma once

#include "common/buf.h"

#include <stddef.h>

/*
 * What goes out: a server's frames (RFC 6455 section 5.2) are not masked and never fragmented here,
 * so each is a header of 2 or 4 bytes and the payload.
 */

enum close_code {
  CLOSE_NORMAL = 1000,
  CLOSE_GOING_AWAY = 1001,
  CLOSE_PROTOCOL_ERROR = 1002,
  CLOSE_POLICY = 1008,
  CLOSE_TOO_BIG = 1009,
};

enum { FRAME_TEXT_MAX = 65535, FRAME_REASON_MAX = 123 };

/* Appends a text message of at most FRAME_TEXT_MAX bytes of valid UTF-8. */
void frame_text(struct buf *out, const char *text, size_t len);
/* Appends a close frame; `reason` is at most FRAME_REASON_MAX bytes. */
void frame_close(struct buf *out, enum close_code code, const char *reason);
/* Appends an empty ping. */
void frame_ping(struct buf *out);
