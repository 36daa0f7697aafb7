/* Reads frames.def's hexadecimal text: "8a02 ff*2" is 8a 02 ff ff. */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES_MAX = 140000 };

/* Writes the bytes, at most FRAMES_MAX; returns how many. */
static inline size_t frames_unhex(const char *hex, unsigned char *out) {
  size_t len = 0;
  for (hex += strspn(hex, " "); *hex; hex += strspn(hex, " ")) {
    char digits[] = {hex[0], hex[1], '\0'}, *end = (char *)hex + 2;
    unsigned long times = hex[2] == '*' ? strtoul(hex + 3, &end, 10) : 1;
    memset(out + len, (int)strtoul(digits, NULL, 16), times);
    len += times;
    hex = end;
  }
  return len;
}
