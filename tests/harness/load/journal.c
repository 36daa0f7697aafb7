/* The log of the traffic. */

#include "tests/harness/load/journal.h"

#include "tests/harness/load/loop.h"

static FILE *file;
static int64_t start_us;

void journal_open(const char *path) {
  if (!(file = fopen(path, "we")))
    quit(path);
  setvbuf(file, NULL, _IOLBF, 0);
  start_us = now_us();
}

void journal_close(void) {
  fclose(file);
}

int64_t journal_start_us(void) {
  return start_us;
}

FILE *journal_line(const char *what, int64_t began_us, int64_t ended_us) {
  fprintf(file, "%s\t%.1f\t%.1f", what, (double)(began_us - start_us) / 1000,
          (double)(ended_us - began_us) / 1000);
  return file;
}

void journal_mark(void) {
  fprintf(file, "mark\t%.1f\n", (double)(now_us() - start_us) / 1000);
}
