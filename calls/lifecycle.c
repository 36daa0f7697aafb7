/* The states of a call and how it may end: the table and its names. */

#include "calls/lifecycle.h"

#include <assert.h>
#include <string.h>

static const char *const status_names[CALL_STATUS__MAX] = {
    [CALL_QUEUED] = "QUEUED",         [CALL_RINGING] = "RINGING",     [CALL_ANSWERED] = "ANSWERED",
    [CALL_UNANSWERED] = "UNANSWERED", [CALL_COMPLETED] = "COMPLETED",
};

static const struct {
  const char *name, *api_name;
  enum call_status path[LIFECYCLE_STATES];
} outcomes[OUTCOME__MAX] = {
    [OUTCOME_ANSWERED] =
        {
            .name = "ANSWERED",
            .api_name = "answered",
            .path = {CALL_QUEUED, CALL_RINGING, CALL_ANSWERED, CALL_COMPLETED},
        },
    [OUTCOME_UNANSWERED] =
        {
            .name = "UNANSWERED",
            .api_name = "unanswered",
            .path = {CALL_QUEUED, CALL_RINGING, CALL_UNANSWERED, CALL_COMPLETED},
        },
};

enum call_status lifecycle_status(enum call_outcome outcome, int seq) {
  assert(outcome < OUTCOME__MAX && seq >= 1);
  return outcomes[outcome].path[(seq < LIFECYCLE_STATES ? seq : LIFECYCLE_STATES) - 1];
}

const char *lifecycle_status_name(enum call_status status) {
  assert(status < CALL_STATUS__MAX);
  return status_names[status];
}

const char *lifecycle_outcome_name(enum call_outcome outcome) {
  assert(outcome < OUTCOME__MAX);
  return outcomes[outcome].name;
}

const char *lifecycle_outcome_api_name(enum call_outcome outcome) {
  assert(outcome < OUTCOME__MAX);
  return outcomes[outcome].api_name;
}

bool lifecycle_outcome_parse(const char *name, enum call_outcome *outcome) {
  for (int i = 0; i < OUTCOME__MAX; i++)
    if (strcmp(name, outcomes[i].name) == 0) {
      *outcome = (enum call_outcome)i;
      return true;
    }
  return false;
}
