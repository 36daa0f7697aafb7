#pragma once

#include <stdbool.h>

/*
 * Logs to standard error, one write a line: time, level, program, a stable event name, key=value.
 *   2026-11-22T17:12:24.123Z info worker call.advance id=… from=QUEUED to=RINGING
 * Never pass API keys or bodies. Text that came from outside goes through log_quote().
 */
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_LEVEL__MAX };

/* Sets the program's name (kept, not copied) and the lowest level that is written. */
void log_init(const char *program, enum log_level min);
/* "debug", "info", "warn", "error" → level; false for anything else. */
bool log_level_parse(const char *name, enum log_level *level);
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * Lines written between log_batch_begin() and log_batch_end() leave together in as few writes as
 * possible. For the worker, which logs thousands a second. Not nestable.
 */
void log_batch_begin(void);
void log_batch_end(void);

/* Quotes outside text for a log line, cut to `size`: no quotes, control characters or non-ASCII
 * survive as such. Returns `out`. */
const char *log_quote(const char *text, char *out, int size);

/* Says that memory ran out, and aborts. */
_Noreturn void log_oom(void);

#define log_debug(event, ...)                                                                      \
  do {                                                                                             \
    if (log_enabled(LOG_DEBUG))                                                                    \
      log_write(LOG_DEBUG, event, __VA_ARGS__);                                                    \
  } while (0)
#define log_info(event, ...)                                                                       \
  do {                                                                                             \
    if (log_enabled(LOG_INFO))                                                                     \
      log_write(LOG_INFO, event, __VA_ARGS__);                                                     \
  } while (0)
#define log_warn(event, ...) log_write(LOG_WARN, event, __VA_ARGS__)
#define log_error(event, ...) log_write(LOG_ERROR, event, __VA_ARGS__)
