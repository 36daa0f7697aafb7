/*
 * mcs-worker: plays the calls. It polls Redis for jobs that are due, does them in the record, and
 * tells Redis. Any number of workers may run, on any number of hosts.
 */

#include "worker/worker.h"

#include "common/log.h"
#include "common/privileges.h"
#include "common/record.h"

#include <poll.h>
#include <signal.h>

static const char *const statements[] = {
    "calls_advance", "uploads_finish", "call_insert",   "calls_find", "calls_open",
    "calls_retire",  "rebuild_lock",   "picture_begin", "ping",       NULL,
};

static volatile sig_atomic_t stopping;
static sigset_t unblocked;

static void on_stop(int signal) {
  stopping = 1;
}

/* The signals that stop the worker are let in only while it sleeps: a batch is always finished. */
static void set_up_signals(void) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigprocmask(SIG_BLOCK, &stop, &unblocked);
  sigdelset(&unblocked, SIGTERM);
  sigdelset(&unblocked, SIGINT);
  const struct sigaction on = {.sa_handler = on_stop};
  sigaction(SIGTERM, &on, NULL);
  sigaction(SIGINT, &on, NULL);
  signal(SIGPIPE, SIG_IGN);
}

void worker_wait(int fd, int64_t ms) {
  const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  struct pollfd p = {.fd = fd, .events = POLLIN};
  ppoll(&p, 1, &ts, &unblocked);
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

int main(int argc, char **argv) {
  struct config config;
  config_start(&config, "worker", "Plays the calls: state transitions, uploads, retention.", argc,
               argv);
  privileges_drop();
  privileges_confine();
  set_up_signals();
  struct worker w = {
      .config = &config,
      .pg = pg_new(&config, "mcs-worker", statements, true),
      .guard = pg_new(&config, "mcs-worker", NULL, false),
      .redis = redis_new(&config),
      .wake = redis_new(&config),
      .ring = keyring_new(config.api_keys),
      .stripe = record_stripe_of_worker(),
  };
  log_info("worker.start", "version=%s time_scale=%g", MCS_VERSION, config.time_scale);
  poll_run(&w);
  log_info("worker.stop", "msg=\"told to stop\"");
  keyring_free(w.ring);
  redis_free(w.wake);
  redis_free(w.redis);
  pg_free(w.guard);
  pg_free(w.pg);
  config_done(&config);
  return 0;
}
