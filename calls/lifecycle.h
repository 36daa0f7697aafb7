#pragma once

#include "common/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The life of a call, as one table: which outcomes there are, how likely each is, which states a
 * call with that outcome goes through and how long it stays in each. A call's script (its outcome
 * and the length of each stage) is drawn once, when the call is created, and only played
 * afterwards.
 */

enum call_status {
  CALL_QUEUED,
  CALL_RINGING,
  CALL_ANSWERED,
  CALL_UNANSWERED,
  CALL_COMPLETED,
  CALL_STATUS__MAX,
};

enum call_outcome { OUTCOME_ANSWERED, OUTCOME_UNANSWERED, OUTCOME__MAX };

/* Every call goes through this many states; the last one is COMPLETED. A call's `seq` is 1 in its
 * first state and LIFECYCLE_STATES in its last; later news (the recording) counts on from there. */
enum { LIFECYCLE_STATES = 4 };

enum {
  STAGE_UPLOAD = LIFECYCLE_STATES - 1, /* the stage after the last timed state */
  LIFECYCLE_STAGES = LIFECYCLE_STATES,
  UPLOAD_ATTEMPTS = 3, /* tries of one upload before it is given up */
};

struct call_plan {
  enum call_outcome outcome;
  int32_t duration_ms[LIFECYCLE_STAGES]; /* length of each timed state, then of an upload attempt */
  int32_t upload_failures;               /* how many upload attempts fail before one succeeds */
};

/* Draws a script: `time_scale` divides the lengths, `failure_rate` (0..1) is each attempt's. */
void lifecycle_draw(struct call_plan *plan, double time_scale, double failure_rate);

/* The shortest that a timed state can be; at least 1. */
int64_t lifecycle_shortest_ms(double time_scale);

/* The state of a call with that outcome at `seq` (which may be beyond the last state). */
enum call_status lifecycle_status(enum call_outcome outcome, int seq);

/* Wait before upload attempt number `attempt` (1 = the first retry): exponential from 2 s. */
int64_t lifecycle_backoff_ms(int attempt, double time_scale);

const char *lifecycle_status_name(enum call_status status);
/* As rows and packed lines have it; and as clients are told it. */
const char *lifecycle_outcome_name(enum call_outcome outcome);
const char *lifecycle_outcome_api_name(enum call_outcome outcome);
must_check bool lifecycle_outcome_parse(const char *name, enum call_outcome *outcome);
