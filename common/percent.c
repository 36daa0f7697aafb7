/* Percent-encoding. */

#include "common/percent.h"

static int hex_value(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int percent_byte(const char *text, size_t len) {
  if (len < 3 || *text != '%')
    return -1;
  int high = hex_value(text[1]), low = hex_value(text[2]);
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}
