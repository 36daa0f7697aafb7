/* A connection of a load. Its handshakes and frames are common/ws.h's. */

#include "tests/harness/load/client.h"

#include "common/http_head.h"
#include "common/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { SOCKETS_A_SOURCE = 5000 }; /* from 127.0.0.1, as many from 127.0.0.2, … */

/* The same for all: bench/push.c knows only the answer to this one, which is the RFC's example. */
static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";

void client_find(struct client_server *server, const char *where) {
  const char *error;
  snprintf(server->host, sizeof(server->host), "%s", listen_is_unix(where) ? "localhost" : where);
  if (dial_find(where, &server->address, 1, &error))
    return;
  fprintf(stderr, "load: %s: %s\n", where, error);
  exit(64);
}

/* --- its end ---------------------------------------------------------------------------------- */

void client_leave(struct client *c) {
  if (c->stage == CLIENT_GONE)
    return;
  c->stage = CLIENT_GONE;
  if (c->kind->resets)
    setsockopt(c->io.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
  close(c->io.fd); /* and out of the epoll set */
  buf_done(&c->rest);
}

static void end(struct client *c, enum client_end why, int code) {
  client_leave(c);
  if (c->kind->on_end)
    c->kind->on_end(c, why, code);
}

/* --- what it sends ---------------------------------------------------------------------------- */

bool client_send(struct client *c, const void *data, size_t len) {
  return send(c->io.fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

void client_ask(struct client *c, const struct client_server *server, const char *target) {
  cleanup_buf struct buf request = {0};
  ws_request(&request, target, server->host, key, "");
  if (client_send(c, request.data, request.len))
    c->stage = CLIENT_ASKED;
  else
    end(c, CLIENT_REFUSED, 0);
}

static void reply(struct client *c, enum ws_opcode opcode, const struct ws_frame *to) {
  cleanup_buf struct buf frame = {0};
  ws_frame(&frame, opcode, to->payload, to->len);
  (void)client_send(c, frame.data, frame.len);
}

/* --- what it is told -------------------------------------------------------------------------- */

static bool is_accepted(const char *head, size_t len) {
  static char accept[WS_ACCEPT_SIZE];
  if (!*accept)
    ws_accept(key, accept);
  return !ws_check(head, len, accept, false);
}

/* Returns how many of the bytes are the response's head; 0: it is incomplete. */
static size_t take_response(struct client *c, const char *data, size_t len) {
  size_t head = http_head_len(data, len);
  if (!head)
    return 0;
  int status = http_head_status(data, head);
  if (status == 101 && !is_accepted(data, head))
    status = 0;
  if (status == 101)
    c->stage = CLIENT_OPEN;
  if (c->kind->on_response)
    c->kind->on_response(c, status);
  if (status != 101)
    end(c, CLIENT_REFUSED, 0);
  return head;
}

/* Returns how many of the bytes are the next frame; 0: it is incomplete. */
static size_t take_frame(struct client *c, const char *data, size_t len) {
  struct ws_frame frame;
  ssize_t used = ws_take(data, len, &frame);
  if (used == 0)
    return 0;
  bool is_control = frame.opcode >= WS_CLOSE, is_text = frame.opcode == WS_TEXT && frame.is_final;
  if (used < 0 || (!is_control && !is_text)) { /* wsd sends whole texts only */
    end(c, CLIENT_BROKEN, 0);
  } else if (frame.opcode == WS_CLOSE) {
    reply(c, WS_CLOSE, &frame);
    end(c, CLIENT_CLOSED, ws_close_code(&frame));
  } else if (frame.opcode == WS_PING && !c->kind->no_pongs) {
    reply(c, WS_PONG, &frame);
  } else if (is_text && c->kind->on_text) {
    c->kind->on_text(c, frame.payload, frame.len);
  }
  return used > 0 ? (size_t)used : 0;
}

/* Takes what is complete, and keeps the rest. */
static void take(struct client *c, const char *data, size_t len) {
  size_t at = 0, used;
  do {
    used = c->stage == CLIENT_ASKED ? take_response(c, data + at, len - at)
                                    : take_frame(c, data + at, len - at);
    at += used;
  } while (used && at < len && c->stage != CLIENT_GONE);
  if (c->stage != CLIENT_GONE && at < len)
    buf_add(&c->rest, data + at, len - at);
}

void client_read(struct client *c) {
  static char data[65536];
  ssize_t n = recv(c->io.fd, data, sizeof(data), MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN)
    return;
  if (n <= 0) {
    end(c, c->stage == CLIENT_ASKED ? CLIENT_REFUSED : CLIENT_CUT, 0);
    return;
  }
  c->read_us = now_us();
  if (c->stage == CLIENT_RAW) {
    if (c->kind->on_bytes)
      c->kind->on_bytes(c, data, (size_t)n);
  } else if (!c->rest.len) {
    take(c, data, (size_t)n);
  } else {
    cleanup_buf struct buf whole = c->rest;
    c->rest = (struct buf){0};
    buf_add(&whole, data, (size_t)n);
    take(c, whole.data, whole.len);
  }
}

static void on_connected(struct client *c) {
  int error = 0;
  socklen_t len = sizeof(error);
  getsockopt(c->io.fd, SOL_SOCKET, SO_ERROR, &error, &len);
  if (error) {
    end(c, CLIENT_REFUSED, 0);
    return;
  }
  loop_change(&c->io, EPOLLIN);
  c->stage = CLIENT_RAW;
  c->kind->on_connected(c);
}

static void on_ready(struct loop_io *io, uint32_t events) {
  struct client *c = (struct client *)((char *)io - offsetof(struct client, io));
  if (c->stage == CLIENT_CONNECTING) {
    on_connected(c);
    return;
  }
  if ((events & EPOLLOUT) && c->kind->on_writable && c->stage != CLIENT_GONE)
    c->kind->on_writable(c);
  if ((events & ~(uint32_t)EPOLLOUT) && c->stage != CLIENT_GONE)
    client_read(c);
}

/* --- its beginning ---------------------------------------------------------------------------- */

static void bind_source(int fd, int number) {
  const struct sockaddr_in source = {
      .sin_family = AF_INET,
      .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(number / SOCKETS_A_SOURCE))};
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
  if (bind(fd, (const struct sockaddr *)&source, sizeof(source)) != 0)
    quit("bind");
}

void client_start(struct client *c, const struct client_kind *kind,
                  const struct client_server *server, int number) {
  const struct dial_address *to = &server->address;
  c->kind = kind;
  c->rest = (struct buf){0};
  c->io = (struct loop_io){.on_ready = on_ready,
                           .fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (c->io.fd < 0)
    quit("socket");
  c->stage = CLIENT_CONNECTING;
  /* connect() to a unix socket whose queue is full fails at once where it may not block. */
  if (to->any.sa_family != AF_UNIX)
    fcntl(c->io.fd, F_SETFL, O_NONBLOCK);
  setsockopt(c->io.fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  if (to->any.sa_family == AF_INET && ntohl(to->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET)
    bind_source(c->io.fd, number);
  if (connect(c->io.fd, &to->any, to->len) != 0 && errno != EINPROGRESS)
    end(c, CLIENT_REFUSED, 0);
  else
    loop_add(&c->io, EPOLLOUT);
}
