#pragma once

#include <stdbool.h>

/*
 * Sends each row of frames.def to a WebSocket server on a connection of its own, in portions of one
 * byte if `bytewise`, and compares what comes back. Prints what was wrong, and a total. Returns the
 * program's exit status: 0 when every row was answered as it has to be, else 1.
 */
int wscat_cases(const char *where, const char *target, bool bytewise);
