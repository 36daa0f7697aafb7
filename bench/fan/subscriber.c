#include "bench/fan/subscriber.h"

#include "bench/fan/base.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
  SOCKETS_A_SOURCE = 5000, /* from 127.0.0.1, as many from 127.0.0.2, … */
  ID_AT = 12,              /* where the call's id is in its news */
};
enum {
  OP_TEXT = 1,
  OP_CLOSE = 8,
  OP_PING = 9,
  OP_PONG = 10,
  FIN = 0x80,
  LEN_16 = 126,
  CONTROL_MAX = 125
};

static struct {
  struct watching shared;
  const char *path; /* of the URL */
  union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_un un;
  } address;
  socklen_t address_len;
} to;

struct subscriber_errors subscriber_errors;

void subscriber_share(const struct watching *shared) {
  const char *where = shared->where;
  char host[64];
  to.shared = *shared;
  to.path = "/ws";
  if (*where == '/') {
    to.address.un.sun_family = AF_UNIX;
    snprintf(to.address.un.sun_path, sizeof(to.address.un.sun_path), "%s", where);
    to.address_len = sizeof(to.address.un);
    return;
  }
  where += strncmp(where, "ws://", 5) == 0 ? 5 : 0;
  size_t len = strcspn(where, ":");
  snprintf(host, sizeof(host), "%.*s", (int)len, where);
  to.address.in.sin_family = AF_INET;
  to.address_len = sizeof(to.address.in);
  if (where[len] != ':' || inet_pton(AF_INET, host, &to.address.in.sin_addr) != 1)
    quit(where);
  to.address.in.sin_port = htons((uint16_t)atoi(where + len + 1));
  if (strchr(where, '/'))
    to.path = strchr(where, '/');
}

/* --- the socket ------------------------------------------------------------------------------- */

static void go(struct subscriber *w, long *error) {
  if (w->stage == SUBSCRIBER_GONE)
    return;
  bool was_ready = w->stage == SUBSCRIBER_READY;
  w->stage = SUBSCRIBER_GONE;
  if (error)
    ++*error;
  if (w->fd >= 0) {
    /* A reset, so that no port has to rest for a minute. */
    setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(w->fd);
  }
  buf_done(&w->rest);
  to.shared.on_gone(w, was_ready);
}

void subscriber_leave(struct subscriber *w) {
  go(w, NULL);
}

static void watch_for(struct subscriber *w, int how, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = w};
  if (epoll_ctl(to.shared.epoll, how, w->fd, &event) != 0)
    quit("epoll");
}

void subscriber_start(struct subscriber *w, const struct call *call, int number) {
  *w = (struct subscriber){.call = call, .stage = SUBSCRIBER_CONNECTING};
  w->fd = socket(to.address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (w->fd < 0)
    quit("socket");
  if (to.address.any.sa_family == AF_INET &&
      (ntohl(to.address.in.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET) {
    const struct sockaddr_in source = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(number / SOCKETS_A_SOURCE))};
    setsockopt(w->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    if (bind(w->fd, (const struct sockaddr *)&source, sizeof(source)) != 0)
      quit("bind");
  }
  if (connect(w->fd, &to.address.any, to.address_len) != 0 && errno != EINPROGRESS)
    go(w, &subscriber_errors.refused);
  else
    watch_for(w, EPOLL_CTL_ADD, EPOLLOUT);
}

/* --- the handshake ---------------------------------------------------------------------------- */

static void ask(struct subscriber *w) {
  char request[400];
  int len = snprintf(request, sizeof(request),
                     "GET %s?call_id=%s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                     to.path, w->call->id);
  if (send(w->fd, request, (size_t)len, MSG_NOSIGNAL) != len) {
    go(w, &subscriber_errors.refused);
    return;
  }
  w->stage = SUBSCRIBER_ASKED;
  watch_for(w, EPOLL_CTL_MOD, EPOLLIN);
}

static void be_ready(struct subscriber *w) {
  w->stage = SUBSCRIBER_READY;
  w->seq = 1;
  to.shared.on_ready(w);
}

/* Returns how many of the bytes are the answer to the handshake; 0: it is not whole, or refused. */
static size_t take_answer(struct subscriber *w, const char *data, size_t len) {
  static const char status[] = "HTTP/1.1 101 ", accept[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
  const char *end = memmem(data, len, "\r\n\r\n", 4);
  if (!end)
    return 0;
  size_t head = (size_t)(end + 4 - data);
  if (strncmp(data, status, sizeof(status) - 1) != 0 ||
      !memmem(data, head, accept, sizeof(accept) - 1)) {
    go(w, &subscriber_errors.refused);
    return 0;
  }
  w->stage = SUBSCRIBER_OPEN;
  if (!to.shared.told_state)
    be_ready(w);
  return head;
}

/* --- frames ----------------------------------------------------------------------------------- */

/* {"call_id":"ID",…,"seq":N…}, and before that the word that it is connected. */
static bool take_text(struct subscriber *w, const char *text, size_t len, int64_t now) {
  const struct call *call = w->call;
  if (w->stage == SUBSCRIBER_OPEN && memmem(text, len, "\"type\":\"connected\"", 18))
    return true;
  const char *at = len > ID_AT + ID_SIZE && memcmp(text + ID_AT, call->id, ID_SIZE - 1) == 0
                       ? memmem(text, len, "\"seq\":", 6)
                       : NULL;
  int seq = at ? atoi(at + 6) : 0;
  if (seq < 1 || seq > call->seq || (w->stage == SUBSCRIBER_OPEN && seq != 1))
    return false;
  if (w->stage == SUBSCRIBER_OPEN)
    be_ready(w);
  else
    to.shared.on_news(w, seq, now);
  if (seq > w->seq)
    w->seq = seq;
  return true;
}

static void answer_ping(struct subscriber *w, const char *payload, size_t len) {
  char pong[6 + CONTROL_MAX] = {(char)(FIN | OP_PONG), (char)(FIN | len)}; /* its mask is 0 */
  memcpy(pong + 6, payload, len);
  (void)!send(w->fd, pong, 6 + len, MSG_NOSIGNAL);
}

/* The lengths of a frame's head and body; false until they are known. */
static bool measure(const char *data, size_t len, size_t *head, size_t *body) {
  *head = 2;
  *body = len >= 2 ? (uint8_t)data[1] : 0;
  if (*body == LEN_16) {
    *head = 4;
    *body = len >= 4 ? (size_t)((uint8_t)data[2] << 8 | (uint8_t)data[3]) : 0;
  }
  return len >= *head;
}

/* Returns how many of the bytes are its next frame; 0: it is not whole, or the watcher is gone. */
static size_t take_frame(struct subscriber *w, const char *data, size_t len, int64_t now) {
  size_t head, body;
  if (!measure(data, len, &head, &body))
    return 0;
  int kind = (uint8_t)data[1] <= LEN_16 ? (uint8_t)data[0] : 0; /* not masked, not huge */
  bool known = kind == (FIN | OP_TEXT) || kind == (FIN | OP_CLOSE) ||
               (kind == (FIN | OP_PING) && body <= CONTROL_MAX);
  if (known && len < head + body)
    return 0;
  if (known && kind == (FIN | OP_PING))
    answer_ping(w, data + head, body);
  else if (known && kind == (FIN | OP_CLOSE))
    go(w, &subscriber_errors.cut);
  else if (!known || !take_text(w, data + head, body, now))
    go(w, &subscriber_errors.broken);
  return w->stage == SUBSCRIBER_GONE ? 0 : head + body;
}

static void take(struct subscriber *w, const char *data, size_t len, int64_t now) {
  size_t at = 0, used;
  do {
    used = w->stage == SUBSCRIBER_ASKED ? take_answer(w, data + at, len - at)
                                        : take_frame(w, data + at, len - at, now);
    at += used;
  } while (used && at < len);
  if (w->stage == SUBSCRIBER_GONE)
    return;
  struct buf rest = {0};
  if (at < len)
    buf_add(&rest, data + at, len - at);
  buf_done(&w->rest);
  w->rest = rest;
}

static void on_readable(struct subscriber *w) {
  static char data[65536];
  ssize_t n = recv(w->fd, data, sizeof(data), 0);
  if (n < 0 && errno == EAGAIN)
    return;
  if (n <= 0) {
    go(w, w->stage <= SUBSCRIBER_ASKED ? &subscriber_errors.refused : &subscriber_errors.cut);
    return;
  }
  int64_t now = now_us();
  if (!w->rest.len) {
    take(w, data, (size_t)n, now);
    return;
  }
  cleanup_buf struct buf whole = w->rest;
  w->rest = (struct buf){0};
  buf_add(&whole, data, (size_t)n);
  take(w, whole.data, whole.len, now);
}

void subscriber_turn(struct subscriber *w) {
  if (w->stage == SUBSCRIBER_CONNECTING)
    ask(w);
  else if (w->stage != SUBSCRIBER_GONE)
    on_readable(w);
}
