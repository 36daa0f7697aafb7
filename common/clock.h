#pragma once

#include <stdint.h>

/*
 * Time as this host sees it. It serves deadlines, logs and ids only: when a call moves on is
 * decided by Redis's clock (lua/clock.lua) and by nothing else.
 */

/* Milliseconds of a clock that only goes forward. */
int64_t clock_monotonic_ms(void);
/* Milliseconds since 1970, UTC. */
int64_t clock_wall_ms(void);

/* Blocks for that long, or until a signal comes. */
void clock_pause_ms(int ms);

#define CLOCK_ISO_SIZE 25 /* "2025-11-18T12:00:00.000Z" and its NUL */
/* Writes `wall_ms` as RFC 3339 in UTC with milliseconds. Years 1970 to 9999. */
void clock_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE]);
