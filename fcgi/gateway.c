/*
 * The way to the web server. libfcgi knows no time-outs and reacts to signals in the middle of a
 * request; so here signals are let in only while it waits for a connection (the listening socket is
 * made non-blocking, for another child may be faster), and a timer shuts down a connection whose
 * request takes too long from its first byte to its last.
 */

#include "fcgi/gateway.h"

#include "common/log.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { LISTENER = 0, REQUEST_SECONDS = 15, CHUNK = 8192 };

struct gateway {
  bool cgi;
  bool cgi_done;
  sigset_t waiting; /* the signal mask while waiting for a connection */
  FCGX_Request request;
};

static volatile sig_atomic_t stopping;
static FCGX_Request *volatile under_way; /* for the timer */

static void on_stop(int signal) {
  stopping = 1;
}

static void on_timer(int signal) {
  if (under_way && under_way->ipcFd >= 0)
    shutdown(under_way->ipcFd, SHUT_RDWR);
}

static const int stop_signals[] = {SIGTERM, SIGINT, SIGUSR1};

static void set_up_signals(struct gateway *g) {
  stopping = 0; /* in a child of an heir it is what the heir was told */
  sigset_t stop;
  sigemptyset(&stop);
  const struct sigaction on = {.sa_handler = on_stop};
  for (size_t i = 0; i < ARRAY_LEN(stop_signals); i++) {
    sigaddset(&stop, stop_signals[i]);
    sigaction(stop_signals[i], &on, NULL);
  }
  sigprocmask(SIG_BLOCK, &stop, &g->waiting);
  for (size_t i = 0; i < ARRAY_LEN(stop_signals); i++)
    sigdelset(&g->waiting, stop_signals[i]);
  const struct sigaction timer = {.sa_handler = on_timer};
  if (!g->cgi) /* there the signal's default, death, is what is wanted */
    sigaction(SIGALRM, &timer, NULL);
  signal(SIGPIPE, SIG_IGN);
}

bool gateway_is_cgi(void) {
  /* How long libfcgi waits for the web server to close after a reply; one that is gone never will.
   * Read when the library first wakes, which is in this call. */
  setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "500", 0);
  return FCGX_IsCGI();
}

struct gateway *gateway_new(void) {
  struct gateway *g = calloc(1, sizeof(*g));
  if (!g)
    log_oom();
  g->cgi = gateway_is_cgi();
  if (!g->cgi) {
    if (FCGX_Init() != 0 || FCGX_InitRequest(&g->request, LISTENER, 0) != 0)
      log_oom();
    fcntl(LISTENER, F_SETFL, fcntl(LISTENER, F_GETFL) | O_NONBLOCK);
  }
  set_up_signals(g); /* after FCGX_Init(), which sets handlers of its own */
  return g;
}

void gateway_free(struct gateway *g) {
  if (!g->cgi)
    FCGX_Free(&g->request, 1);
  free(g);
}

static void set_timer(int seconds) {
  const struct itimerval timer = {.it_value.tv_sec = seconds};
  setitimer(ITIMER_REAL, &timer, NULL);
}

/* True when a signal to stop waits to be let in; ppoll() does not when a connection waits as well.
 */
static bool stop_pending(void) {
  sigset_t pending;
  sigpending(&pending);
  for (size_t i = 0; i < ARRAY_LEN(stop_signals); i++)
    if (sigismember(&pending, stop_signals[i]))
      return true;
  return stopping;
}

enum gateway_event gateway_accept(struct gateway *g, int timeout_ms) {
  if (g->cgi) {
    bool done = g->cgi_done;
    g->cgi_done = true;
    set_timer(REQUEST_SECONDS);
    return done ? GATEWAY_STOP : GATEWAY_REQUEST;
  }
  if (stop_pending())
    return GATEWAY_STOP;
  struct pollfd p = {.fd = LISTENER, .events = POLLIN};
  const struct timespec timeout = {.tv_sec = timeout_ms / 1000,
                                   .tv_nsec = timeout_ms % 1000 * 1000000L};
  int n = ppoll(&p, 1, timeout_ms < 0 ? NULL : &timeout, &g->waiting);
  if (n <= 0)
    return stopping ? GATEWAY_STOP : GATEWAY_IDLE;
  under_way = &g->request;
  set_timer(REQUEST_SECONDS);
  if (FCGX_Accept_r(&g->request) == 0)
    return GATEWAY_REQUEST;
  set_timer(0); /* another child was faster, or the peer is gone already */
  return GATEWAY_IDLE;
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

/* The announced length; -1 when none was (absent, empty, negative) or it is no number. */
static long long announced_length(const struct gateway *g) {
  const char *text = gateway_param(g, "CONTENT_LENGTH");
  size_t digits = strspn(text, "0123456789");
  return digits && digits < 19 && !text[digits] ? atoll(text) : -1;
}

enum gateway_body gateway_read_body(struct gateway *g, size_t most, struct buf *body) {
  char chunk[CHUNK];
  long long announced = announced_length(g), total = 0;
  /* Plain CGI promises no end of file: there only the announced length tells. */
  while (!g->cgi || total < announced) {
    size_t size = sizeof(chunk);
    if (g->cgi && announced - total < (long long)size)
      size = (size_t)(announced - total);
    ssize_t n = read_some(g, chunk, size);
    if (n <= 0)
      break;
    total += n;
    size_t room = most - body->len;
    buf_add(body, chunk, (size_t)n < room ? (size_t)n : room);
  }
  if (!g->cgi && FCGX_GetError(g->request.in) != 0)
    return BODY_CUT_SHORT;
  if (announced >= 0 && total != announced)
    return BODY_CUT_SHORT;
  return total > (long long)most ? BODY_TOO_LARGE : BODY_WHOLE;
}

static void write_all(const char *data, size_t len) {
  while (len) {
    ssize_t n = write(STDOUT_FILENO, data, len);
    if (n <= 0)
      return; /* the web server is gone; nobody to tell */
    data += n;
    len -= (size_t)n;
  }
}

void gateway_reply(struct gateway *g, const struct buf *reply) {
  if (g->cgi) {
    write_all(reply->data, reply->len);
    return;
  }
  FCGX_PutStr(reply->data, (int)reply->len, g->request.out);
  /* One request a connection, whatever the server asked for: bytes of a body that was not read
   * could otherwise be taken for the next request. */
  g->request.keepConnection = 0;
  FCGX_Finish_r(&g->request);
  under_way = NULL;
  set_timer(0);
}
