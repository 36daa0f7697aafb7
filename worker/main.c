/*
 * mcs-worker: advances the calls. It claims the jobs that are due in Redis, moves the rows of their
 * calls in PostgreSQL, and applies the result to Redis. Any number of workers may run, on any
 * number of hosts.
 */

#include "calls/row.h"
#include "common/log.h"
#include "common/privileges.h"
#include "worker/batch.h"
#include "worker/poll.h"
#include "worker/worker.h"

static const char *const statements[] = {
    "calls_advance", "uploads_finish", "call_insert", "calls_find",   "calls_open",
    "calls_recent",  "calls_retire",   "locks_free",  "rebuild_lock", "live_state_begin",
    "ping",          "redis_use",      NULL,
};

int main(int argc, char **argv) {
  struct config config;
  config_start(&config, "worker", "Advances the calls: state transitions, uploads, retention.",
               argc, argv);
  privileges_drop();
  privileges_confine();
  worker_set_up_signals();
  struct worker w = {
      .config = &config,
      .pg = pg_new(&config, "mcs-worker", statements, true),
      .guard = pg_new(&config, "mcs-worker", NULL, false),
      .redis = redis_new(&config),
      .wake = redis_new(&config),
      .ring = keyring_new(config.api_keys),
      .stripe = row_stripe_of_worker(),
      .max = BATCH_MAX,
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
