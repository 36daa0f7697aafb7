/* The texts of messages (calls/message.c). */

#include "calls/message.h"

#include "tests/unit/sample.h"
#include "tests/unit/test.h"

static void test_connected(void) {
  cleanup_buf struct buf out = {0};
  message_connected(&out, ID);
  CHECK_STR(buf_text(&out), "{\"type\":\"connected\",\"call_id\":\"" ID
                            "\",\"message\":\"Connected to call updates\"}");
}

#define MESSAGE(status, second, seq, more)                                                         \
  "{\"call_id\":\"" ID "\",\"status\":\"" status                                                   \
  "\",\"timestamp\":\"" ISO(second) "\",\"seq\":" seq more "}"

/* All that a call's subscriber is told: each state when it was entered, then the recording. */
static void test_messages(void) {
  static const char *const answered[] = {
      MESSAGE("QUEUED", "00", "1", ""),
      MESSAGE("RINGING", "02", "2", ""),
      MESSAGE("ANSWERED", "04", "3", ""),
      MESSAGE("COMPLETED", "06", "4", ",\"outcome\":\"answered\""),
      MESSAGE("COMPLETED", "08", "5", ",\"recording_url\":\"" URL "\",\"outcome\":\"answered\""),
  };
  for (int now = 1; now <= 5; now++)
    for (int seq = 1; seq <= now; seq++) {
      cleanup_buf struct buf out = {0};
      struct call call = sample(now, OUTCOME_ANSWERED);
      message_event(&out, &call, seq);
      CHECK_STR(buf_text(&out), answered[seq - 1]);
    }
}

/* An event once told never changes: the retry's outcome is another one. */
static void test_messages_of_a_retry(void) {
  static const char failed[] =
      MESSAGE("COMPLETED", "08", "5",
              ",\"recording_url\":null,"
              "\"message\":\"Recording upload failed\",\"outcome\":\"answered\"");
  for (int now = 5; now <= 6; now++)
    for (int pending = 0; pending <= (now == 5 ? 1 : 0); pending++) {
      cleanup_buf struct buf out = {0};
      struct call call = sample(now, OUTCOME_ANSWERED);
      if (now == 5) {
        call.upload = pending ? UPLOAD_PENDING : UPLOAD_FAILED;
        call.recording_url[0] = '\0';
      }
      if (now == 6 || pending)
        call.entered_ms[4] = AT(8);
      message_event(&out, &call, 5);
      CHECK_STR(buf_text(&out), failed);
    }
  cleanup_buf struct buf out = {0};
  struct call call = sample(6, OUTCOME_ANSWERED);
  call.entered_ms[4] = AT(8);
  message_event(&out, &call, 6);
  CHECK_STR(buf_text(&out), MESSAGE("COMPLETED", "10", "6",
                                    ",\"recording_url\":\"" URL "\",\"outcome\":\"answered\""));
}

static void test_message_of_failure(void) {
  cleanup_buf struct buf out = {0};
  struct call call = sample(5, OUTCOME_UNANSWERED);
  call.upload = UPLOAD_FAILED;
  call.recording_url[0] = '\0';
  message_event(&out, &call, 5);
  CHECK_STR(buf_text(&out), MESSAGE("COMPLETED", "08", "5",
                                    ",\"recording_url\":null,"
                                    "\"message\":\"Recording upload failed\","
                                    "\"outcome\":\"unanswered\""));
}

int main(void) {
  RUN(test_connected);
  RUN(test_messages);
  RUN(test_messages_of_a_retry);
  RUN(test_message_of_failure);
  return test_done();
}
