/*
 * Frames from clients (wsd/inlet.c): whole and in pieces, verdict and answers are those of a model,
 * a second reading of RFC 6455 that shares nothing with wslay. The first byte of the input says how
 * the rest is cut.
 */

#include "tests/fuzz/fuzz.h"

#include "wsd/inlet.h"

#include <string.h>

struct model {
  const uint8_t *at, *end;
  bool vague;                  /* the last frame may or may not be judged already */
  bool open;                   /* something is unfinished at the end */
  bool in_message;             /* a fragmented message waits for its rest */
  bool is_text;                /* it, or the present one */
  uint64_t message_len;        /* so far */
  unsigned utf8_left;          /* bytes that the present character still needs */
  uint8_t utf8_low, utf8_high; /* bounds of the next of them */
  enum inlet_result result;
  bool may_1002, may_1007, may_1009; /* what the close may say, for INLET_FAULT */
  struct buf pongs;
  struct buf close; /* the echo, for INLET_CLOSED */
};

struct frame {
  int opcode;
  bool fin, masked;
  uint64_t len;
  const uint8_t *mask;
};

static bool is_control(int opcode) {
  return opcode >= 8;
}

static void error(struct model *m, int code) {
  m->result = INLET_ERROR;
  m->may_1002 |= code == 1002;
  m->may_1007 |= code == 1007;
  m->may_1009 |= code == 1009;
}

static bool utf8_next(struct model *m, uint8_t c) {
  if (m->utf8_left) {
    bool good = c >= m->utf8_low && c <= m->utf8_high;
    m->utf8_left--;
    m->utf8_low = 0x80;
    m->utf8_high = 0xbf;
    return good;
  }
  if (c < 0x80)
    return true;
  if (c < 0xc2 || c > 0xf4)
    return false;
  m->utf8_left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
  m->utf8_low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
  m->utf8_high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
  return true;
}

/* Takes a frame's header; false where the input ends in it. */
static bool read_header(struct model *m, struct frame *f, bool *shortest) {
  size_t left = (size_t)(m->end - m->at);
  if (left < 2)
    return false;
  unsigned code = m->at[1] & 0x7f, more = code == 127 ? 8 : code == 126 ? 2 : 0;
  f->opcode = m->at[0] & 15;
  f->fin = m->at[0] & 0x80;
  f->masked = m->at[1] & 0x80;
  if (left < 2 + more + 4)
    return false;
  f->len = more ? 0 : code;
  for (unsigned i = 0; i < more; i++)
    f->len = f->len << 8 | m->at[2 + i];
  *shortest = !more || f->len >= (more == 8 ? 65536 : 126);
  f->mask = m->at + 2 + more;
  return true;
}

static void judge_header(struct model *m, const struct frame *f, bool shortest) {
  bool known = f->opcode <= 2 || (f->opcode >= 8 && f->opcode <= 10);
  bool bad = !known || !f->masked || (m->at[0] & 0x70) || !shortest || f->len >> 63;
  if (is_control(f->opcode)) {
    bad |= !f->fin || f->len > 125 || (f->opcode == 8 && f->len == 1);
  } else {
    bad |= (f->opcode == 0) != m->in_message;
    uint64_t before = m->in_message ? m->message_len : 0;
    if (f->len > INLET_MESSAGE_MAX - before)
      error(m, 1009);
  }
  if (bad)
    error(m, 1002);
}

static void take_data(struct model *m, const struct frame *f, size_t there) {
  if (!m->in_message) {
    m->message_len = 0;
    m->is_text = f->opcode == 1;
    m->utf8_left = 0;
  }
  m->in_message = true;
  m->message_len += f->len;
  for (size_t i = 0; i < there && m->is_text; i++)
    if (!utf8_next(m, m->at[i] ^ f->mask[i % 4])) {
      error(m, 1007);
      return;
    }
  if (there < f->len || !f->fin)
    return;
  m->in_message = false;
  if (m->is_text && m->utf8_left)
    error(m, 1007);
}

/* 1 yes, 0 no, -1 as one likes: registered after the RFC, or beyond all ranges. */
static int is_close_code(unsigned code) {
  if ((code >= 1012 && code <= 1014) || code >= 5000)
    return -1;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1011) ||
         (code >= 3000 && code <= 4999);
}

static void take_close(struct model *m, const struct frame *f) {
  struct model reason = {0};
  uint8_t payload[125] = {0};
  buf_chr(&m->close, (char)0x88);
  buf_chr(&m->close, (char)f->len);
  for (size_t i = 0; i < f->len; i++) {
    payload[i] = m->at[i] ^ f->mask[i % 4];
    buf_chr(&m->close, (char)payload[i]);
  }
  m->result = INLET_CLOSED;
  if (!f->len)
    return;
  int good = is_close_code((unsigned)payload[0] << 8 | payload[1]);
  bool text = true;
  for (size_t i = 2; i < f->len && text; i++)
    text = utf8_next(&reason, payload[i]);
  if (!text || reason.utf8_left)
    error(m, 1007);
  if (good == 0)
    error(m, 1002);
  m->vague = good < 0;
}

static void take_control(struct model *m, const struct frame *f) {
  if (f->opcode == 8) {
    take_close(m, f);
  } else if (f->opcode == 9) {
    buf_chr(&m->pongs, (char)0x8a);
    buf_chr(&m->pongs, (char)f->len);
    for (size_t i = 0; i < f->len; i++)
      buf_chr(&m->pongs, (char)(m->at[i] ^ f->mask[i % 4]));
  }
}

static void run_model(struct model *m) {
  struct frame f;
  bool shortest;
  while (m->at < m->end) {
    if (!read_header(m, &f, &shortest)) {
      m->open = m->vague = true;
      return;
    }
    judge_header(m, &f, shortest);
    if (m->result != INLET_MORE) {
      /* It may be judged by its header, or not before its payload is there. */
      m->open = m->vague = f.len > (uint64_t)(m->end - f.mask - 4);
      return;
    }
    m->at = f.mask + 4;
    size_t left = (size_t)(m->end - m->at), there = f.len < left ? (size_t)f.len : left;
    bool whole = there == f.len;
    if (!is_control(f.opcode))
      take_data(m, &f, there);
    else if (whole)
      take_control(m, &f);
    if (m->result != INLET_MORE)
      return;
    m->at += there;
    if (!whole) {
      m->open = true;
      return;
    }
  }
  m->open = m->in_message;
}

/* The pongs that came in time, then nothing or one close. */
static void check_replies(const struct model *m, enum inlet_result result,
                          const struct buf *replies) {
  if (result == INLET_MORE) {
    HOLDS(replies->len == m->pongs.len);
    HOLDS(!replies->len || memcmp(replies->data, m->pongs.data, replies->len) == 0);
    return;
  }
  size_t pongs = 0;
  while (pongs < replies->len && (uint8_t)replies->data[pongs] == 0x8a)
    pongs += 2 + (uint8_t)replies->data[pongs + 1];
  HOLDS(pongs <= m->pongs.len && pongs < replies->len);
  HOLDS(!pongs || memcmp(replies->data, m->pongs.data, pongs) == 0);
  const char *close = replies->data + pongs;
  size_t len = replies->len - pongs;
  if (result == INLET_CLOSED) {
    HOLDS(m->vague || (len == m->close.len && memcmp(close, m->close.data, len) == 0));
    return;
  }
  HOLDS(len >= 4 && (uint8_t)close[0] == 0x88 && (size_t)(uint8_t)close[1] + 2 == len);
  int code = (uint8_t)close[2] << 8 | (uint8_t)close[3];
  HOLDS(m->vague || (m->may_1002 && code == 1002) || (m->may_1007 && code == 1007) ||
        (m->may_1009 && code == 1009));
}

static enum inlet_result feed(const struct model *m, const char *data, size_t len,
                              struct pieces pieces) {
  struct inlet *inlet = NULL;
  cleanup_buf struct buf replies = {0};
  enum inlet_result result = INLET_MORE;
  for (size_t at = 0, n; at < len && result == INLET_MORE; at += n) {
    n = pieces.max ? pieces_next(&pieces, len - at) : len;
    result = inlet_feed(&inlet, data + at, n, &replies);
    HOLDS(result == INLET_MORE || !inlet);
  }
  HOLDS(result == m->result || m->vague);
  HOLDS(result != INLET_MORE || (inlet != NULL) == m->open);
  check_replies(m, result, &replies);
  inlet_free(inlet);
  return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2)
    return 0;
  struct model model = {.at = data + 1, .end = data + size};
  run_model(&model);
  const char *frames = (const char *)data + 1;
  enum inlet_result whole = feed(&model, frames, size - 1, (struct pieces){0});
  HOLDS(feed(&model, frames, size - 1, pieces_of(data[0])) == whole);
  buf_done(&model.pongs);
  buf_done(&model.close);
  return 0;
}
