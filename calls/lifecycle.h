#pragma once

#include "common/cleanup.h"

#include <stdbool.h>

/*
 * The life of a call, as one table: which states and outcomes there are, their names, and which
 * states a call with an outcome goes through. How long it stays in each: calls/plan.h.
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
 * first state and LIFECYCLE_STATES in its last; later events (the recording) count on from there.
 */
enum { LIFECYCLE_STATES = 4 };

/* The state of a call with that outcome at `seq` (which may be beyond the last state). */
enum call_status lifecycle_status(enum call_outcome outcome, int seq);

const char *lifecycle_status_name(enum call_status status);
/* As rows and packed lines have it; and as clients are told it. */
const char *lifecycle_outcome_name(enum call_outcome outcome);
const char *lifecycle_outcome_api_name(enum call_outcome outcome);
must_check bool lifecycle_outcome_parse(const char *name, enum call_outcome *outcome);
