/* The opening handshake (wsd/handshake.c): in pieces, the verdict is that on the whole. The first
 * byte says how the rest is cut, and whether there is a BASE_PATH. */

#include "tests/fuzz/fuzz.h"

#include "wsd/handshake.h"

#include <string.h>

static size_t feed_whole(struct handshake *h, const char *data, size_t len, const char *base) {
  return handshake_feed(h, data, len, base);
}

static size_t feed_pieces(struct handshake *h, const char *data, size_t len, const char *base,
                          struct pieces pieces) {
  size_t used = 0;
  for (size_t at = 0, n; at < len; at += n) {
    n = pieces_next(&pieces, len - at);
    size_t took = handshake_feed(h, data + at, n, base);
    HOLDS(took <= n);
    HOLDS(took == n || h->status != HANDSHAKE_UNFINISHED);
    used += took;
  }
  return used;
}

static void check_protocol(const struct buf *protocol) {
  for (size_t i = 0; i < protocol->len; i++)
    HOLDS((unsigned char)protocol->data[i] > 0x20 && (unsigned char)protocol->data[i] < 0x7f &&
          protocol->data[i] != ',');
}

static void check_upgrade(const struct handshake *h) {
  cleanup_buf struct buf out = {0};
  HOLDS(strlen(h->accept) == WS_ACCEPT_SIZE - 1);
  HOLDS(strlen(h->call_id) < HANDSHAKE_CALL_ID_SIZE);
  for (const char *p = h->call_id; *p; p++)
    HOLDS((unsigned char)*p > 0x20 && *p != 0x7f);
  handshake_origin_allowed(h, "https://a.example, https://b.example");
  HOLDS(handshake_origin_allowed(h, ""));
  check_protocol(&h->protocol);
  handshake_accept(&out, h);
  HOLDS(memcmp(out.data, "HTTP/1.1 101 ", 13) == 0);
  HOLDS(strstr(out.data, "\r\n\r\n") == out.data + out.len - 4);
}

static void check_refusal(const struct handshake *h) {
  cleanup_buf struct buf out = {0};
  handshake_refuse(&out, h->status, NULL, h->is_head);
  const char *end = strstr(out.data, "\r\n\r\n");
  HOLDS(end);
  HOLDS(h->is_head == (end + 4 == out.data + out.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1)
    return 0;
  const char *base = data[0] & 0x20 ? "" : "/mock", *text = (const char *)data + 1;
  struct handshake whole = {0}, cut = {0};
  size_t used = feed_whole(&whole, text, size - 1, base);
  size_t used_cut = feed_pieces(&cut, text, size - 1, base, pieces_of(data[0]));
  HOLDS(used == used_cut && used <= HANDSHAKE_MAX);
  HOLDS(whole.status == cut.status && whole.is_head == cut.is_head);
  HOLDS(strcmp(whole.accept, cut.accept) == 0 && strcmp(whole.call_id, cut.call_id) == 0);
  HOLDS(strcmp(whole.origin, cut.origin) == 0 && whole.has_origin == cut.has_origin);
  HOLDS(whole.has_after == cut.has_after && whole.after == cut.after);
  if (whole.status == HANDSHAKE_UPGRADE)
    check_upgrade(&whole);
  else if (whole.status != HANDSHAKE_UNFINISHED)
    check_refusal(&whole);
  HOLDS(whole.status == HANDSHAKE_UNFINISHED || !whole.head.data);
  handshake_done(&whole);
  handshake_done(&cut);
  return 0;
}
