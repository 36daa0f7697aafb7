/* Accepts, and slows down where descriptors or places run out. */

#include "wsd/listener.h"

#include "common/buf.h"
#include "common/listen.h"
#include "common/log.h"
#include "wsd/conn.h"
#include "wsd/handshake.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  ACCEPTS_A_TURN = 64,
  SURPLUS_MAX = 32, /* connections above the limit that are let in only to be told so */
};
static const double pause_s = 0.1;

struct listener {
  struct server *server;
  ev_io io;
  ev_timer pause;
  int spare_fd; /* closed for a moment, to refuse a client when descriptors run out */
  bool is_tcp;
  bool full;        /* the limit was reached, and that was logged */
  bool starved;     /* accepting failed, and that was logged */
  char *path;       /* of a unix socket, else NULL */
  struct stat made; /* what we made at `path` */
};

/* --- accepting -------------------------------------------------------------------------------- */

static void pause_accepting(struct listener *l) {
  ev_io_stop(l->server->loop, &l->io);
  ev_timer_start(l->server->loop, &l->pause);
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int events) {
  struct listener *l = timer->data;
  ev_timer_set(&l->pause, pause_s, 0.);
  ev_io_start(loop, &l->io);
}

/* No descriptor is left: a client that waits gets a 503 over the spare one. False, with accept4()'s
 * errno, when none waits. */
static bool refuse_with_spare(struct listener *l) {
  cleanup_buf struct buf reply = {0};
  char request[HANDSHAKE_MAX];
  close(l->spare_fd);
  int fd = accept4(l->io.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), error = errno;
  if (fd >= 0) {
    /* Reading first: closing with unread bytes could take the response away again. */
    (void)!recv(fd, request, sizeof(request), MSG_DONTWAIT);
    handshake_refuse(&reply, HANDSHAKE_UNAVAILABLE, "Too many connections", false);
    (void)!send(fd, reply.data, reply.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
  }
  l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  errno = error;
  return fd >= 0;
}

static void complain_once(struct listener *l, int error) {
  if (!l->starved)
    log_warn("accept.failed", "msg=\"%s\"", strerror(error));
  l->starved = true;
}

/* True when the next accept4() may be tried at once. Without descriptors it also fails with EMFILE
 * when no client waits. */
static bool on_accept_failed(struct listener *l) {
  int error = errno;
  if ((error == EMFILE || error == ENFILE) && refuse_with_spare(l)) {
    complain_once(l, error);
    return true;
  }
  if (errno == EAGAIN)
    return false;
  if (errno == EINTR || errno == ECONNABORTED)
    return true;
  complain_once(l, error);
  pause_accepting(l);
  return false;
}

static void admit(struct listener *l, int fd) {
  struct server *server = l->server;
  bool surplus = server->connections >= server->connections_max;
  if (surplus && !l->full)
    log_warn("wsd.full", "connections=%ld", server->connections);
  l->full = surplus;
  l->starved = false;
  if (l->is_tcp)
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  conn_new(server, fd, surplus);
}

static void on_acceptable(struct ev_loop *loop, ev_io *io, int events) {
  struct listener *l = io->data;
  for (int i = 0; i < ACCEPTS_A_TURN; i++) {
    if (l->server->connections >= l->server->connections_max + SURPLUS_MAX) {
      pause_accepting(l);
      return;
    }
    int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
      admit(l, fd);
    else if (!on_accept_failed(l))
      return;
  }
}

/* --- beginning and end -------------------------------------------------------------------------
 */

struct listener *listener_new(struct server *server, const char *where) {
  struct listener *l = calloc(1, sizeof(*l));
  if (!l)
    log_oom();
  l->server = server;
  l->is_tcp = !listen_is_unix(where);
  const char *error;
  int fd = l->is_tcp ? listen_tcp(where, &error) : listen_unix(where, &l->made, &error);
  if (fd < 0) {
    log_error("listen.failed", "where=%s msg=\"%s\"", where, error);
    free(l);
    return NULL;
  }
  if (!l->is_tcp && !(l->path = strdup(where)))
    log_oom();
  l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  ev_io_init(&l->io, on_acceptable, fd, EV_READ);
  ev_timer_init(&l->pause, on_pause_over, pause_s, 0.);
  l->io.data = l->pause.data = l;
  ev_io_start(server->loop, &l->io);
  return l;
}

/* Clients that are connected and wait to be accepted get a response, too. */
static void admit_rest(struct listener *l) {
  int fd;
  while ((fd = accept4(l->io.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
    admit(l, fd);
}

void listener_free(struct listener *l) {
  struct stat now;
  ev_io_stop(l->server->loop, &l->io);
  ev_timer_stop(l->server->loop, &l->pause);
  if (l->path && lstat(l->path, &now) == 0 && now.st_ino == l->made.st_ino &&
      now.st_dev == l->made.st_dev)
    unlink(l->path);
  admit_rest(l);
  close(l->io.fd);
  if (l->spare_fd >= 0)
    close(l->spare_fd);
  free(l->path);
  free(l);
}
