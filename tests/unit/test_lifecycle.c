/*
 * The life of a call (calls/lifecycle.c): its states, and the script that is drawn. Shares are
 * checked within 6.5 standard deviations, and 5 more for what is so rare that it has no bell curve:
 * a right program fails by chance less than once in 1e9.
 */

#include "calls/lifecycle.h"

#include "tests/unit/test.h"

#include <math.h>

enum { DRAWS = 20000 };

static void check_share(int count, double share) {
  double expected = DRAWS * share, bound = 5 + 6.5 * sqrt(DRAWS * share * (1 - share));
  if (fabs(count - expected) > bound)
    test_error(__FILE__, __LINE__, "%d of %d, expected %.0f +- %.0f", count, DRAWS, expected,
               bound);
}

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

static void test_shares(void) {
  int answered = 0;
  for (int i = 0; i < DRAWS; i++) {
    struct call_plan plan;
    lifecycle_draw(&plan, 1, 0);
    answered += plan.outcome == OUTCOME_ANSWERED;
  }
  check_share(answered, 0.7);
}

/* Seconds, as DESIGN.md has them. */
static const struct {
  double min, max;
} stages[OUTCOME__MAX][LIFECYCLE_STAGES] = {
    [OUTCOME_ANSWERED] = {{1, 2}, {3, 5}, {2, 4}, {2, 3}},
    [OUTCOME_UNANSWERED] = {{1, 2}, {3, 5}, {1, 2}, {2, 3}},
};

static int32_t scaled(double seconds, double scale) {
  double ms = seconds * 1000 / scale;
  return ms < 1 ? 1 : (int32_t)lround(ms);
}

/* All draws lie in their range, and the range is used up to its ends (its outer fiftieths). */
static void check_ranges(double scale) {
  int32_t min[OUTCOME__MAX][LIFECYCLE_STAGES], max[OUTCOME__MAX][LIFECYCLE_STAGES] = {{0}};
  memset(min, 0x7f, sizeof(min));
  for (int i = 0; i < DRAWS; i++) {
    struct call_plan s;
    lifecycle_draw(&s, scale, 0);
    for (int n = 0; n < LIFECYCLE_STAGES; n++) {
      int32_t ms = s.duration_ms[n];
      min[s.outcome][n] = ms < min[s.outcome][n] ? ms : min[s.outcome][n];
      max[s.outcome][n] = ms > max[s.outcome][n] ? ms : max[s.outcome][n];
    }
  }
  for (int o = 0; o < OUTCOME__MAX; o++)
    for (int n = 0; n < LIFECYCLE_STAGES; n++) {
      double edge = (stages[o][n].max - stages[o][n].min) / 50;
      CHECK(min[o][n] >= scaled(stages[o][n].min, scale));
      CHECK(min[o][n] <= scaled(stages[o][n].min + edge, scale));
      CHECK(max[o][n] <= scaled(stages[o][n].max, scale));
      CHECK(max[o][n] >= scaled(stages[o][n].max - edge, scale));
    }
}

static void test_ranges(void) {
  static const double scales[] = {1, 0.001, 0.5, 3, 20, 999, 1000};
  for (size_t i = 0; i < ARRAY_LEN(scales); i++)
    check_ranges(scales[i]);
}

static void test_ranges_are_even(void) {
  int lower = 0;
  for (int i = 0; i < DRAWS; i++) {
    struct call_plan plan;
    lifecycle_draw(&plan, 1, 0);
    lower += plan.duration_ms[1] < 4000; /* of 3000 … 5000 */
  }
  check_share(lower, 1000.0 / 2001);
}

static void count_failures(double rate, int counts[UPLOAD_ATTEMPTS + 1]) {
  memset(counts, 0, sizeof(int) * (UPLOAD_ATTEMPTS + 1));
  for (int i = 0; i < DRAWS; i++) {
    struct call_plan plan;
    lifecycle_draw(&plan, 1, rate);
    CHECK(plan.upload_failures >= 0 && plan.upload_failures <= UPLOAD_ATTEMPTS);
    counts[plan.upload_failures]++;
  }
}

static void test_failures(void) {
  int counts[UPLOAD_ATTEMPTS + 1];
  count_failures(0, counts);
  CHECK_INT(counts[0], DRAWS);
  count_failures(1, counts);
  CHECK_INT(counts[UPLOAD_ATTEMPTS], DRAWS);
  static const double rates[] = {0.5, 0.1, 0.01, 0.9};
  for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
    double p = rates[i];
    count_failures(p, counts);
    for (int n = 0; n <= UPLOAD_ATTEMPTS; n++)
      check_share(counts[n], n < UPLOAD_ATTEMPTS ? pow(p, n) * (1 - p) : pow(p, n));
  }
}

static void test_backoff(void) {
  static const struct {
    int attempt;
    double scale;
    int64_t ms;
  } cases[] = {
      {1, 1, 2000},    {2, 1, 4000}, {3, 1, 8000}, {1, 20, 100},        {2, 20, 200},
      {3, 0.5, 16000}, {1, 1000, 2}, {0, 1, 2000}, {1, 0.001, 2000000},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++)
    CHECK_INT(lifecycle_backoff_ms(cases[i].attempt, cases[i].scale), cases[i].ms);
  for (int attempt = -1; attempt < 100; attempt++)
    CHECK(lifecycle_backoff_ms(attempt, 1000) >= 1);
}

int main(void) {
  RUN(test_states);
  RUN(test_names);
  RUN(test_shares);
  RUN(test_ranges);
  RUN(test_ranges_are_even);
  RUN(test_failures);
  RUN(test_backoff);
  return test_done();
}
