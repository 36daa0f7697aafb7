/* Jobs (calls/job.c): their text. */

#include "calls/job.h"

#include "tests/unit/test.h"

#include <stdlib.h>

#define ID "0199c0de-1234-7abc-8def-0123456789ab"

static bool parse(const char *text, struct job *job) {
  size_t len = strlen(text);
  cleanup_free char *exact = malloc(len ? len : 1);
  memcpy(exact, text, len);
  return job_parse(exact, len, job);
}

static const struct {
  struct job job;
  const char *text;
} good[] = {
    {{.kind = JOB_ADVANCE, .n = 1}, ID " advance 1"},
    {{.kind = JOB_ADVANCE, .n = 3}, ID " advance 3"},
    {{.kind = JOB_UPLOAD, .n = 0, .length_ms = 2500, .number = 42}, ID " upload 0 2500 42"},
    {{.kind = JOB_FINISH, .n = 2, .length_ms = 1, .number = 7}, ID " finish 2 1 7"},
    {{.kind = JOB_FINISH, .n = INT32_MAX, .length_ms = INT32_MAX, .number = INT64_MAX},
     ID " finish 2147483647 2147483647 9223372036854775807"},
};

static void test_format(void) {
  for (size_t i = 0; i < ARRAY_LEN(good); i++) {
    struct job job = good[i].job;
    memcpy(job.id, ID, ID_SIZE);
    job_format(&job);
    CHECK_STR(job.text, good[i].text);
  }
}

static void test_parse(void) {
  for (size_t i = 0; i < ARRAY_LEN(good); i++) {
    struct job job;
    CHECK(parse(good[i].text, &job));
    CHECK_STR(job.text, good[i].text);
    CHECK_STR(job.id, ID);
    CHECK_INT(job.kind, good[i].job.kind);
    CHECK_INT(job.n, good[i].job.n);
    CHECK_INT(job.length_ms, good[i].job.length_ms);
    CHECK_INT(job.number, good[i].job.number);
  }
}

static void test_malformed(void) {
  static const char *const cases[] = {
      "",
      " ",
      ID,
      ID " ",
      ID " advance",
      ID " advance ",
      ID " advance x",
      ID " advance -1",
      ID " advance 1 2",
      ID " advance 1 2 3",
      ID " Advance 1",
      ID " jump 1",
      ID " upload 0",
      ID " upload 0 2500",
      ID " upload 0 2500 x",
      ID " upload 0 -1 42",
      ID " finish -1 1 7",
      "0199c0de-1234-7abc-8def-0123456789a advance 1",
      "0199c0de-1234-7abc-8def-0123456789abc advance 1",
      "0199c0de-1234-7abc-8def-0123456789ag advance 1",
      "x advance 1",
      "advance 1",
      ID " finish 2147483647 2147483647 9223372036854775807 and so on beyond all measure of it",
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    struct job job;
    if (parse(cases[i], &job))
      test_error(__FILE__, __LINE__, "passed: %s", cases[i]);
  }
}

static void test_truncations(void) {
  for (size_t i = 0; i < ARRAY_LEN(good); i++) {
    size_t max = (size_t)(strrchr(good[i].text, ' ') + 1 - good[i].text);
    for (size_t len = 0; len <= max; len++) {
      cleanup_free char *exact = malloc(len ? len : 1);
      memcpy(exact, good[i].text, len);
      struct job job;
      CHECK(!job_parse(exact, len, &job));
    }
  }
}

static void test_nul_inside(void) {
  struct job job;
  static const char text[] = ID " advance 1\0 2";
  CHECK(!job_parse(text, sizeof(text) - 1, &job));
}

int main(void) {
  RUN(test_format);
  RUN(test_parse);
  RUN(test_malformed);
  RUN(test_truncations);
  RUN(test_nul_inside);
  return test_done();
}
