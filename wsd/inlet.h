#pragma once

#include "common/buf.h"
#include "common/cleanup.h"

#include <stddef.h>

/*
 * What comes in: a client's frames, fully validated by wslay (masks, reserved bits and opcodes,
 * fragmentation, control frames, UTF-8, lengths), and otherwise ignored.
 *
 * A wslay context costs some 9 KiB, so there is one only while a frame or message is unfinished:
 * `struct inlet *` is NULL between messages. No I/O is done here.
 */
struct inlet;

enum { INLET_MESSAGE_MAX = 64 * 1024 };

enum inlet_result {
  INLET_MORE,   /* go on */
  INLET_CLOSED, /* the peer's close frame is here; the reply to it was appended */
  INLET_ERROR,  /* the peer broke the protocol; the close frame that says so was appended */
};

/*
 * Takes `len` bytes as they came from the peer, in any portions. Appends the frames that reply to
 * them (pongs, one close) to `replies`. `*inlet` starts as NULL and is changed here; after
 * INLET_CLOSED or INLET_ERROR it is NULL and nothing more may be fed.
 */
must_check enum inlet_result inlet_feed(struct inlet **inlet, const char *data, size_t len,
                                        struct buf *replies);
/* Also for NULL. */
void inlet_free(struct inlet *inlet);
