/* Reads the one request of a connection, checks it, and writes the response. */

#include "wsd/handshake.h"

#include "calls/call.h"
#include "common/params.h"
#include "common/token.h"

#include <assert.h>
#include <nettle/base64.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A piece of the head; not NUL-terminated. */
struct slice {
  const char *at;
  size_t len;
};

/* The header lines that matter. */
struct headers {
  bool upgrade_websocket;  /* Upgrade: websocket */
  bool connection_upgrade; /* Connection: upgrade */
  bool has_body;
  bool bad_protocols; /* a Sec-WebSocket-Protocol is no list of tokens */
  struct slice key, version, origin;
  struct slice protocol;       /* the first one offered */
  int keys, versions, origins; /* how often each was there */
};

enum { KEY_LEN = 16, AFTER_DIGITS_MAX = 7 /* as CALL_SEQ_MAX has */ };

static const struct refusal {
  enum handshake_status status;
  const char *reason, *message, *headers;
} refusals[] = {
    {HANDSHAKE_BAD, "Bad Request", "Malformed WebSocket handshake", ""},
    {HANDSHAKE_FORBIDDEN, "Forbidden", "Origin not allowed", ""},
    {HANDSHAKE_NOT_FOUND, "Not Found", "Not found", ""},
    {HANDSHAKE_METHOD, "Method Not Allowed", "Method not allowed", "Allow: GET\r\n"},
    {HANDSHAKE_NO_UPGRADE, "Upgrade Required",
     "WebSocket endpoint: send an Upgrade request (version 13)",
     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"},
    {HANDSHAKE_TOO_LARGE, "Request Header Fields Too Large", "Request head too large", ""},
    {HANDSHAKE_UNAVAILABLE, "Service Unavailable", "Service temporarily unavailable",
     "Retry-After: 1\r\n"},
};

static struct slice trim(struct slice s) {
  while (s.len && (*s.at == ' ' || *s.at == '\t'))
    s.at++, s.len--;
  while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
    s.len--;
  return s;
}

/* Cuts what stands before the first `separator` (or everything) off the front of `rest`. */
static struct slice cut(struct slice *rest, char separator) {
  const char *found = memchr(rest->at, separator, rest->len);
  struct slice front = {rest->at, found ? (size_t)(found - rest->at) : rest->len};
  size_t gone = front.len + (found ? 1 : 0);
  rest->at += gone;
  rest->len -= gone;
  return front;
}

static bool is(struct slice s, const char *text) {
  return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

static bool is_nocase(struct slice s, const char *text) {
  return s.len == strlen(text) && strncasecmp(s.at, text, s.len) == 0;
}

static bool list_has(struct slice list, const char *token) {
  while (list.len)
    if (is_nocase(trim(cut(&list, ',')), token))
      return true;
  return false;
}

static bool is_token(struct slice s) {
  return token_valid(s.at, s.len);
}

static bool has_control(struct slice s) {
  for (size_t i = 0; i < s.len; i++)
    if (((unsigned char)s.at[i] < 0x20 && s.at[i] != '\t') || s.at[i] == 0x7f)
      return true;
  return false;
}

/* --- the request line ------------------------------------------------------------------------- */

/* Makes an origin-form of "http://host/path?query". */
static struct slice without_authority(struct slice target) {
  static const char *const schemes[] = {"http://", "https://", "ws://", "wss://"};
  for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
    size_t len = strlen(schemes[i]);
    if (target.len < len || strncasecmp(target.at, schemes[i], len) != 0)
      continue;
    const char *slash = memchr(target.at + len, '/', target.len - len);
    if (!slash)
      return (struct slice){"/", 1};
    return (struct slice){slash, target.len - (size_t)(slash - target.at)};
  }
  return target;
}

static bool path_matches(struct slice path, const char *base_path) {
  size_t base_len = strlen(base_path);
  if (path.len < base_len || memcmp(path.at, base_path, base_len) != 0)
    return false;
  struct slice rest = {path.at + base_len, path.len - base_len};
  return is(rest, "/ws") || is(rest, "/ws/");
}

static bool read_after(struct handshake *h, const char *value) {
  size_t digits = strspn(value, "0123456789");
  h->has_after = true;
  if (!digits || value[digits] || digits > AFTER_DIGITS_MAX)
    return false;
  h->after = atoi(value);
  return h->after <= CALL_SEQ_MAX;
}

/* The first parameter of a name counts. A malformed one is taken as it was sent: no call has it. */
static bool read_query(struct handshake *h, struct slice query) {
  cleanup_params struct params params = {.at = query.at, .len = query.len};
  bool has_call_id = false, good = true;
  for (enum params_step step;
       (step = params_next(&params)) == PARAMS_GOOD || step == PARAMS_MALFORMED;) {
    const char *name = buf_text(&params.name), *value = buf_text(&params.value);
    if (!has_call_id && strcmp(name, "call_id") == 0) {
      has_call_id = true;
      snprintf(h->call_id, sizeof(h->call_id), "%s", value);
    } else if (!h->has_after && strcmp(name, "after") == 0) {
      good = read_after(h, value);
    }
  }
  return good;
}

static enum handshake_status check_request_line(struct handshake *h, struct slice line,
                                                const char *base_path) {
  struct slice method = cut(&line, ' '), target = cut(&line, ' ');
  if (!is_token(method) || !target.len || has_control(target) ||
      memchr(target.at, '\t', target.len))
    return HANDSHAKE_BAD;
  if (!is(line, "HTTP/1.1") && !is(line, "HTTP/1.0"))
    return HANDSHAKE_BAD;
  h->is_head = is(method, "HEAD");
  struct slice query = without_authority(target);
  if (!path_matches(cut(&query, '?'), base_path))
    return HANDSHAKE_NOT_FOUND;
  if (!is(method, "GET"))
    return HANDSHAKE_METHOD;
  if (!read_query(h, query)) {
    h->message = "after must be the seq of an event, or 0";
    return HANDSHAKE_BAD;
  }
  return is(line, "HTTP/1.1") ? HANDSHAKE_UPGRADE : HANDSHAKE_NO_UPGRADE;
}

/* --- the header lines ------------------------------------------------------------------------- */

/* RFC 6455 section 11.3.4: a list of tokens, which several headers may share. */
static void note_protocols(struct headers *headers, struct slice list) {
  bool any = false;
  while (list.len) {
    struct slice protocol = trim(cut(&list, ','));
    if (!protocol.len)
      continue; /* lists may have empty elements (RFC 9110 section 5.6.1.2) */
    any = true;
    headers->bad_protocols |= !is_token(protocol);
    if (!headers->protocol.len)
      headers->protocol = protocol;
  }
  headers->bad_protocols |= !any;
}

static void note_header(struct headers *headers, struct slice name, struct slice value) {
  if (is_nocase(name, "Upgrade")) {
    headers->upgrade_websocket |= list_has(value, "websocket");
  } else if (is_nocase(name, "Connection")) {
    headers->connection_upgrade |= list_has(value, "upgrade");
  } else if (is_nocase(name, "Sec-WebSocket-Key")) {
    headers->key = value;
    headers->keys++;
  } else if (is_nocase(name, "Sec-WebSocket-Version")) {
    headers->version = value;
    headers->versions++;
  } else if (is_nocase(name, "Origin")) {
    headers->origin = value;
    headers->origins++;
  } else if (is_nocase(name, "Sec-WebSocket-Protocol")) {
    note_protocols(headers, value);
  } else if (is_nocase(name, "Content-Length")) {
    headers->has_body |= !is(value, "0");
  } else if (is_nocase(name, "Transfer-Encoding")) {
    headers->has_body = true;
  }
}

/* Cuts a line with its CRLF off; a CR or LF elsewhere stays in it and is refused as a control. */
static struct slice next_line(struct slice *rest) {
  const char *end = memmem(rest->at, rest->len, "\r\n", 2);
  struct slice line = {rest->at, (size_t)(end - rest->at)};
  rest->at = end + 2;
  rest->len -= line.len + 2;
  return line;
}

static bool read_headers(struct slice rest, struct headers *headers) {
  for (;;) {
    struct slice line = next_line(&rest);
    if (!line.len)
      return true;
    struct slice name = cut(&line, ':');
    if (!is_token(name) || line.at[-1] != ':' || has_control(line))
      return false; /* also a continuation line, whose name would begin with a blank */
    note_header(headers, name, trim(line));
  }
}

/* The key must be the base64 of 16 bytes. */
static bool read_key(struct slice key, char accept[WS_ACCEPT_SIZE]) {
  struct base64_decode_ctx decoder;
  uint8_t bytes[BASE64_DECODE_LENGTH(WS_KEY_SIZE - 1)];
  char text[WS_KEY_SIZE] = "";
  size_t len = sizeof(bytes);
  base64_decode_init(&decoder);
  if (key.len != WS_KEY_SIZE - 1 || !base64_decode_update(&decoder, &len, bytes, key.len, key.at) ||
      !base64_decode_final(&decoder) || len != KEY_LEN)
    return false;
  memcpy(text, key.at, key.len);
  ws_accept(text, accept);
  return true;
}

static void keep_origin(struct handshake *h, struct slice origin) {
  h->has_origin = true;
  if (origin.len < HANDSHAKE_ORIGIN_SIZE)
    memcpy(h->origin, origin.at, origin.len);
}

static enum handshake_status check_head(struct handshake *h, const char *base_path) {
  struct slice rest = {h->head.data, h->head.len};
  struct headers headers = {0};
  enum handshake_status status = check_request_line(h, next_line(&rest), base_path);
  if (status == HANDSHAKE_BAD || !read_headers(rest, &headers))
    return HANDSHAKE_BAD;
  if (status != HANDSHAKE_UPGRADE)
    return status;
  if (!headers.upgrade_websocket || !headers.connection_upgrade || headers.versions != 1 ||
      !is(headers.version, "13"))
    return HANDSHAKE_NO_UPGRADE;
  if (headers.has_body || headers.keys != 1 || headers.origins > 1 ||
      !read_key(headers.key, h->accept))
    return HANDSHAKE_BAD;
  if (headers.bad_protocols) {
    h->message = "Sec-WebSocket-Protocol is not a list of tokens";
    return HANDSHAKE_BAD;
  }
  if (headers.origins)
    keep_origin(h, headers.origin);
  /* The first one, for browsers give up when none of theirs is chosen. The messages are the same.
   */
  buf_add(&h->protocol, headers.protocol.at, headers.protocol.len);
  return HANDSHAKE_UPGRADE;
}

/* --- the outside ------------------------------------------------------------------------------ */

/* Appends at most up to the blank line; returns how many bytes that were. */
static size_t append_head(struct buf *head, const char *data, size_t len) {
  size_t before = head->len, from = before < 3 ? 0 : before - 3;
  size_t room = HANDSHAKE_MAX - before;
  buf_add(head, data, len < room ? len : room);
  const char *end = memmem(head->data + from, head->len - from, "\r\n\r\n", 4);
  if (end)
    head->len = (size_t)(end + 4 - head->data);
  return head->len - before;
}

size_t handshake_feed(struct handshake *h, const char *data, size_t len, const char *base_path) {
  if (len == 0 || h->status != HANDSHAKE_UNFINISHED)
    return 0;
  size_t taken = append_head(&h->head, data, len);
  if (h->head.len >= 4 && memcmp(h->head.data + h->head.len - 4, "\r\n\r\n", 4) == 0)
    h->status = check_head(h, base_path);
  else if (h->head.len == HANDSHAKE_MAX)
    h->status = HANDSHAKE_TOO_LARGE;
  if (h->status != HANDSHAKE_UNFINISHED)
    buf_done(&h->head);
  return taken;
}

bool handshake_origin_allowed(const struct handshake *h, const char *list) {
  struct slice rest = {list, strlen(list)};
  bool any = false; /* a list of blanks and commas is empty */
  if (!h->has_origin)
    return true;
  while (rest.len) {
    struct slice entry = trim(cut(&rest, ','));
    if (is(entry, "*") || (entry.len && is(entry, h->origin)))
      return true;
    any |= entry.len > 0;
  }
  return !any;
}

void handshake_done(struct handshake *h) {
  buf_done(&h->head);
  buf_done(&h->protocol);
}

void handshake_accept(struct buf *out, const struct handshake *h) {
  buf_str(out,
          "HTTP/1.1 101 Switching Protocols\r\n"
          "Upgrade: websocket\r\n"
          "Connection: Upgrade\r\n"
          "Sec-WebSocket-Accept: ");
  buf_str(out, h->accept);
  if (h->protocol.len) {
    buf_str(out, "\r\nSec-WebSocket-Protocol: ");
    buf_add(out, h->protocol.data, h->protocol.len);
  }
  buf_str(out, "\r\n\r\n");
}

void handshake_refuse(struct buf *out, enum handshake_status status, const char *message,
                      bool is_head) {
  const struct refusal *refusal = refusals;
  while (refusal->status != status) {
    refusal++;
    assert(refusal < refusals + ARRAY_LEN(refusals));
  }
  cleanup_buf struct buf body = {0};
  buf_printf(&body, "{\"error\":\"%s\",\"message\":\"%s\"}\n", refusal->reason,
             message ? message : refusal->message);
  buf_printf(out,
             "HTTP/1.1 %d %s\r\n%sContent-Type: application/json\r\nContent-Length: %zu\r\n"
             "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
             (int)status, refusal->reason, refusal->headers, body.len);
  if (!is_head)
    buf_add(out, body.data, body.len);
}
