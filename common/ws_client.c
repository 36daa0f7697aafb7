/* A WebSocket client that blocks. */

#include "common/ws_client.h"

#include "common/clock.h"
#include "common/dial.h"
#include "common/http_head.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { CHUNK = 16384, HEAD_MAX = 65536 };

static int left_ms(const struct ws_client *c) {
  int64_t left = c->deadline_ms - clock_monotonic_ms();
  return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

bool ws_client_connect(struct ws_client *c, const char *where, const char **error) {
  int timeout_ms = left_ms(c);
  c->fd = dial(where, timeout_ms ? timeout_ms : 1, error); /* 0 would be for ever */
  return c->fd >= 0;
}

void ws_client_done(struct ws_client *c) {
  if (c->fd >= 0)
    close(c->fd);
  c->fd = -1;
  buf_done(&c->in);
  c->at = 0;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static enum ws_client_result wait_for(struct ws_client *c, short events) {
  struct pollfd p = {.fd = c->fd, .events = events};
  int ready;
  do
    ready = poll(&p, 1, left_ms(c));
  while (ready < 0 && errno == EINTR);
  return ready > 0 ? WS_CLIENT_OK : WS_CLIENT_TIMEOUT;
}

enum ws_client_result ws_client_send(struct ws_client *c, const void *data, size_t len) {
  const char *at = data;
  while (len) {
    if (wait_for(c, POLLOUT) != WS_CLIENT_OK)
      return WS_CLIENT_TIMEOUT;
    ssize_t sent = send(c->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
      return WS_CLIENT_EOF;
    if (sent > 0) {
      at += sent;
      len -= (size_t)sent;
    }
  }
  return WS_CLIENT_OK;
}

static void drop_taken(struct ws_client *c) {
  if (!c->at)
    return;
  c->in.len -= c->at;
  memmove(c->in.data, c->in.data + c->at, c->in.len + 1);
  c->at = 0;
}

enum ws_client_result ws_client_read(struct ws_client *c) {
  drop_taken(c);
  for (;;) {
    if (wait_for(c, POLLIN) != WS_CLIENT_OK)
      return WS_CLIENT_TIMEOUT;
    ssize_t got = recv(c->fd, buf_reserve(&c->in, CHUNK), CHUNK, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
      return WS_CLIENT_EOF;
    if (got > 0) {
      c->in.len += (size_t)got;
      c->in.data[c->in.len] = '\0';
      return WS_CLIENT_OK;
    }
  }
}

/* --- heads and frames ------------------------------------------------------------------------- */

enum ws_client_result ws_client_head(struct ws_client *c, const char **head, size_t *head_len) {
  enum ws_client_result result = WS_CLIENT_OK;
  while (!(*head_len = http_head_len(buf_text(&c->in) + c->at, c->in.len - c->at))) {
    if (c->in.len - c->at > HEAD_MAX)
      return WS_CLIENT_BAD;
    if ((result = ws_client_read(c)) != WS_CLIENT_OK)
      return result;
  }
  *head = c->in.data + c->at;
  c->at += *head_len;
  return result;
}

enum ws_client_result ws_client_frame(struct ws_client *c, struct ws_frame *frame) {
  enum ws_client_result result = WS_CLIENT_OK;
  ssize_t used;
  while ((used = ws_take(buf_text(&c->in) + c->at, c->in.len - c->at, frame)) == 0)
    if ((result = ws_client_read(c)) != WS_CLIENT_OK)
      return result;
  if (used < 0)
    return WS_CLIENT_BAD;
  c->at += (size_t)used;
  return result;
}
