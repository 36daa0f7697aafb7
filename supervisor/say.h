#pragma once

/* Writes "mcs: ", the text and a newline to standard error, in one write: to people, so without the
 * log's time, level and event name. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
