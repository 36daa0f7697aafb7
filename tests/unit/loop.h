/* A libev loop for unit tests: runs until something has come true. */
#pragma once

#include "tests/unit/test.h"

#include "common/clock.h"

#include <ev.h>

enum { LOOP_PATIENCE_MS = 30000, LOOP_LOOK_MS = 100 };

static inline void loop_on_look(struct ev_loop *loop, ev_timer *timer, int events) {
}

/* Runs the loop until `done` says so; a failed check when that does not come about. Returns how
 * long it took, in ms. */
static inline int64_t loop_run_until(struct ev_loop *loop, bool (*done)(void)) {
  int64_t begin_ms = clock_monotonic_ms();
  ev_timer look;
  ev_timer_init(&look, loop_on_look, LOOP_LOOK_MS / 1000., LOOP_LOOK_MS / 1000.);
  ev_timer_start(loop, &look);
  while (!done() && clock_monotonic_ms() - begin_ms < LOOP_PATIENCE_MS)
    ev_run(loop, EVRUN_ONCE);
  ev_timer_stop(loop, &look);
  CHECK(done());
  return clock_monotonic_ms() - begin_ms;
}
