/* Client frames, through a wslay context that lives only as long as an unfinished message. */

#include "wsd/inlet.h"

#include "common/log.h"
#include "wsd/frame.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

enum { HEADER_MIN = 2, MASK_LEN = 4, HEADER_MAX = 14, CONTROL_MAX = 125 };

struct inlet {
  wslay_event_context_ptr wslay;
  const char *in; /* what is left of the bytes that are being fed */
  size_t in_len;
  struct buf *replies;
  enum close_code error;      /* what to say when wslay_event_recv() fails */
  uint8_t header[HEADER_MAX]; /* of the present frame, masking key included */
  size_t header_len, header_want;
  uint64_t payload_left;     /* of the present frame, once its header is there */
  uint64_t message_len;      /* payload so far of the present message */
  bool message_open;         /* a fragmented message waits for its rest */
  uint8_t held[CONTROL_MAX]; /* of a close frame's payload */
  size_t held_len;
};

/* --- where frames begin and end --------------------------------------------------------------- */

static int opcode(const struct inlet *inlet) {
  return inlet->header[0] & 0x0f;
}

static size_t extended_len(const struct inlet *inlet) {
  int len = inlet->header[1] & 0x7f;
  return len == 127 ? 8 : len == 126 ? 2 : 0;
}

static uint64_t payload_len(const struct inlet *inlet) {
  uint64_t len = 0;
  size_t extended = extended_len(inlet);
  if (!extended)
    return inlet->header[1] & 0x7f;
  for (size_t i = 0; i < extended; i++)
    len = len << 8 | inlet->header[HEADER_MIN + i];
  return len;
}

static void end_frame(struct inlet *inlet) {
  if (!wslay_is_ctrl_frame(opcode(inlet)))
    inlet->message_open = !(inlet->header[0] & 0x80);
  inlet->header_len = 0;
  inlet->header_want = HEADER_MIN;
}

/* Finds what wslay does not: the sum of a message's frames, as it limits each frame only when it
 * does not buffer, and a close frame with half a code. */
static bool begin_frame(struct inlet *inlet) {
  inlet->payload_left = payload_len(inlet);
  if (opcode(inlet) == WSLAY_CONNECTION_CLOSE && inlet->payload_left == 1)
    return false;
  if (!wslay_is_ctrl_frame(opcode(inlet))) {
    if (!inlet->message_open)
      inlet->message_len = 0;
    if (inlet->payload_left > INLET_MESSAGE_MAX - inlet->message_len) {
      inlet->error = inlet->payload_left >> 63 ? CLOSE_PROTOCOL_ERROR : CLOSE_TOO_BIG;
      return false;
    }
    inlet->message_len += inlet->payload_left;
  }
  if (inlet->payload_left == 0)
    end_frame(inlet);
  return true;
}

/* --- feeding wslay ---------------------------------------------------------------------------- */

static size_t take_in(struct inlet *inlet, void *out, size_t len) {
  if (len > inlet->in_len)
    len = inlet->in_len;
  memcpy(out, inlet->in, len);
  inlet->in += len;
  inlet->in_len -= len;
  return len;
}

/* The next bytes of the header; 0 when none are there, -1 when the frame cannot be accepted. */
static ssize_t give_header(struct inlet *inlet, uint8_t *out, size_t len) {
  uint8_t *at = inlet->header + inlet->header_len;
  size_t want = inlet->header_want - inlet->header_len;
  size_t n = take_in(inlet, at, len < want ? len : want);
  memcpy(out, at, n);
  inlet->header_len += n;
  if (inlet->header_len == HEADER_MIN && n)
    inlet->header_want = HEADER_MIN + extended_len(inlet) + MASK_LEN;
  else if (inlet->header_len == inlet->header_want && n && !begin_frame(inlet))
    return -1;
  return (ssize_t)n;
}

static size_t give_payload(struct inlet *inlet, uint8_t *out, size_t len) {
  size_t n;
  if (len > inlet->payload_left)
    len = (size_t)inlet->payload_left;
  if (opcode(inlet) == WSLAY_CONNECTION_CLOSE) {
    assert(len <= CONTROL_MAX); /* wslay refused anything else when it saw the header */
    /* wslay misjudges the UTF-8 of a reason that comes in pieces, so it gets it in one. */
    inlet->held_len += take_in(inlet, inlet->held + inlet->held_len, len - inlet->held_len);
    if (inlet->held_len < len)
      return 0;
    memcpy(out, inlet->held, len);
    n = len;
  } else {
    n = take_in(inlet, out, len);
  }
  inlet->payload_left -= n;
  if (inlet->payload_left == 0)
    end_frame(inlet);
  return n;
}

static ssize_t on_want_bytes(wslay_event_context_ptr wslay, uint8_t *out, size_t len, int flags,
                             void *arg) {
  struct inlet *inlet = arg;
  ssize_t n = inlet->header_len < inlet->header_want ? give_header(inlet, out, len)
                                                     : (ssize_t)give_payload(inlet, out, len);
  if (n <= 0)
    wslay_event_set_error(wslay, n < 0 ? WSLAY_ERR_CALLBACK_FAILURE : WSLAY_ERR_WOULDBLOCK);
  return n > 0 ? n : -1;
}

static ssize_t on_reply(wslay_event_context_ptr wslay, const uint8_t *data, size_t len, int flags,
                        void *arg) {
  struct inlet *inlet = arg;
  buf_add(inlet->replies, data, len);
  return (ssize_t)len;
}

static struct inlet *inlet_new(void) {
  static const struct wslay_event_callbacks callbacks = {
      .recv_callback = on_want_bytes,
      .send_callback = on_reply,
  };
  struct inlet *inlet = calloc(1, sizeof(*inlet));
  if (!inlet || wslay_event_context_server_init(&inlet->wslay, &callbacks, inlet) != 0)
    log_oom();
  inlet->header_want = HEADER_MIN;
  inlet->error = CLOSE_PROTOCOL_ERROR;
  wslay_event_config_set_no_buffering(inlet->wslay, 1);
  wslay_event_config_set_max_recv_msg_length(inlet->wslay, INLET_MESSAGE_MAX);
  return inlet;
}

void inlet_free(struct inlet *inlet) {
  if (!inlet)
    return;
  wslay_event_context_free(inlet->wslay);
  free(inlet);
}

static enum inlet_result take(struct inlet *inlet) {
  size_t before = inlet->replies->len;
  int received = wslay_event_recv(inlet->wslay);
  if (received == WSLAY_ERR_NOMEM)
    log_oom();
  if (received != 0) {
    /* An invalid header: wslay would send a close without a code. */
    inlet->replies->len = before;
    frame_close(inlet->replies, inlet->error, "");
    return INLET_ERROR;
  }
  if (wslay_event_send(inlet->wslay) != 0)
    log_oom(); /* our callback takes everything */
  if (wslay_event_get_close_received(inlet->wslay))
    return INLET_CLOSED;
  return wslay_event_get_read_enabled(inlet->wslay) ? INLET_MORE : INLET_ERROR;
}

enum inlet_result inlet_feed(struct inlet **inlet, const char *data, size_t len,
                             struct buf *replies) {
  if (len == 0)
    return INLET_MORE;
  if (!*inlet)
    *inlet = inlet_new();
  struct inlet *it = *inlet;
  it->in = data;
  it->in_len = len;
  it->replies = replies;
  enum inlet_result result = take(it);
  if (result != INLET_MORE || (it->header_len == 0 && !it->message_open)) {
    inlet_free(it);
    *inlet = NULL;
  }
  return result;
}
