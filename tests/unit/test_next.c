/* What comes next in a call's life (calls/next.c): by state, by upload, and at the end. */

#include "calls/next.h"

#include "tests/unit/test.h"

#define ID "0199c0de-1234-7abc-8def-0123456789ab"

/* A call that entered its n-th state at n * 10 s, and whose last change was at 70 s. */
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

static void test_states(void) {
  static const struct {
    int seq;
    const char *text;
    int64_t began_ms, length_ms, to_end_ms;
  } cases[] = {
      {1, ID " advance 1", 10000, 1500, 8500},
      {2, ID " advance 2", 20000, 4000, 7000},
      {3, ID " advance 3", 30000, 3000, 3000},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    struct call call = sample(cases[i].seq, UPLOAD_WAITING);
    struct next next = next_of(&call);
    CHECK(next.is_open && next.holds_slot);
    CHECK_STR(next.job.text, cases[i].text);
    CHECK_INT(next.began_ms, cases[i].began_ms);
    CHECK_INT(next.length_ms, cases[i].length_ms);
    CHECK_INT(next.to_end_ms, cases[i].to_end_ms);
  }
}

static void test_uploads(void) {
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
      {5, 3, 0, ID " upload 3 2500 42", 0}, /* failed permanently once, and tried again */
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    struct call call = sample(cases[i].seq, UPLOAD_PENDING);
    call.upload_attempts = cases[i].attempts;
    call.retry_ms = cases[i].retry_ms;
    struct next next = next_of(&call);
    CHECK(next.is_open && !next.holds_slot);
    CHECK_STR(next.job.text, cases[i].text);
    CHECK_INT(next.began_ms, 70000);
    CHECK_INT(next.length_ms, cases[i].length_ms);
  }
}

static void test_final_calls(void) {
  static const enum upload_status final[] = {UPLOAD_COMPLETED, UPLOAD_FAILED};
  for (size_t i = 0; i < ARRAY_LEN(final); i++) {
    struct call call = sample(5, final[i]);
    struct next next = next_of(&call);
    CHECK(!next.is_open && !next.holds_slot);
    CHECK_STR(next.job.text, "");
  }
}

/* The job's text is one that workers read. */
static void test_text_can_be_read(void) {
  for (int seq = 1; seq <= LIFECYCLE_STATES; seq++) {
    struct call call = sample(seq, seq < LIFECYCLE_STATES ? UPLOAD_WAITING : UPLOAD_PENDING);
    struct next next = next_of(&call);
    struct job again;
    CHECK(job_parse(next.job.text, strlen(next.job.text), &again));
    CHECK_INT(again.kind, next.job.kind);
    CHECK_INT(again.n, next.job.n);
  }
}

int main(void) {
  RUN(test_states);
  RUN(test_uploads);
  RUN(test_final_calls);
  RUN(test_text_can_be_read);
  return test_done();
}
