/*
 * What the fuzz targets share. A target is one file with one function, which looks at one input
 * and aborts when a promise is broken. `./mcs fuzz` links it with libFuzzer; the unit tests link
 * it with replay.c, which feeds it the corpus.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise: if it does not hold, the input is a finding. */
#define HOLDS(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                      \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

/* How an input of bytes that arrive over time is cut: its first byte decides. */
struct pieces {
  uint32_t state;
  unsigned max; /* bytes in one piece */
};

static inline struct pieces pieces_of(uint8_t first) {
  return (struct pieces){.state = first * 2654435761u + 1, .max = 1u << (first & 7)};
}

/* The length of the next piece of `left` bytes, at least 1. */
static inline size_t pieces_next(struct pieces *pieces, size_t left) {
  pieces->state = pieces->state * 1664525u + 1013904223u;
  size_t len = 1 + (pieces->state >> 16) % pieces->max;
  return len < left ? len : left;
}
