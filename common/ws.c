/* The client's side of a WebSocket, without I/O. */

#include "common/ws.h"

#include "common/http_head.h"
#include "common/log.h"

#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FIN = 0x80, RESERVED = 0x70, OPCODE = 0x0f, MASKED = 0x80 };
enum { LEN_16 = 126, LEN_64 = 127, MASK_LEN = 4 };

/* --- where to --------------------------------------------------------------------------------- */

static bool unix_url(const char *path, struct buf *where, const char **target) {
  const char *colon = strstr(path, ":/");
  size_t len = colon ? (size_t)(colon - path) : strlen(path);
  buf_add(where, path, len);
  *target = colon ? colon + 1 : "/";
  return *path == '/' && len > 1;
}

bool ws_url(const char *url, struct buf *where, const char **target) {
  if (strncasecmp(url, "unix:", 5) == 0)
    return unix_url(url + 5, where, target);
  if (strncasecmp(url, "ws://", 5) != 0)
    return false;
  const char *host = url + 5;
  size_t len = strcspn(host, "/?#");
  if (!len || (host[len] && host[len] != '/'))
    return false;
  buf_add(where, host, len);
  const char *port = strrchr(buf_text(where), ':');
  if (!port || strchr(port, ']'))
    buf_str(where, ":80");
  *target = host[len] ? host + len : "/";
  return true;
}

/* --- the handshake ---------------------------------------------------------------------------- */

void ws_key(char key[WS_KEY_SIZE]) {
  uint8_t bytes[16];
  arc4random_buf(bytes, sizeof(bytes));
  base64_encode_raw(key, sizeof(bytes), bytes);
  key[WS_KEY_SIZE - 1] = '\0';
}

void ws_accept(const char *key, char accept[WS_ACCEPT_SIZE]) {
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  uint8_t digest[SHA1_DIGEST_SIZE];
  struct sha1_ctx sha1;
  sha1_init(&sha1);
  sha1_update(&sha1, strlen(key), (const uint8_t *)key);
  sha1_update(&sha1, sizeof(guid) - 1, (const uint8_t *)guid);
  sha1_digest(&sha1, sizeof(digest), digest);
  base64_encode_raw(accept, sizeof(digest), digest);
  accept[WS_ACCEPT_SIZE - 1] = '\0';
}

void ws_request(struct buf *out, const char *target, const char *host, const char *key,
                const char *headers) {
  buf_printf(out,
             "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
             target, host, key, headers);
}

const char *ws_check(const char *head, size_t len, const char *accept, bool offered) {
  size_t value_len;
  const char *value = http_head_find(head, len, "Sec-WebSocket-Accept", &value_len);
  if (!value || value_len != strlen(accept) || memcmp(value, accept, value_len) != 0)
    return "accept";
  if (!http_head_has(head, len, "Upgrade", "websocket") ||
      !http_head_has(head, len, "Connection", "upgrade"))
    return "upgrade";
  if (http_head_find(head, len, "Sec-WebSocket-Extensions", &value_len))
    return "extension";
  /* Browsers insist on the answer to their offer. */
  if (offered != (http_head_find(head, len, "Sec-WebSocket-Protocol", &value_len) != NULL))
    return "subprotocol";
  return NULL;
}

/* --- frames ----------------------------------------------------------------------------------- */

void ws_frame(struct buf *out, enum ws_opcode opcode, const void *payload, size_t len) {
  uint8_t mask[MASK_LEN];
  size_t bytes = len < LEN_16 ? 0 : len <= UINT16_MAX ? 2 : 8;
  buf_chr(out, (char)(FIN | opcode));
  buf_chr(out, (char)(MASKED | (bytes == 0 ? len : bytes == 2 ? LEN_16 : LEN_64)));
  for (; bytes; bytes--)
    buf_chr(out, (char)((uint64_t)len >> (8 * (bytes - 1))));
  arc4random_buf(mask, sizeof(mask));
  buf_add(out, mask, sizeof(mask));
  char *to = buf_reserve(out, len);
  for (size_t i = 0; i < len; i++)
    to[i] = (char)(((const uint8_t *)payload)[i] ^ mask[i % MASK_LEN]);
  to[len] = '\0';
  out->len += len;
}

static bool is_control(enum ws_opcode opcode) {
  return opcode >= WS_CLOSE;
}

/* What is wrong with the first two bytes of a frame; NULL when nothing is. */
static const char *find_error(int first, int second) {
  int opcode = first & OPCODE;
  if (first & RESERVED)
    return "reserved bits";
  if (second & MASKED)
    return "masked";
  if (opcode > WS_PONG || (opcode > WS_BINARY && opcode < WS_CLOSE))
    return "opcode";
  if (is_control(opcode) && !(first & FIN))
    return "fragmented control frame";
  if (is_control(opcode) && second > WS_CONTROL_MAX)
    return "long control frame";
  return opcode == WS_CLOSE && second == 1 ? "half a close code" : NULL;
}

ssize_t ws_take(const char *data, size_t len, struct ws_frame *frame) {
  const uint8_t *in = (const uint8_t *)data;
  if (len < 2)
    return 0;
  *frame = (struct ws_frame){
      .is_final = in[0] & FIN, .opcode = in[0] & OPCODE, .error = find_error(in[0], in[1])};
  if (frame->error)
    return -1;
  size_t extended = in[1] == LEN_16 ? 2 : in[1] == LEN_64 ? 8 : 0, head = 2 + extended;
  uint64_t payload = extended ? 0 : in[1];
  if (len < head)
    return 0;
  for (size_t i = 2; i < head; i++)
    payload = payload << 8 | in[i];
  if (payload > WS_PAYLOAD_MAX || (extended && payload < (extended == 2 ? LEN_16 : 65536))) {
    frame->error = "length";
    return -1;
  }
  frame->payload = data + head;
  frame->len = (size_t)payload;
  return len - head < payload ? 0 : (ssize_t)(head + payload);
}

int ws_close_code(const struct ws_frame *frame) {
  const uint8_t *code = (const uint8_t *)frame->payload;
  return frame->len >= 2 ? code[0] << 8 | code[1] : WS_CODE_NONE;
}
