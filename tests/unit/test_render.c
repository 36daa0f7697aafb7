/* A call as GET /calls/{id} tells it (calls/render.c). */

#include "calls/render.h"

#include "tests/unit/sample.h"
#include "tests/unit/test.h"

#define BODY(status, url, updated, outcome)                                                        \
  "{\"call_id\":\"" ID "\",\"status\":\"" status                                                   \
  "\",\"from\":\"+1234567890\","                                                                   \
  "\"to\":\"0987654321\",\"metadata\":{\"n\":1},\"recording_url\":" url                            \
  ",\"created_at\":\"" ISO("00") "\",\"updated_at\":\"" ISO(updated) "\",\"outcome\":" outcome "}"

static void test_call(void) {
  static const struct {
    int seq;
    enum call_outcome outcome;
    const char *text;
  } cases[] = {
      {1, OUTCOME_ANSWERED, BODY("QUEUED", "null", "00", "null")},
      {2, OUTCOME_ANSWERED, BODY("RINGING", "null", "02", "null")},
      {3, OUTCOME_ANSWERED, BODY("ANSWERED", "null", "04", "null")},
      {3, OUTCOME_UNANSWERED, BODY("UNANSWERED", "null", "04", "null")},
      {4, OUTCOME_UNANSWERED, BODY("COMPLETED", "null", "06", "\"unanswered\"")},
      {5, OUTCOME_ANSWERED, BODY("COMPLETED", "\"" URL "\"", "08", "\"answered\"")},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    cleanup_buf struct buf out = {0};
    struct call call = sample(cases[i].seq, cases[i].outcome);
    render_call(&out, &call);
    CHECK_STR(buf_text(&out), cases[i].text);
  }
}

int main(void) {
  RUN(test_call);
  return test_done();
}
