#pragma once

#include "calls/call.h"
#include "calls/job.h"

/*
 * What comes next in a call's life: the one place that decides it. Stores and workers only carry it
 * out.
 */
struct next {
  bool is_open; /* false: the call is final, waits for nothing and holds nothing */
  struct job job;
  int64_t began_ms;  /* wall clock: when the stage that the job ends began */
  int64_t length_ms; /* of that stage */
  bool holds_slot;   /* it counts against the limit of concurrent calls, ... */
  int64_t to_end_ms; /* ... and is expected to stop doing so this long after began_ms */
};

struct next next_of(const struct call *call);
