/* The life of a call (calls/lifecycle.c): its states and their names. */

#include "calls/lifecycle.h"

#include "tests/unit/test.h"

#include <stdint.h>

static void test_states(void) {
  static const enum call_status expected[OUTCOME__MAX][7] = {
      [OUTCOME_ANSWERED] = {0, CALL_QUEUED, CALL_RINGING, CALL_ANSWERED, CALL_COMPLETED,
                            CALL_COMPLETED, CALL_COMPLETED},
      [OUTCOME_UNANSWERED] = {0, CALL_QUEUED, CALL_RINGING, CALL_UNANSWERED, CALL_COMPLETED,
                              CALL_COMPLETED, CALL_COMPLETED},
  };
  for (int outcome = 0; outcome < OUTCOME__MAX; outcome++)
    for (int seq = 1; seq < 7; seq++)
      CHECK_INT(lifecycle_status((enum call_outcome)outcome, seq), expected[outcome][seq]);
  CHECK_INT(lifecycle_status(OUTCOME_ANSWERED, INT32_MAX), CALL_COMPLETED);
}

static void test_names(void) {
  CHECK_STR(lifecycle_status_name(CALL_QUEUED), "QUEUED");
  CHECK_STR(lifecycle_status_name(CALL_RINGING), "RINGING");
  CHECK_STR(lifecycle_status_name(CALL_ANSWERED), "ANSWERED");
  CHECK_STR(lifecycle_status_name(CALL_UNANSWERED), "UNANSWERED");
  CHECK_STR(lifecycle_status_name(CALL_COMPLETED), "COMPLETED");
  for (int i = 0; i < OUTCOME__MAX; i++) {
    enum call_outcome outcome;
    CHECK(lifecycle_outcome_parse(lifecycle_outcome_name((enum call_outcome)i), &outcome));
    CHECK_INT(outcome, i);
  }
  static const char *const strangers[] = {"", "answered", "ANSWERE", "ANSWEREDX", "COMPLETED"};
  for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
    enum call_outcome outcome;
    CHECK(!lifecycle_outcome_parse(strangers[i], &outcome));
  }
}

int main(void) {
  RUN(test_states);
  RUN(test_names);
  return test_done();
}
