/* A call and its packed line (calls/call.c). */

#include "calls/call.h"

#include "tests/unit/sample.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static const char *pack(struct buf *line, const struct call *call) {
  buf_clear(line);
  call_pack(line, call);
  return buf_text(line);
}

/* Unpacks from memory of just the line's size. */
static bool unpack(const char *line, size_t len, struct call *call) {
  cleanup_free char *exact = malloc(len ? len : 1);
  memcpy(exact, line, len);
  bool good = call_unpack(exact, len, call);
  if (good && call->metadata)
    CHECK(call->metadata > exact && call->metadata + call->metadata_len == exact + len);
  call->metadata = NULL;
  return good;
}

static void check_equal(const struct call *got, const struct call *expected) {
  CHECK_STR(got->id, expected->id);
  CHECK_INT(got->seq, expected->seq);
  for (int i = 0; i < CALL_TIMES; i++)
    CHECK_INT(got->entered_ms[i], expected->entered_ms[i]);
  CHECK_INT(got->updated_ms, expected->updated_ms);
  CHECK_INT(got->plan.outcome, expected->plan.outcome);
  for (int i = 0; i < PLAN_STAGES; i++)
    CHECK_INT(got->plan.duration_ms[i], expected->plan.duration_ms[i]);
  CHECK_INT(got->plan.upload_failures, expected->plan.upload_failures);
  CHECK_INT(got->upload, expected->upload);
  CHECK_INT(got->upload_attempts, expected->upload_attempts);
  CHECK_INT(got->upload_job, expected->upload_job);
  CHECK_STR(got->from, expected->from);
  CHECK_STR(got->to, expected->to);
  CHECK_STR(got->api_key, expected->api_key);
  CHECK_STR(got->recording_url, expected->recording_url);
}

/* --- the packed line -------------------------------------------------------------------------- */

static void test_lines(void) {
  static const struct {
    int seq;
    enum call_outcome outcome;
    const char *line;
  } cases[] = {
      {1, OUTCOME_ANSWERED,
       ID " 1 1763467200000 1763467200000 ANSWERED 1500,4000,3000,2500 1 WAITING 0 0"
          " +1234567890 0987654321 test-api-key-1 -"},
      {3, OUTCOME_UNANSWERED,
       ID " 3 1763467200000,1763467202000,1763467204000 1763467204000 UNANSWERED"
          " 1500,4000,3000,2500 1 WAITING 0 0 +1234567890 0987654321 test-api-key-1 -"},
      {5, OUTCOME_ANSWERED,
       ID " 5 1763467200000,1763467202000,1763467204000,1763467206000 1763467208000 ANSWERED"
          " 1500,4000,3000,2500 1 COMPLETED 1 42 +1234567890 0987654321 test-api-key-1 " URL},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    cleanup_buf struct buf line = {0};
    struct call call = sample(cases[i].seq, cases[i].outcome);
    CHECK_STR(pack(&line, &call), cases[i].line);
  }
}

/* admit.lua writes `ID 1 TIME TIME ` itself, and this behind it. */
static void test_rest_of_line(void) {
  struct call call = sample(1, OUTCOME_ANSWERED);
  cleanup_buf struct buf line = {0};
  cleanup_buf struct buf rest = {0};
  call_pack_rest(&rest, &call);
  CHECK_STR(strstr(pack(&line, &call), "ANSWERED"), buf_text(&rest));
}

/* The times of uploads that failed permanently and were tried again stand behind those of the
 * states. */
static void test_times_of_retries(void) {
  cleanup_buf struct buf line = {0};
  struct call call = sample(6, OUTCOME_ANSWERED), got;
  call.entered_ms[4] = AT(8);
  pack(&line, &call);
  CHECK(strstr(buf_text(&line),
               " 6 1763467200000,1763467202000,1763467204000,1763467206000,"
               "1763467208000 1763467210000 ANSWERED "));
  CHECK(unpack(line.data, line.len, &got));
  check_equal(&got, &call);
  call.seq = 100;
  for (int i = 0; i < CALL_TIMES; i++)
    call.entered_ms[i] = AT(2 * i);
  pack(&line, &call);
  CHECK(unpack(line.data, line.len, &got));
  check_equal(&got, &call);
}

static void test_round_trip(void) {
  cleanup_buf struct buf line = {0};
  for (int seq = 1; seq <= 7; seq++)
    for (int outcome = 0; outcome < OUTCOME__MAX; outcome++) {
      struct call call = sample(seq, (enum call_outcome)outcome), got;
      pack(&line, &call);
      CHECK(unpack(line.data, line.len, &got));
      check_equal(&got, &call);
    }
}

static void test_round_trip_of_extremes(void) {
  cleanup_buf struct buf line = {0};
  struct call call = sample(7, OUTCOME_UNANSWERED), got;
  call.seq = CALL_SEQ_MAX;
  call.updated_ms = call.upload_job = INT64_MAX;
  call.upload_attempts = call.plan.upload_failures = INT32_MAX;
  for (int i = 0; i < LIFECYCLE_STATES; i++) {
    call.entered_ms[i] = INT64_MAX - i;
    call.plan.duration_ms[i] = INT32_MAX - i;
  }
  memset(call.from, '9', CALL_NUMBER_SIZE - 1);
  memset(call.api_key, 'k', CALL_KEY_SIZE - 1);
  memset(call.recording_url, 'u', CALL_URL_SIZE - 1);
  pack(&line, &call);
  CHECK(line.len < CALL_LINE_SIZE);
  CHECK(unpack(line.data, line.len, &got));
  check_equal(&got, &call);
}

static void test_metadata_follows(void) {
  static const char *const texts[] = {"{}", "{\"n\":1}", "{\"two\":\n\"lines\"}", ""};
  for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
    cleanup_buf struct buf line = {0};
    struct call call = sample(2, OUTCOME_ANSWERED), got;
    pack(&line, &call);
    buf_chr(&line, '\n');
    buf_str(&line, texts[i]);
    CHECK(call_unpack(line.data, line.len, &got));
    cleanup_free char *metadata = strndup(got.metadata, got.metadata_len);
    CHECK_STR(metadata, texts[i]);
    check_equal(&got, &call);
  }
}

static void test_no_metadata(void) {
  cleanup_buf struct buf line = {0};
  struct call call = sample(1, OUTCOME_ANSWERED), got;
  pack(&line, &call);
  CHECK(call_unpack(line.data, line.len, &got));
  CHECK(!got.metadata && got.metadata_len == 0);
}

/* Every truncation of a line without a URL; of one with a URL, all that lose a field. */
static void test_truncations(void) {
  cleanup_buf struct buf line = {0};
  for (int seq = 1; seq <= 5; seq++) {
    struct call call = sample(seq, OUTCOME_ANSWERED), got;
    pack(&line, &call);
    size_t max = line.len - (seq < 5 ? 1 : strlen(URL));
    for (size_t len = 0; len <= max; len++)
      if (unpack(line.data, len, &got))
        test_error(__FILE__, __LINE__, "passed: %.*s|", (int)len, line.data);
  }
}

/* A line of which the field number `field` (from 0) is replaced. */
static void replace(struct buf *out, const char *line, int field, const char *by) {
  buf_clear(out);
  for (int i = 0; *line; i++) {
    size_t len = strcspn(line, " ");
    buf_str(out, i ? " " : "");
    if (i == field)
      buf_str(out, by);
    else
      buf_add(out, line, len);
    line += len + (line[len] == ' ');
  }
}

enum field {
  F_ID,
  F_SEQ,
  F_ENTERED,
  F_UPDATED,
  F_OUTCOME,
  F_STAGES,
  F_FAILURES,
  F_UPLOAD,
  F_ATTEMPTS,
  F_JOB,
  F_FROM,
  F_TO,
  F_KEY,
  F_URL,
  F__MAX,
};

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static void test_malformed_fields(void) {
  static const struct {
    enum field field;
    const char *by;
  } cases[] = {
      {F_ID, ID "0"},
      {F_SEQ, "0"},
      {F_SEQ, "-1"},
      {F_SEQ, "x"},
      {F_SEQ, "1"}, /* there are two times */
      {F_SEQ, "3"},
      {F_SEQ, "2x"},
      {F_SEQ, "2147483648"},
      {F_ENTERED, "1763467200000"},
      {F_ENTERED, "1763467200000,"},
      {F_ENTERED, ",1763467200000"},
      {F_ENTERED, "1763467200000,,1763467202000"},
      {F_ENTERED, "1763467200000,1763467202000,1763467204000"},
      {F_ENTERED, "1763467200000;1763467202000"},
      {F_ENTERED, "1763467200000,-1"},
      {F_ENTERED, "a,b"},
      {F_UPDATED, "x"},
      {F_UPDATED, "-1"},
      {F_UPDATED, "1.5"},
      {F_OUTCOME, "MAYBE"},
      {F_OUTCOME, "answered"},
      {F_STAGES, "1500,4000,3000"},
      {F_STAGES, "1500,4000,3000,2500,1"},
      {F_STAGES, "1500,4000,3000,x"},
      {F_STAGES, "1500,4000,3000,-1"},
      {F_STAGES, "1500,4000,3000,2147483648"},
      {F_FAILURES, "-1"},
      {F_FAILURES, "x"},
      {F_UPLOAD, "waiting"},
      {F_UPLOAD, "DONE"},
      {F_ATTEMPTS, "-1"},
      {F_ATTEMPTS, "x"},
      {F_JOB, "-1"},
      {F_JOB, "x"},
      {F_FROM, "+1234567890123456"},
      {F_TO, "12345678901234567"},
      {F_KEY, HUNDRED "0"},
      {F_URL, HUNDRED HUNDRED HUNDRED},
  };
  cleanup_buf struct buf line = {0};
  cleanup_buf struct buf bad = {0};
  struct call call = sample(2, OUTCOME_ANSWERED), got;
  pack(&line, &call);
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    replace(&bad, buf_text(&line), cases[i].field, cases[i].by);
    if (unpack(bad.data, bad.len, &got))
      test_error(__FILE__, __LINE__, "passed: %s", buf_text(&bad));
  }
}

/* No field may be empty or away, and none may follow. */
static void test_malformed_lines(void) {
  cleanup_buf struct buf line = {0};
  cleanup_buf struct buf bad = {0};
  struct call call = sample(2, OUTCOME_ANSWERED), got;
  pack(&line, &call);
  for (int field = 0; field < F__MAX; field++) {
    replace(&bad, buf_text(&line), field, "");
    CHECK(!unpack(bad.data, bad.len, &got));
  }
  buf_clear(&bad);
  buf_printf(&bad, "%s more", buf_text(&line));
  CHECK(!unpack(bad.data, bad.len, &got));
  buf_clear(&bad);
  buf_printf(&bad, " %s", buf_text(&line));
  CHECK(!unpack(bad.data, bad.len, &got));
  CHECK(!unpack("\n{}", 3, &got));
  static const char max[] = ID " 1000000 1,2,3,4 5 ANSWERED 1,2,3,4 0 COMPLETED 0 1 1 2 key url",
                    more[] = ID " 1000001 1,2,3,4 5 ANSWERED 1,2,3,4 0 COMPLETED 0 1 1 2 key url";
  CHECK(unpack(max, strlen(max), &got));
  CHECK(!unpack(more, strlen(more), &got));
  CHECK(!unpack("", 0, &got));
}

/* --- small things ----------------------------------------------------------------------------- */

static void test_number_valid(void) {
  static const struct {
    const char *text;
    bool valid;
  } cases[] = {
      {"+1234567890", true},
      {"+0987654321", true},
      {"+1111", true},
      {"1", true},
      {"+1", true},
      {"0", true},
      {"123456789012345", true},
      {"+123456789012345", true},
      {"1234567890123456", false},
      {"+1234567890123456", false},
      {"", false},
      {"+", false},
      {"++1", false},
      {"1+", false},
      {"-1", false},
      {" 1", false},
      {"1 ", false},
      {"12 34", false},
      {"123-456", false},
      {"(123)", false},
      {"12a4", false},
      {"0x12", false},
      {"1.5", false},
      {"\xd9\xa1\xd9\xa2", false}, /* digits of another script */
      {"1\n", false},
      {"\xef\xbc\x8b"
       "1",
       false},
      {"+1;DROP", false},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++)
    if (call_number_valid(cases[i].text) != cases[i].valid)
      test_error(__FILE__, __LINE__, "\"%s\"", cases[i].text);
}

static void test_upload_names(void) {
  static const char *const names[] = {"WAITING", "PENDING", "COMPLETED", "FAILED"};
  enum upload_status status;
  for (int i = 0; i < UPLOAD_STATUS__MAX; i++) {
    CHECK_STR(call_upload_name((enum upload_status)i), names[i]);
    CHECK(call_upload_parse(names[i], &status) && (int)status == i);
  }
  CHECK(!call_upload_parse("", &status));
  CHECK(!call_upload_parse("pending", &status));
}

static void test_final(void) {
  static const bool final[] = {
      [UPLOAD_WAITING] = false,
      [UPLOAD_PENDING] = false,
      [UPLOAD_COMPLETED] = true,
      [UPLOAD_FAILED] = true,
  };
  for (int i = 0; i < UPLOAD_STATUS__MAX; i++)
    CHECK_INT(call_is_final(&(struct call){.upload = (enum upload_status)i}), final[i]);
}

int main(void) {
  RUN(test_lines);
  RUN(test_rest_of_line);
  RUN(test_times_of_retries);
  RUN(test_round_trip);
  RUN(test_round_trip_of_extremes);
  RUN(test_metadata_follows);
  RUN(test_no_metadata);
  RUN(test_truncations);
  RUN(test_malformed_fields);
  RUN(test_malformed_lines);
  RUN(test_number_valid);
  RUN(test_upload_names);
  RUN(test_final);
  return test_done();
}
