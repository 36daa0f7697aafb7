/* What the worker's modules share: signals, sleep, and the pipeline to Redis. */

#include "worker/worker.h"

#include "calls/live/apply.h"
#include "common/log.h"

#include <poll.h>
#include <signal.h>

static volatile sig_atomic_t stopping, hung_up;
static sigset_t unblocked;

static void on_stop(int signal) {
  stopping = 1;
}

static void on_hangup(int signal) {
  hung_up = 1;
}

void worker_set_up_signals(void) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGHUP);
  sigprocmask(SIG_BLOCK, &stop, &unblocked);
  sigdelset(&unblocked, SIGTERM);
  sigdelset(&unblocked, SIGINT);
  sigdelset(&unblocked, SIGHUP);
  const struct sigaction on = {.sa_handler = on_stop}, hangup = {.sa_handler = on_hangup};
  sigaction(SIGTERM, &on, NULL);
  sigaction(SIGINT, &on, NULL);
  sigaction(SIGHUP, &hangup, NULL);
  signal(SIGPIPE, SIG_IGN);
}

void worker_wait(int fd, int64_t ms) {
  const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  struct pollfd p = {.fd = fd, .events = POLLIN};
  ppoll(&p, 1, &ts, &unblocked);
  if (hung_up)
    log_info("worker.hangup", "msg=\"settings are read at the start: restart to change them\"");
  hung_up = 0;
}

void worker_sleep(int64_t ms) {
  worker_wait(-1, ms);
}

bool worker_stopping(void) {
  return stopping;
}

bool worker_drain(struct worker *w) {
  int queued = w->queued;
  w->queued = 0;
  return live_drain(w->redis, queued);
}

void worker_queued(struct worker *w, int64_t delay_ms) {
  w->queued++;
  if (delay_ms >= 0 && (w->next_ms < 0 || delay_ms < w->next_ms))
    w->next_ms = delay_ms;
}
