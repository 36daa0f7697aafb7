#pragma once

#include "calls/lifecycle.h"

#include <stdint.h>

/*
 * The plan of a call: how it will end, how long each stage takes, how its upload goes. It is drawn
 * once, when the call is created, and stored with it; the worker only plays it.
 */

enum {
  STAGE_UPLOAD = LIFECYCLE_STATES - 1, /* the stage after the timed states */
  PLAN_STAGES = LIFECYCLE_STATES,
  UPLOAD_ATTEMPTS = 3, /* tries of one upload before it has failed permanently */
};

struct call_plan {
  enum call_outcome outcome;
  int32_t duration_ms[PLAN_STAGES]; /* of each timed state, then of an upload attempt */
  int32_t upload_failures;          /* how many upload attempts fail before one succeeds */
};

/* Draws a plan. `time_scale` divides the durations; `failure_rate` (0..1) is each attempt's. */
void plan_draw(struct call_plan *plan, double time_scale, double failure_rate);

/* The shortest that a timed state can be; at least 1. */
int64_t plan_shortest_ms(double time_scale);

/* Wait before upload attempt number `attempt` (1 = the first retry): exponential from 2 s. */
int64_t plan_backoff_ms(int attempt, double time_scale);
