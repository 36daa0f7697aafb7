/*
 * The way to the web server. libfcgi has the protocol, but no time-outs, and it would spend more
 * system calls on a connection than everything else together. So this module accepts and closes the
 * connections. Signals that stop the process are blocked and read between two requests only. A
 * timer that ticks now and then shuts down a connection whose request takes too long from its first
 * byte to its last; a streamed reply has that time for each piece.
 */

#include "fcgi/http/gateway.h"

#include "common/log.h"

#include <assert.h>
#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
  LISTENER = 0,
  REQUEST_SECONDS = 15,
  TICK_SECONDS = 3,
  CHUNK = 8192,
  PIECE = 8000, /* of a stream: fits with its record's header into libfcgi's buffer */
  PAUSE_MS = 100,
  SOCKET_ROOM = 100000,
};

struct gateway {
  bool cgi;
  bool cgi_done;
  bool body_read; /* the present request's body, to its end */
  bool starved;   /* accepting failed, and that was logged */
  int epoll;      /* waits for the listener and for what stops us */
  int stops;      /* the signals that do */
  FCGX_Request request;
};

static volatile sig_atomic_t under_way = -1; /* the connection of the present request */
static volatile sig_atomic_t ticks;          /* since it began, or made progress */

static void on_tick(int signal) {
  ticks = ticks + 1;
  if (under_way >= 0 && ticks > REQUEST_SECONDS / TICK_SECONDS)
    shutdown(under_way, SHUT_RDWR);
}

static void set_up_signals(struct gateway *g) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGUSR1);
  sigprocmask(SIG_BLOCK, &stop, NULL);
  signal(SIGPIPE, SIG_IGN);
  struct itimerval timer = {.it_value.tv_sec = REQUEST_SECONDS};
  if (!g->cgi) {
    g->stops = signalfd(-1, &stop, SFD_NONBLOCK | SFD_CLOEXEC);
    const struct sigaction tick = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &tick, NULL);
    timer.it_value.tv_sec = timer.it_interval.tv_sec = TICK_SECONDS;
  } /* else SIGALRM's default, to end the process, is right */
  setitimer(ITIMER_REAL, &timer, NULL);
}

bool gateway_is_cgi(void) {
  /* How long libfcgi waits for the web server to close after a reply; one that is gone never will.
   * Read when the library first wakes, which is in this call. */
  setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "500", 0);
  return FCGX_IsCGI();
}

bool gateway_is_request(void) {
  return getenv("REQUEST_METHOD") != NULL;
}

static void watch(struct gateway *g, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (fd < 0 || g->epoll < 0 || epoll_ctl(g->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
    log_oom(); /* there is no other reason */
}

struct gateway *gateway_new(void) {
  struct gateway *g = calloc(1, sizeof(*g));
  if (!g)
    log_oom();
  g->cgi = gateway_is_cgi();
  if (!g->cgi && (FCGX_Init() != 0 || FCGX_InitRequest(&g->request, LISTENER, 0) != 0))
    log_oom();
  set_up_signals(g); /* after FCGX_Init(), which sets handlers of its own */
  if (g->cgi)
    return g;
  fcntl(LISTENER, F_SETFL, fcntl(LISTENER, F_GETFL) | O_NONBLOCK);
  g->epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(g, g->stops, EPOLLIN);
  watch(g, LISTENER, EPOLLIN | EPOLLEXCLUSIVE); /* a connection wakes few children, not all */
  return g;
}

void gateway_free(struct gateway *g) {
  if (!g->cgi) {
    FCGX_Free(&g->request, 1);
    close(g->epoll);
    close(g->stops);
  }
  free(g);
}

/* Either another child was faster or the peer has left; or it is an error that lasts, so pause. */
static void on_accept_failed(struct gateway *g, int error) {
  if (error == EAGAIN || error == EINTR || error == ECONNABORTED)
    return;
  if (!g->starved)
    log_error("accept.failed", "msg=\"%s\"", strerror(error));
  g->starved = true;
  poll(NULL, 0, PAUSE_MS);
}

static enum gateway_event take_connection(struct gateway *g) {
  int fd = accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) {
    on_accept_failed(g, errno);
    return GATEWAY_IDLE;
  }
  g->starved = false;
  g->body_read = false;
  ticks = 0;
  under_way = fd;
  /* As if the library had kept it open since the last request. */
  g->request.ipcFd = fd;
  g->request.keepConnection = 1;
  bool good = FCGX_Accept_r(&g->request) == 0; /* else the peer has gone, or it is no FastCGI */
  under_way = g->request.ipcFd;
  return good ? GATEWAY_REQUEST : GATEWAY_IDLE;
}

enum gateway_event gateway_accept(struct gateway *g, int timeout_ms) {
  if (g->cgi) {
    bool done = g->cgi_done;
    g->cgi_done = true;
    return done ? GATEWAY_STOP : GATEWAY_REQUEST;
  }
  struct epoll_event events[2];
  int n = epoll_wait(g->epoll, events, ARRAY_LEN(events), timeout_ms);
  for (int i = 0; i < n; i++)
    if (events[i].data.fd == g->stops)
      return GATEWAY_STOP;
  return n > 0 ? take_connection(g) : GATEWAY_IDLE;
}

const char *gateway_param(const struct gateway *g, const char *name) {
  const char *value = g->cgi ? getenv(name) : FCGX_GetParam(name, g->request.envp);
  return value ? value : "";
}

static ssize_t read_some(struct gateway *g, char *chunk, size_t size) {
  if (!g->cgi)
    return FCGX_GetStr(chunk, (int)size, g->request.in);
  ssize_t n;
  do
    n = read(STDIN_FILENO, chunk, size);
  while (n < 0 && errno == EINTR);
  return n;
}

/* The announced length; -1 when it is absent, empty, negative or no number. */
static long long announced_length(const struct gateway *g) {
  const char *text = gateway_param(g, "CONTENT_LENGTH");
  size_t digits = strspn(text, "0123456789");
  return digits && digits < 19 && !text[digits] ? atoll(text) : -1;
}

enum gateway_body gateway_read_body(struct gateway *g, size_t max, struct buf *body) {
  char chunk[CHUNK];
  long long announced = announced_length(g), total = 0;
  g->body_read = true;
  /* Plain CGI promises no end of file: only the announced length counts there. */
  while (!g->cgi || total < announced) {
    size_t size = sizeof(chunk);
    if (g->cgi && announced - total < (long long)size)
      size = (size_t)(announced - total);
    ssize_t n = read_some(g, chunk, size);
    if (n <= 0)
      break;
    total += n;
    size_t room = max - body->len;
    if (room) /* else there would be a buffer for nothing */
      buf_add(body, chunk, (size_t)n < room ? (size_t)n : room);
  }
  if (!g->cgi && FCGX_GetError(g->request.in) != 0)
    return BODY_CUT_SHORT;
  if (announced >= 0 && total != announced)
    return BODY_CUT_SHORT;
  return total > (long long)max ? BODY_TOO_LARGE : BODY_WHOLE;
}

void gateway_drain_body(struct gateway *g) {
  cleanup_buf struct buf nothing = {0};
  if (!g->body_read)
    (void)!gateway_read_body(g, 0, &nothing);
}

static bool write_all(const char *data, size_t len) {
  while (len) {
    ssize_t n = write(STDOUT_FILENO, data, len);
    if (n <= 0)
      return false; /* the web server has gone */
    data += n;
    len -= (size_t)n;
  }
  return true;
}

/* Apache and HAProxy read a reply no faster than their client does. The socket has to take the
 * whole reply, or a slow reader would hold this process. The kernel limits its size by
 * net.core.wmem_max; each socket's own buffer is enough for SOCKET_ROOM. */
static void make_room(int fd, size_t len) {
  int size = (int)len;
  if (len > SOCKET_ROOM)
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static void restart_deadline(const struct gateway *g) {
  const struct itimerval timer = {.it_value.tv_sec = REQUEST_SECONDS};
  if (g->cgi)
    setitimer(ITIMER_REAL, &timer, NULL);
  else
    ticks = 0;
}

/* False: the web server is gone, or was cut off. */
static bool send_piece(struct gateway *g, const char *piece, size_t len) {
  bool sent = g->cgi ? write_all(piece, len)
                     : FCGX_PutStr(piece, (int)len, g->request.out) == (int)len &&
                           FCGX_FFlush(g->request.out) == 0;
  restart_deadline(g);
  return sent;
}

/* True when all of it was sent. */
static bool send_stream(struct gateway *g, const struct stream *stream) {
  char piece[PIECE];
  for (int64_t left = stream->len; left != 0;) {
    size_t size = left > 0 && left < PIECE ? (size_t)left : PIECE;
    ssize_t n = stream->fill(stream->context, piece, size);
    if (n <= 0)
      return n == 0 && left < 0;
    assert((size_t)n <= size);
    if (!send_piece(g, piece, (size_t)n))
      return false;
    if (left > 0)
      left -= n;
  }
  return true;
}

/* One request a connection, whatever the web server asked for. The library would first wait for the
 * peer to close, because closing with unread data would take the reply away. No need: the body has
 * been read to its end. (The library itself closes a request that was cut short, and waits.) */
static void end_request(struct gateway *g, bool complete) {
  g->request.keepConnection = 1;
  if (complete)
    FCGX_Finish_r(&g->request);
  else
    FCGX_Free(&g->request, 0); /* without FastCGI's record that says that all is well */
  if (g->request.ipcFd >= 0)
    close(g->request.ipcFd);
  g->request.ipcFd = -1;
  under_way = -1;
}

void gateway_reply(struct gateway *g, const struct buf *reply, const struct stream *stream) {
  gateway_drain_body(g);
  if (g->cgi) {
    if (write_all(reply->data, reply->len) && stream)
      (void)send_stream(g, stream);
    return;
  }
  make_room(g->request.ipcFd, reply->len);
  FCGX_PutStr(reply->data, (int)reply->len, g->request.out);
  end_request(g, !stream || send_stream(g, stream));
}
