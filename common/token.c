/* HTTP's tokens. */

#include "common/token.h"

#include <ctype.h>
#include <string.h>

bool token_valid(const char *text, size_t len) {
  static const char marks[] = "!#$%&'*+-.^_`|~";
  for (size_t i = 0; i < len; i++)
    if (!isalnum((unsigned char)text[i]) && !memchr(marks, text[i], sizeof(marks) - 1))
      return false;
  return len > 0;
}
