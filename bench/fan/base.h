#pragma once

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Ends the program because of something that the bench can do nothing about. */
static inline _Noreturn void quit(const char *what) {
  fprintf(stderr, "fan: %s: %s\n", what, errno ? strerror(errno) : "impossible");
  exit(64);
}

/* Of a clock that only goes forward; what is measured here takes less than the service's
 * milliseconds. */
static inline int64_t now_us(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
