/* A WebSocket client: the connection and its handshake. The frames are wslay's. */

#include "admin/ws.h"

#include "common/listen.h"
#include "common/log.h"

#include <errno.h>
#include <json-c/json.h>
#include <netdb.h>
#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <wslay/wslay.h>

enum { PATIENCE_S = 10, SILENCE_MS = 60000, HEAD_MAX = 16384 };

struct ws {
  int fd;
  wslay_event_context_ptr frames;
  struct buf early; /* frames that came with the server's 101 */
  size_t early_at;
  bool over; /* nothing more comes */
  void (*on_text)(const char *text, size_t len, void *arg);
  void *arg;
  struct buf *why;
};

/* --- connecting ------------------------------------------------------------------------------- */

static struct ws *fail(struct ws *ws, struct ws_refusal *refusal, const char *reason) {
  snprintf(refusal->reason, sizeof(refusal->reason), "%s", reason);
  ws_free(ws);
  return NULL;
}

static int connect_address(int family, const struct sockaddr *address, socklen_t len) {
  const struct timeval patience = {.tv_sec = PATIENCE_S};
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -1;
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (connect(fd, address, len) == 0)
    return fd;
  int saved = errno == EINPROGRESS ? ETIMEDOUT : errno;
  close(fd);
  errno = saved;
  return -1;
}

static int connect_unix(const char *path, const char **error) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof(address.sun_path)) {
    *error = strerror(ENAMETOOLONG);
    return -1;
  }
  memcpy(address.sun_path, path, strlen(path));
  int fd = connect_address(AF_UNIX, (const struct sockaddr *)&address, sizeof(address));
  *error = fd < 0 ? strerror(errno) : NULL;
  return fd;
}

static int connect_tcp(const char *where, const char **error) {
  const char *colon = strrchr(where, ':');
  size_t len = colon ? (size_t)(colon - where) : 0;
  bool bracketed = len > 2 && where[0] == '[' && where[len - 1] == ']';
  cleanup_free char *host = bracketed ? strndup(where + 1, len - 2) : strndup(where, len);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
  if (!host)
    log_oom();
  int failed = getaddrinfo(*host ? host : NULL, colon ? colon + 1 : NULL, &hints, &found), fd = -1;
  if (failed) {
    *error = gai_strerror(failed);
    return -1;
  }
  for (struct addrinfo *ai = found; ai && fd < 0; ai = ai->ai_next)
    fd = connect_address(ai->ai_family, ai->ai_addr, ai->ai_addrlen);
  *error = fd < 0 ? strerror(errno) : NULL;
  freeaddrinfo(found);
  return fd;
}

static bool send_all(int fd, const char *data, size_t len) {
  while (len) {
    ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0)
      return false;
    data += sent;
    len -= (size_t)sent;
  }
  return true;
}

/* --- the handshake ---------------------------------------------------------------------------- */

enum { KEY_SIZE = 25, ACCEPT_SIZE = BASE64_ENCODE_RAW_LENGTH(SHA1_DIGEST_SIZE) + 1 };

static void make_key(char key[KEY_SIZE], char accept[ACCEPT_SIZE]) {
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  uint8_t bytes[16], digest[SHA1_DIGEST_SIZE];
  struct sha1_ctx sha1;
  arc4random_buf(bytes, sizeof(bytes));
  base64_encode_raw(key, sizeof(bytes), bytes);
  key[KEY_SIZE - 1] = '\0';
  sha1_init(&sha1);
  sha1_update(&sha1, KEY_SIZE - 1, (const uint8_t *)key);
  sha1_update(&sha1, sizeof(guid) - 1, (const uint8_t *)guid);
  sha1_digest(&sha1, sizeof(digest), digest);
  base64_encode_raw(accept, sizeof(digest), digest);
  accept[ACCEPT_SIZE - 1] = '\0';
}

static bool send_request(int fd, const char *where, const char *target, const char *key) {
  cleanup_buf struct buf request = {0};
  buf_printf(&request,
             "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n",
             target, listen_is_unix(where) ? "localhost" : where, key);
  return send_all(fd, request.data, request.len);
}

/* Reads the response's head into `in`, and what came behind it; the length of the head, 0 when
 * there is none. */
static size_t read_head(int fd, struct buf *in) {
  while (in->len < HEAD_MAX) {
    char *room = buf_reserve(in, 1024);
    ssize_t got = recv(fd, room, 1024, 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return 0;
    in->len += (size_t)got;
    in->data[in->len] = '\0';
    const char *end = strstr(in->data, "\r\n\r\n");
    if (end)
      return (size_t)(end + 4 - in->data);
  }
  return 0;
}

/* Whether the head has the line `name: value`. */
static bool has_header(const char *head, const char *name, const char *value) {
  size_t name_len = strlen(name), len = strlen(value);
  for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
    if (strncasecmp(line + 2, name, name_len) != 0 || line[2 + name_len] != ':')
      continue;
    const char *at = line + 3 + name_len;
    at += strspn(at, " \t");
    if (strncasecmp(at, value, len) == 0 && (at[len] == '\r' || at[len] == ' '))
      return true;
  }
  return false;
}

/* A refusal's body is JSON with a message where the service itself refuses. */
static void read_message(int fd, struct buf *in, size_t head_len, struct ws_refusal *refusal) {
  char more[1024];
  ssize_t got;
  while (in->len < HEAD_MAX && !strchr(buf_text(in) + head_len, '}') &&
         (got = recv(fd, more, sizeof(more), 0)) > 0)
    buf_add(in, more, (size_t)got);
  const char *body = strchr(in->data + head_len, '{');
  json_object *parsed = body ? json_tokener_parse(body) : NULL, *message;
  if (json_object_is_type(parsed, json_type_object) &&
      json_object_object_get_ex(parsed, "message", &message)) {
    char text[sizeof(refusal->reason)];
    snprintf(refusal->reason, sizeof(refusal->reason), "%s",
             log_quote(json_object_get_string(message), text, sizeof(text)));
  }
  json_object_put(parsed);
}

static struct ws *upgrade(struct ws *ws, const char *where, const char *target,
                          struct ws_refusal *refusal) {
  char key[KEY_SIZE], accept[ACCEPT_SIZE];
  struct buf *in = &ws->early;
  make_key(key, accept);
  size_t head_len = send_request(ws->fd, where, target, key) ? read_head(ws->fd, in) : 0;
  if (!head_len)
    return fail(ws, refusal, "it does not answer as a WebSocket server");
  if (sscanf(in->data, "HTTP/1.%*c %d", &refusal->status) != 1)
    return fail(ws, refusal, "it does not speak HTTP");
  if (refusal->status != 101) {
    snprintf(refusal->reason, sizeof(refusal->reason), "HTTP status %d", refusal->status);
    read_message(ws->fd, in, head_len, refusal);
    ws_free(ws);
    return NULL;
  }
  if (!has_header(in->data, "Sec-WebSocket-Accept", accept))
    return fail(ws, refusal, "it is no WebSocket server");
  ws->early_at = head_len;
  return ws;
}

/* --- frames ----------------------------------------------------------------------------------- */

static ssize_t on_recv(wslay_event_context_ptr frames, uint8_t *data, size_t len, int flags,
                       void *arg) {
  struct ws *ws = arg;
  size_t left = ws->early.len - ws->early_at;
  if (left) {
    len = len < left ? len : left;
    memcpy(data, ws->early.data + ws->early_at, len);
    ws->early_at += len;
    return (ssize_t)len;
  }
  ssize_t got = recv(ws->fd, data, len, MSG_DONTWAIT);
  if (got > 0)
    return got;
  bool later = got < 0 && (errno == EAGAIN || errno == EINTR);
  ws->over |= !later;
  wslay_event_set_error(frames, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
  return -1;
}

static ssize_t on_send(wslay_event_context_ptr frames, const uint8_t *data, size_t len, int flags,
                       void *arg) {
  struct ws *ws = arg;
  if (send_all(ws->fd, (const char *)data, len))
    return (ssize_t)len;
  ws->over = true;
  wslay_event_set_error(frames, WSLAY_ERR_CALLBACK_FAILURE);
  return -1;
}

static int on_mask(wslay_event_context_ptr frames, uint8_t *mask, size_t len, void *arg) {
  arc4random_buf(mask, len);
  return 0;
}

static void on_message(wslay_event_context_ptr frames,
                       const struct wslay_event_on_msg_recv_arg *message, void *arg) {
  struct ws *ws = arg;
  if (message->opcode == WSLAY_TEXT_FRAME)
    ws->on_text((const char *)message->msg, message->msg_length, ws->arg);
  else if (message->opcode == WSLAY_CONNECTION_CLOSE && message->msg_length > 2)
    buf_add(ws->why, message->msg + 2, message->msg_length - 2);
}

int ws_run(struct ws *ws, void (*on_text)(const char *text, size_t len, void *arg), void *arg,
           struct buf *why) {
  ws->on_text = on_text;
  ws->arg = arg;
  ws->why = why;
  while (!ws->over && (wslay_event_want_read(ws->frames) || wslay_event_want_write(ws->frames))) {
    struct pollfd readable = {.fd = ws->fd, .events = POLLIN};
    if (wslay_event_recv(ws->frames) != 0 || wslay_event_send(ws->frames) != 0)
      break;
    if (!wslay_event_want_read(ws->frames))
      break;
    int ready = poll(&readable, 1, SILENCE_MS);
    if (ready == 0 || (ready < 0 && errno != EINTR))
      break;
  }
  return wslay_event_get_close_received(ws->frames)
             ? wslay_event_get_status_code_received(ws->frames)
             : 0;
}

/* --- the outside ------------------------------------------------------------------------------ */

struct ws *ws_open(const char *where, const char *target, struct ws_refusal *refusal) {
  const struct wslay_event_callbacks callbacks = {.recv_callback = on_recv,
                                                  .send_callback = on_send,
                                                  .genmask_callback = on_mask,
                                                  .on_msg_recv_callback = on_message};
  const char *error;
  struct ws *ws = calloc(1, sizeof(*ws));
  if (!ws || wslay_event_context_client_init(&ws->frames, &callbacks, ws) != 0)
    log_oom();
  *refusal = (struct ws_refusal){0};
  ws->fd = listen_is_unix(where) ? connect_unix(where, &error) : connect_tcp(where, &error);
  return ws->fd < 0 ? fail(ws, refusal, error) : upgrade(ws, where, target, refusal);
}

void ws_free(struct ws *ws) {
  if (ws->fd >= 0)
    close(ws->fd);
  wslay_event_context_free(ws->frames);
  buf_done(&ws->early);
  free(ws);
}
