/*
 * mcs-worker: plays the calls. It polls Redis for jobs that are due, does them in the record, and
 * tells Redis. Any number of workers may run, on any number of hosts.
 */

#include "worker/worker.h"

#include "worker/batch.h"

#include "common/log.h"
#include "common/privileges.h"
#include "common/record.h"

#include <poll.h>
#include <signal.h>

static const char *const statements[] = {
    "calls_advance", "uploads_finish", "call_insert",  "calls_find",
    "calls_open",    "calls_recent",   "calls_retire", "locks_free",
    "rebuild_lock",  "picture_begin",  "ping",         NULL,
};

static volatile sig_atomic_t stopping, hung_up;
static sigset_t unblocked;

static void on_stop(int signal) {
  stopping = 1;
}

static void on_hangup(int signal) {
  hung_up = 1;
}

/* Signals are let in only while the worker sleeps: a batch is always finished. */
static void set_up_signals(void) {
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

int main(int argc, char **argv) {
  struct config config;
  config_start(&config, "worker", "Advances the calls: state transitions, uploads, retention.",
               argc, argv);
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
      .most = BATCH_MAX,
  };
  log_info("worker.start", "version=%s time_scale=%g", MCS_VERSION, config.time_scale);
  poll_run(&w);
  log_info("worker.stop", "msg=\"stopped by a signal\"");
  keyring_free(w.ring);
  redis_free(w.wake);
  redis_free(w.redis);
  pg_free(w.guard);
  pg_free(w.pg);
  config_done(&config);
  return 0;
}
