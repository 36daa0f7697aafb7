/* Reads frames.def's hexadecimal text: "8a02 ff*2" is 8a 02 ff ff, "(8a00)*2" is 8a 00 8a 00. */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES_MAX = 140000 };

/* Writes the bytes, at most FRAMES_MAX; returns how many. */
static inline size_t frames_unhex(const char *hex, unsigned char *out) {
  size_t len = 0, group = 0;
  for (hex += strspn(hex, " "); *hex; hex += strspn(hex, " ")) {
    char *end = (char *)hex + 1;
    if (*hex == '(') {
      group = len;
    } else if (*hex == ')') {
      size_t size = len - group;
      for (unsigned long times = strtoul(hex + 2, &end, 10); times > 1; times--, len += size)
        memcpy(out + len, out + group, size);
    } else {
      char digits[] = {hex[0], hex[1], '\0'};
      end = (char *)hex + 2;
      unsigned long times = hex[2] == '*' ? strtoul(hex + 3, &end, 10) : 1;
      memset(out + len, (int)strtoul(digits, NULL, 16), times);
      len += times;
    }
    hex = end;
  }
  return len;
}
