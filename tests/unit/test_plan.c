/*
 * The plan of a call (calls/plan.c). Shares are checked within 6.5 standard deviations, and 5 more
 * for what is so rare that it has no bell curve: a right program fails by chance less than once in
 * 1e9.
 */

#include "calls/plan.h"

#include "tests/unit/test.h"

#include <math.h>

enum { DRAWS = 20000 };

static void check_share(int count, double share) {
  double expected = DRAWS * share, bound = 5 + 6.5 * sqrt(DRAWS * share * (1 - share));
  if (fabs(count - expected) > bound)
    test_error(__FILE__, __LINE__, "%d of %d, expected %.0f +- %.0f", count, DRAWS, expected,
               bound);
}

static void test_shares(void) {
  int answered = 0;
  for (int i = 0; i < DRAWS; i++) {
    struct call_plan plan;
    plan_draw(&plan, 1, 0);
    answered += plan.outcome == OUTCOME_ANSWERED;
  }
  check_share(answered, 0.7);
}

/* Seconds, as DESIGN.md has them. */
static const struct {
  double min, max;
} stages[OUTCOME__MAX][PLAN_STAGES] = {
    [OUTCOME_ANSWERED] = {{1, 2}, {3, 5}, {2, 4}, {2, 3}},
    [OUTCOME_UNANSWERED] = {{1, 2}, {3, 5}, {1, 2}, {2, 3}},
};

static int32_t scaled(double seconds, double scale) {
  double ms = seconds * 1000 / scale;
  return ms < 1 ? 1 : (int32_t)lround(ms);
}

/* All draws lie in their range, and the range is used up to its ends (its outer fiftieths). */
static void check_ranges(double scale) {
  int32_t min[OUTCOME__MAX][PLAN_STAGES], max[OUTCOME__MAX][PLAN_STAGES] = {{0}};
  memset(min, 0x7f, sizeof(min));
  for (int i = 0; i < DRAWS; i++) {
    struct call_plan plan;
    plan_draw(&plan, scale, 0);
    for (int n = 0; n < PLAN_STAGES; n++) {
      int32_t ms = plan.duration_ms[n];
      min[plan.outcome][n] = ms < min[plan.outcome][n] ? ms : min[plan.outcome][n];
      max[plan.outcome][n] = ms > max[plan.outcome][n] ? ms : max[plan.outcome][n];
    }
  }
  for (int o = 0; o < OUTCOME__MAX; o++)
    for (int n = 0; n < PLAN_STAGES; n++) {
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
    plan_draw(&plan, 1, 0);
    lower += plan.duration_ms[1] < 4000; /* of 3000 … 5000 */
  }
  check_share(lower, 1000.0 / 2001);
}

static void count_failures(double rate, int counts[UPLOAD_ATTEMPTS + 1]) {
  memset(counts, 0, sizeof(int) * (UPLOAD_ATTEMPTS + 1));
  for (int i = 0; i < DRAWS; i++) {
    struct call_plan plan;
    plan_draw(&plan, 1, rate);
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
    CHECK_INT(plan_backoff_ms(cases[i].attempt, cases[i].scale), cases[i].ms);
  for (int attempt = -1; attempt < 100; attempt++)
    CHECK(plan_backoff_ms(attempt, 1000) >= 1);
}

static void test_shortest(void) {
  static const struct {
    double scale;
    int64_t ms;
  } cases[] = {{1, 1000}, {20, 50}, {0.5, 2000}, {999, 1}, {1000, 1}, {5000, 1}};
  for (size_t i = 0; i < ARRAY_LEN(cases); i++)
    CHECK_INT(plan_shortest_ms(cases[i].scale), cases[i].ms);
}

int main(void) {
  RUN(test_shares);
  RUN(test_ranges);
  RUN(test_ranges_are_even);
  RUN(test_failures);
  RUN(test_backoff);
  RUN(test_shortest);
  return test_done();
}
