/* Time (common/clock.c): the one timestamp format, and clocks that behave. */

#include "common/clock.h"

#include "common/cleanup.h"
#include "tests/unit/test.h"

#include <time.h>

static void test_iso_table(void) {
  static const struct {
    int64_t ms;
    const char *text;
  } cases[] = {
      {0, "1970-01-01T00:00:00.000Z"},
      {1, "1970-01-01T00:00:00.001Z"},
      {999, "1970-01-01T00:00:00.999Z"},
      {1000, "1970-01-01T00:00:01.000Z"},
      {86399999, "1970-01-01T23:59:59.999Z"},
      {86400000, "1970-01-02T00:00:00.000Z"},
      {951782399999, "2000-02-28T23:59:59.999Z"},
      {951782400000, "2000-02-29T00:00:00.000Z"}, /* 2000 is a leap year … */
      {951868800000, "2000-03-01T00:00:00.000Z"},
      {4107542399999, "2100-02-28T23:59:59.999Z"}, /* … 2100 is none */
      {4107542400000, "2100-03-01T00:00:00.000Z"},
      {1709164800000, "2024-02-29T00:00:00.000Z"},
      {1709251200000, "2024-03-01T00:00:00.000Z"},
      {1735689599999, "2024-12-31T23:59:59.999Z"},
      {1763467200000, "2025-11-18T12:00:00.000Z"},
      {2147483647000, "2038-01-19T03:14:07.000Z"},
      {2147483648000, "2038-01-19T03:14:08.000Z"},
      {253402300799999, "9999-12-31T23:59:59.999Z"},
      {253402300800000, "9999-12-31T23:59:59.999Z"},
      {INT64_MAX, "9999-12-31T23:59:59.999Z"},
      {-1, "1970-01-01T00:00:00.000Z"},
      {INT64_MIN, "1970-01-01T00:00:00.000Z"},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    char iso[CLOCK_ISO_SIZE];
    clock_iso(cases[i].ms, iso);
    CHECK_STR(iso, cases[i].text);
  }
}

static void check_against_libc(int64_t ms) {
  char iso[CLOCK_ISO_SIZE], day[24], expected[64];
  time_t seconds = (time_t)(ms / 1000);
  struct tm tm;
  gmtime_r(&seconds, &tm);
  strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(expected, sizeof(expected), "%s.%03dZ", day, (int)(ms % 1000));
  clock_iso(ms, iso);
  CHECK_STR(iso, expected);
}

static void test_iso_random(void) {
  uint64_t state = 88172645463325252u; /* xorshift: the same times in every run */
  for (int i = 0; i < 20000; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    /* years 1970 to 2400, where all the calendar's rules are; then up to 9999 */
    check_against_libc((int64_t)(state % (i % 2 ? 13600000000000u : 253402300800000u)));
  }
}

static void test_iso_is_the_year_s_every_day(void) {
  for (int64_t day = 0; day < 366 * 8; day++)
    check_against_libc((day + 10957) * 86400000 + 43200000);
}

static void test_clocks(void) {
  int64_t before = clock_monotonic_ms();
  const struct timespec pause = {.tv_nsec = 5000000};
  nanosleep(&pause, NULL);
  int64_t passed = clock_monotonic_ms() - before;
  CHECK(passed >= 4 && passed < 60000);
  CHECK(clock_wall_ms() / 1000 - (int64_t)time(NULL) <= 1);
  CHECK((int64_t)time(NULL) - clock_wall_ms() / 1000 <= 1);
}

int main(void) {
  RUN(test_iso_table);
  RUN(test_iso_random);
  RUN(test_iso_is_the_year_s_every_day);
  RUN(test_clocks);
  return test_done();
}
