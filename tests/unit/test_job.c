/* Jobs (calls/job.c): their text, and which one a call waits for. */

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

/* --- which job a call waits for --------------------------------------------------------------- */

static struct call sample(int seq, enum upload_status upload) {
  struct call call = {
      .id = ID,
      .seq = seq,
      .plan = {.duration_ms = {1500, 4000, 3000, 2500}},
      .updated_ms = 70000,
      .upload = upload,
      .upload_job = upload == UPLOAD_WAITING ? 0 : 42,
  };
  for (int i = 0; i < seq && i < LIFECYCLE_STATES; i++)
    call.entered_ms[i] = 10000 * (i + 1);
  return call;
}

static void check_next(const struct call *call, const char *text, int64_t began, int64_t length) {
  struct job job, again;
  int64_t began_ms = -1, length_ms = -1;
  CHECK(job_next(call, &job, &began_ms, &length_ms));
  CHECK_STR(job.text, text);
  CHECK_INT(began_ms, began);
  CHECK_INT(length_ms, length);
  CHECK(parse(job.text, &again));
  CHECK_INT(again.kind, job.kind);
}

static void test_next_in_states(void) {
  static const int64_t lengths[] = {1500, 4000, 3000};
  for (int seq = 1; seq < LIFECYCLE_STATES; seq++) {
    char text[JOB_SIZE];
    struct call call = sample(seq, UPLOAD_WAITING);
    snprintf(text, sizeof(text), ID " advance %d", seq);
    check_next(&call, text, 10000 * seq, lengths[seq - 1]);
  }
}

static void test_next_of_uploads(void) {
  static const struct {
    int seq, attempts;
    int64_t retry_ms;
    const char *text;
    int64_t length_ms;
  } cases[] = {
      {4, 0, 0, ID " upload 0 2500 42", 0},
      {4, 1, 72000, ID " upload 1 2500 42", 2000},
      {4, 2, 76500, ID " upload 2 2500 42", 6500},
      {4, 1, 70000, ID " upload 1 2500 42", 0},
      {4, 1, 69999, ID " upload 1 2500 42", 0},
      {5, 3, 0, ID " upload 3 2500 42", 0}, /* given up once, and tried again */
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    struct call call = sample(cases[i].seq, UPLOAD_PENDING);
    call.upload_attempts = cases[i].attempts;
    call.retry_ms = cases[i].retry_ms;
    check_next(&call, cases[i].text, 70000, cases[i].length_ms);
  }
}

static void test_next_of_final_calls(void) {
  struct job job;
  int64_t began_ms, length_ms;
  struct call completed = sample(5, UPLOAD_COMPLETED), failed = sample(5, UPLOAD_FAILED);
  CHECK(!job_next(&completed, &job, &began_ms, &length_ms));
  CHECK(!job_next(&failed, &job, &began_ms, &length_ms));
}

int main(void) {
  RUN(test_format);
  RUN(test_parse);
  RUN(test_malformed);
  RUN(test_truncations);
  RUN(test_nul_inside);
  RUN(test_next_in_states);
  RUN(test_next_of_uploads);
  RUN(test_next_of_final_calls);
  return test_done();
}
