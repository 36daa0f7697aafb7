/* What the supervisor tells a person. */

#include "supervisor/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void say(const char *format, ...) {
  char text[2048];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  dprintf(STDERR_FILENO, "mcs: %s\n", text);
}
