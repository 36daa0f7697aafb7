/*
 * `mcs-admin ready [SECONDS]`: whether the live state in Redis is ready, that is, whether a worker
 * has loaded the open calls; waits so long for that. `./mcs run` asks before it lets clients in.
 */

#include "admin/commands.h"

#include "common/clock.h"
#include "calls/live/query.h"
#include "common/privileges.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAUSE_MS = 50, SECONDS_MAX = 3600 };

static bool is_ready(struct redis *redis) {
  bool down;
  return redis_connect(redis) && live_is_ready(redis, &down);
}

static bool parse_seconds(const char *text, int64_t *ms) {
  char *end;
  long seconds = strtol(text, &end, 10);
  *ms = seconds * INT64_C(1000);
  return *text && !*end && seconds >= 0 && seconds <= SECONDS_MAX;
}

int command_ready(const struct config *config, int argc, char **argv) {
  int64_t patience_ms = 0;
  if (argc > 2 || (argc == 2 && !parse_seconds(argv[1], &patience_ms))) {
    fputs("usage: mcs-admin ready [SECONDS]\n", stderr);
    return 2;
  }
  privileges_drop();
  struct redis *redis = redis_new(config);
  int64_t deadline_ms = clock_monotonic_ms() + patience_ms;
  bool ready;
  while (!(ready = is_ready(redis)) && clock_monotonic_ms() < deadline_ms)
    clock_pause_ms(PAUSE_MS);
  redis_free(redis);
  if (!ready)
    fputs("mcs: no worker has loaded the open calls into Redis\n", stderr);
  return ready ? 0 : 1;
}
