/* A client's life, its socket and its one output buffer. Protocol details are handshake.c's,
 * inlet.c's and frame.c's; which client gets which event is the hub's. */

#include "wsd/conn.h"

#include "calls/id.h"
#include "calls/message.h"
#include "common/log.h"
#include "wsd/frame.h"
#include "wsd/handshake.h"
#include "wsd/inlet.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum conn_state {
  CONN_REQUEST, /* reads the handshake; ROSTER_REQUEST */
  CONN_WAITING, /* for the lookup, nothing is read; ROSTER_REQUEST */
  CONN_OPEN,    /* ROSTER_OPEN */
  CONN_CLOSING, /* we sent a close and wait for the client's; ROSTER_LEAVING */
  CONN_LEAVING, /* the rest goes out, input is discarded, until the client hangs up; ditto */
  CONN_DEAD,    /* closed; in the server's list of dead ones, out of the roster */
};

/* Needed only until the connection is open. */
struct opening {
  struct handshake handshake;
  struct buf rest; /* frames that came together with the request */
};

/* An idle connection is this structure and nothing else: wsd holds thousands. */
struct conn {
  ev_io io;
  struct roster_entry entry;
  struct subscriber subscriber; /* joined in CONN_WAITING and CONN_OPEN */
  struct server *server;
  struct opening *opening; /* in CONN_REQUEST and CONN_WAITING */
  struct inlet *inlet;
  struct buf out; /* what the socket did not take yet, from out_sent on */
  uint32_t out_sent;
  uint8_t state;
  bool surplus;
  bool alive; /* something came since the last ping */
  bool eof;   /* the client sends no more */
};

enum { READ_SIZE = 4096 };

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

struct conn *conn_of(struct roster_entry *entry) {
  return container_of(entry, struct conn, entry);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void forget_protocol(struct conn *conn) {
  hub_leave(conn->server->hub, &conn->subscriber);
  inlet_free(conn->inlet);
  conn->inlet = NULL;
  if (conn->opening) {
    handshake_done(&conn->opening->handshake);
    buf_done(&conn->opening->rest);
    free(conn->opening);
    conn->opening = NULL;
  }
}

void conn_drop(struct conn *conn, const char *reason) {
  if (conn->state == CONN_DEAD)
    return;
  log_debug("conn.end", "fd=%d state=%d reason=\"%s\"", conn->io.fd, conn->state, reason);
  conn->state = CONN_DEAD;
  forget_protocol(conn);
  buf_done(&conn->out);
  ev_io_stop(conn->server->loop, &conn->io);
  close(conn->io.fd);
  roster_remove(&conn->server->roster, &conn->entry);
  conn->server->connections--;
  /* Functions up the stack still look at it, so it is freed when they have returned. */
  conn->entry.next = conn->server->dead ? &conn->server->dead->entry : NULL;
  conn->server->dead = conn;
}

void conn_free_next_dead(struct server *server) {
  struct conn *conn = server->dead;
  server->dead = conn->entry.next ? conn_of(conn->entry.next) : NULL;
  free(conn);
}

/* --- output ----------------------------------------------------------------------------------- */

static size_t pending(const struct conn *conn) {
  return conn->out.len - conn->out_sent;
}

static void watch(struct conn *conn) {
  int events = pending(conn) ? EV_WRITE : 0;
  if (conn->state != CONN_WAITING && !conn->eof && pending(conn) <= CONN_OUT_PAUSE)
    events |= EV_READ;
  if (ev_is_active(&conn->io) && (conn->io.events & (EV_READ | EV_WRITE)) == events)
    return;
  ev_io_stop(conn->server->loop, &conn->io);
  ev_io_set(&conn->io, conn->io.fd, events);
  if (events)
    ev_io_start(conn->server->loop, &conn->io);
}

/* All is sent. A client that leaves is told so by a half-close, and may still send. */
static void drained(struct conn *conn) {
  buf_done(&conn->out);
  conn->out_sent = 0;
  if (conn->state != CONN_LEAVING)
    return;
  if (conn->eof || shutdown(conn->io.fd, SHUT_WR) != 0)
    conn_drop(conn, "done");
}

/* Returns how much the socket took; drops the connection if it is broken. */
static size_t transmit(struct conn *conn, const char *data, size_t len) {
  ssize_t n = send(conn->io.fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n >= 0)
    return (size_t)n;
  if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
    conn_drop(conn, "send failed");
  return 0;
}

static void keep(struct conn *conn, const char *data, size_t len) {
  if (pending(conn) + len > CONN_OUT_MAX) {
    log_info("conn.slow", "fd=%d pending=%zu", conn->io.fd, pending(conn));
    conn_drop(conn, "does not read");
    return;
  }
  if (conn->out_sent > conn->out.len / 2) {
    struct buf rest = {0};
    buf_add(&rest, conn->out.data + conn->out_sent, pending(conn));
    buf_done(&conn->out);
    conn->out = rest;
    conn->out_sent = 0;
  }
  buf_add(&conn->out, data, len);
}

/* All output goes through here, in order. The connection may be dead afterwards. */
static void send_bytes(struct conn *conn, const char *data, size_t len) {
  if (len == 0 || conn->state == CONN_DEAD)
    return;
  size_t sent = pending(conn) ? 0 : transmit(conn, data, len);
  if (conn->state != CONN_DEAD && sent < len)
    keep(conn, data + sent, len - sent);
  if (conn->state != CONN_DEAD)
    watch(conn);
}

static void flush(struct conn *conn) {
  conn->out_sent += (uint32_t)transmit(conn, conn->out.data + conn->out_sent, pending(conn));
  if (conn->state != CONN_DEAD && !pending(conn))
    drained(conn);
}

/* --- closing ---------------------------------------------------------------------------------- */

/* Lets the rest go out, then hangs up. */
static void leave(struct conn *conn) {
  if (conn->state == CONN_DEAD || conn->state == CONN_LEAVING)
    return;
  conn->state = CONN_LEAVING;
  forget_protocol(conn);
  roster_put(&conn->server->roster, &conn->entry, ROSTER_LEAVING);
  if (!pending(conn))
    drained(conn);
  if (conn->state != CONN_DEAD)
    watch(conn);
}

/* A close frame of ours was sent last: waits for the client's. */
static void await_close(struct conn *conn) {
  if (conn->state == CONN_DEAD)
    return;
  conn->state = CONN_CLOSING;
  hub_leave(conn->server->hub, &conn->subscriber);
  roster_put(&conn->server->roster, &conn->entry, ROSTER_LEAVING);
  watch(conn);
}

static void say_close(struct conn *conn, enum close_code code, const char *reason) {
  cleanup_buf struct buf frame = {0};
  frame_close(&frame, code, reason);
  send_bytes(conn, frame.data, frame.len);
  await_close(conn);
}

static void refuse(struct conn *conn, enum handshake_status status, const char *message) {
  cleanup_buf struct buf reply = {0};
  log_debug("conn.refused", "fd=%d status=%d", conn->io.fd, status);
  handshake_refuse(&reply, status, message, conn->opening->handshake.is_head);
  send_bytes(conn, reply.data, reply.len);
  leave(conn);
}

/* --- input ------------------------------------------------------------------------------------ */

static void take_frames(struct conn *conn, const char *data, size_t len) {
  if (conn->state != CONN_OPEN && conn->state != CONN_CLOSING)
    return;
  cleanup_buf struct buf replies = {0};
  enum inlet_result result = inlet_feed(&conn->inlet, data, len, &replies);
  if (conn->state == CONN_OPEN) /* after our close nothing may follow */
    send_bytes(conn, replies.data, replies.len);
  if (result != INLET_MORE)
    leave(conn);
}

/* Sends the 101 and what follows it in one piece, then takes the frames that came early. */
static void open_with(struct conn *conn, const char *frames, size_t len, bool last) {
  cleanup_buf struct buf out = {0};
  cleanup_buf struct buf rest = conn->opening->rest;
  handshake_accept(&out, &conn->opening->handshake);
  buf_add(&out, frames, len);
  conn->opening->rest = (struct buf){0};
  handshake_done(&conn->opening->handshake);
  free(conn->opening);
  conn->opening = NULL;
  conn->state = CONN_OPEN;
  conn->alive = true;
  roster_put(&conn->server->roster, &conn->entry, ROSTER_OPEN);
  send_bytes(conn, out.data, out.len);
  if (last)
    await_close(conn);
  take_frames(conn, rest.data, rest.len);
}

static void add_connected(struct buf *out, const char *id) {
  cleanup_buf struct buf text = {0};
  message_connected(&text, id);
  frame_text(out, text.data, text.len);
}

void conn_on_events(struct subscriber *subscriber, const char *frames, size_t len, bool first,
                    bool last) {
  struct conn *conn = container_of(subscriber, struct conn, subscriber);
  if (first) {
    cleanup_buf struct buf out = {0};
    add_connected(&out, hub_id(subscriber));
    buf_add(&out, frames, len);
    open_with(conn, out.data, out.len, last);
    return;
  }
  send_bytes(conn, frames, len);
  if (last)
    await_close(conn);
}

void conn_on_refused(struct subscriber *subscriber, enum hub_refusal refusal) {
  struct conn *conn = container_of(subscriber, struct conn, subscriber);
  switch (refusal) {
  case HUB_UNKNOWN:
    refuse(conn, HANDSHAKE_NOT_FOUND, "Call not found");
    break;
  case HUB_UNAVAILABLE:
    refuse(conn, HANDSHAKE_UNAVAILABLE, NULL);
    break;
  case HUB_GONE:
    say_close(conn, CLOSE_GOING_AWAY, "Call not found");
    break;
  }
}

static void on_request(struct conn *conn) {
  const struct handshake *handshake = &conn->opening->handshake;
  char id[ID_SIZE];
  if (handshake->status != HANDSHAKE_UPGRADE) {
    refuse(conn, handshake->status, handshake->message);
  } else if (!handshake_origin_allowed(handshake, conn->server->config->wsd_origins)) {
    refuse(conn, HANDSHAKE_FORBIDDEN, NULL);
  } else if (conn->server->stopping) {
    refuse(conn, HANDSHAKE_UNAVAILABLE, NULL);
  } else if (conn->surplus) {
    refuse(conn, HANDSHAKE_UNAVAILABLE, "Too many connections");
  } else if (!*handshake->call_id) {
    cleanup_buf struct buf frame = {0};
    frame_close(&frame, CLOSE_POLICY, "Missing call_id");
    open_with(conn, frame.data, frame.len, true);
  } else if (!id_parse(handshake->call_id, id)) {
    refuse(conn, HANDSHAKE_NOT_FOUND, "Call not found");
  } else {
    conn->state = CONN_WAITING;
    conn->subscriber.resumes = handshake->has_after;
    conn->subscriber.after = handshake->after;
    watch(conn);
    hub_join(conn->server->hub, &conn->subscriber, id); /* may bring the connection to its end */
  }
}

static void take_request(struct conn *conn, const char *data, size_t len) {
  if (!conn->opening && !(conn->opening = calloc(1, sizeof(struct opening))))
    log_oom();
  struct opening *opening = conn->opening;
  size_t used = handshake_feed(&opening->handshake, data, len, conn->server->config->base_path);
  buf_add(&opening->rest, data + used, len - used);
  if (opening->handshake.status != HANDSHAKE_UNFINISHED)
    on_request(conn);
}

static void on_eof(struct conn *conn) {
  conn->eof = true;
  if (!pending(conn) || conn->state == CONN_REQUEST) {
    conn_drop(conn, "hung up");
    return;
  }
  leave(conn); /* it may still read */
  if (conn->state != CONN_DEAD)
    watch(conn);
}

static void on_readable(struct conn *conn) {
  static char data[READ_SIZE];
  ssize_t len = recv(conn->io.fd, data, sizeof(data), MSG_DONTWAIT);
  if (len < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
      conn_drop(conn, "recv failed");
    return;
  }
  if (len == 0) {
    on_eof(conn);
    return;
  }
  conn->alive = true;
  if (conn->state == CONN_REQUEST)
    take_request(conn, data, (size_t)len);
  else
    take_frames(conn, data, (size_t)len);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events) {
  struct conn *conn = io->data;
  if (events & EV_WRITE)
    flush(conn);
  if (conn->state != CONN_DEAD && (events & EV_READ))
    on_readable(conn);
  if (conn->state != CONN_DEAD)
    watch(conn);
}

/* --- time and life ---------------------------------------------------------------------------- */

static void ping(struct conn *conn) {
  if (!conn->alive) {
    conn_drop(conn, "no sign of life");
    return;
  }
  cleanup_buf struct buf frame = {0};
  frame_ping(&frame);
  conn->alive = false;
  roster_put(&conn->server->roster, &conn->entry, ROSTER_OPEN);
  send_bytes(conn, frame.data, frame.len);
}

void conn_expire(struct conn *conn) {
  switch ((enum conn_state)conn->state) {
  case CONN_WAITING:
    refuse(conn, HANDSHAKE_UNAVAILABLE, NULL);
    break;
  case CONN_OPEN:
    ping(conn);
    break;
  case CONN_REQUEST:
  case CONN_CLOSING:
  case CONN_LEAVING:
    conn_drop(conn, "time-out");
    break;
  case CONN_DEAD:
    assert(!"the dead are in no queue");
  }
}

void conn_stop(struct conn *conn) {
  switch ((enum conn_state)conn->state) {
  case CONN_REQUEST: /* it gets a 503 when its request is there, soon */
    roster_put(&conn->server->roster, &conn->entry, ROSTER_LEAVING);
    break;
  case CONN_WAITING:
    refuse(conn, HANDSHAKE_UNAVAILABLE, NULL);
    break;
  case CONN_OPEN:
    say_close(conn, CLOSE_GOING_AWAY, "Server is shutting down");
    break;
  case CONN_CLOSING:
  case CONN_LEAVING:
  case CONN_DEAD:
    break;
  }
}

void conn_new(struct server *server, int fd, bool surplus) {
  struct conn *conn = calloc(1, sizeof(*conn));
  if (!conn)
    log_oom();
  conn->server = server;
  conn->surplus = surplus;
  conn->entry.queue = ROSTER__MAX;
  ev_io_init(&conn->io, on_io, fd, EV_READ);
  conn->io.data = conn;
  server->connections++;
  roster_put(&server->roster, &conn->entry, ROSTER_REQUEST);
  ev_io_start(server->loop, &conn->io);
}
