/* The log: levels, the line's shape, and batches for programs that write many lines. */

#include "common/log.h"

#include "common/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX = 1024, BATCH_MAX = 64 * 1024 };

static const char *const level_names[LOG_LEVEL__MAX] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARN] = "warn",
    [LOG_ERROR] = "error",
};

static const char *program_name = "mcs";
static enum log_level min_level = LOG_INFO;
static char *batch; /* NULL outside a batch */
static size_t batch_len;

void log_init(const char *program, enum log_level min) {
  program_name = program;
  min_level = min;
}

bool log_level_parse(const char *name, enum log_level *level) {
  for (int i = 0; i < LOG_LEVEL__MAX; i++)
    if (strcmp(name, level_names[i]) == 0) {
      *level = (enum log_level)i;
      return true;
    }
  return false;
}

bool log_enabled(enum log_level level) {
  return level >= min_level;
}

/* A log that cannot be written must not stop the service: the result is ignored on purpose. */
static void emit(const char *data, size_t len) {
  ssize_t ignored = write(STDERR_FILENO, data, len);
  (void)ignored;
}

static void flush_batch(void) {
  if (batch_len)
    emit(batch, batch_len);
  batch_len = 0;
}

void log_write(enum log_level level, const char *event, const char *fmt, ...) {
  if (!log_enabled(level))
    return;
  char line[LINE_MAX], now[CLOCK_ISO_SIZE];
  clock_iso(clock_wall_ms(), now);
  int len =
      snprintf(line, sizeof(line), "%s %s %s %s ", now, level_names[level], program_name, event);
  va_list args;
  va_start(args, fmt);
  len += vsnprintf(line + len, sizeof(line) - (size_t)len, fmt, args);
  va_end(args);
  if (len > LINE_MAX - 2)
    len = LINE_MAX - 2;
  while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == ' '))
    len--; /* libpq's messages end in a newline */
  for (int i = 0; i < len; i++)
    if (line[i] == '\n')
      line[i] = ' ';
  line[len++] = '\n';
  if (!batch) {
    emit(line, (size_t)len);
    return;
  }
  if (batch_len + (size_t)len > BATCH_MAX)
    flush_batch();
  memcpy(batch + batch_len, line, (size_t)len);
  batch_len += (size_t)len;
}

void log_batch_begin(void) {
  static char storage[BATCH_MAX];
  batch = storage;
}

void log_batch_end(void) {
  flush_batch();
  batch = NULL;
}

const char *log_quote(const char *text, char *out, int size) {
  int i = 0;
  for (; i < size - 1 && text[i]; i++) {
    unsigned char c = (unsigned char)text[i];
    out[i] = (char)(c == '"'                ? '\''
                    : c < 0x20 || c == 0x7f ? ' '
                    : c > 0x7e || c == '\\' ? '?'
                                            : c);
  }
  out[i] = '\0';
  return out;
}

_Noreturn void log_oom(void) {
  log_write(LOG_ERROR, "memory.out", "msg=\"out of memory\"");
  abort();
}
