/* This host's clocks and the one timestamp format. */

#include "common/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_ms(clockid_t id) {
  struct timespec ts;
  clock_gettime(id, &ts);
  return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_monotonic_ms(void) {
  return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void) {
  return read_ms(CLOCK_REALTIME);
}

void clock_pause_ms(int ms) {
  const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
  nanosleep(&pause, NULL);
}

void clock_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE]) {
  const int64_t year_9999_ms = 253402300799999;
  if (wall_ms < 0)
    wall_ms = 0;
  if (wall_ms > year_9999_ms)
    wall_ms = year_9999_ms;
  time_t seconds = (time_t)(wall_ms / 1000);
  struct tm tm;
  gmtime_r(&seconds, &tm);
  /* Digit by digit: a tenth of snprintf's cost, and every reply carries two of these. */
  const int values[] = {tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,           tm.tm_hour,
                        tm.tm_min,         tm.tm_sec,     (int)(wall_ms % 1000)};
  const char *shape = "0000-11-22T33:44:55.666Z";
  int rest[7];
  for (int i = 0; i < 7; i++)
    rest[i] = values[i];
  for (int i = 23; i >= 0; i--) {
    char c = shape[i];
    if (c >= '0' && c <= '6') {
      out[i] = (char)('0' + rest[c - '0'] % 10);
      rest[c - '0'] /= 10;
    } else {
      out[i] = c;
    }
  }
  out[24] = '\0';
}
