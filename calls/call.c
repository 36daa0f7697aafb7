/* A call, and its packed line. */

#include "calls/call.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const upload_names[UPLOAD_STATUS__MAX] = {
    [UPLOAD_WAITING] = "WAITING",
    [UPLOAD_PENDING] = "PENDING",
    [UPLOAD_COMPLETED] = "COMPLETED",
    [UPLOAD_FAILED] = "FAILED",
};

const char *call_upload_name(enum upload_status status) {
  assert(status < UPLOAD_STATUS__MAX);
  return upload_names[status];
}

bool call_upload_parse(const char *name, enum upload_status *status) {
  for (int i = 0; i < UPLOAD_STATUS__MAX; i++)
    if (strcmp(name, upload_names[i]) == 0) {
      *status = (enum upload_status)i;
      return true;
    }
  return false;
}

enum call_status call_status(const struct call *call) {
  return lifecycle_status(call->plan.outcome, call->seq);
}

bool call_is_final(const struct call *call) {
  return call->upload == UPLOAD_COMPLETED || call->upload == UPLOAD_FAILED;
}

bool call_number_valid(const char *text) {
  text += *text == '+';
  size_t digits = strspn(text, "0123456789");
  return digits >= 1 && digits <= 15 && !text[digits];
}

/* --- the packed line -------------------------------------------------------------------------- */

void call_pack_rest(struct buf *out, const struct call *call) {
  buf_str(out, lifecycle_outcome_name(call->plan.outcome));
  for (int i = 0; i < PLAN_STAGES; i++) {
    buf_chr(out, i ? ',' : ' ');
    buf_i64(out, call->plan.duration_ms[i]);
  }
  buf_chr(out, ' ');
  buf_i64(out, call->plan.upload_failures);
  buf_chr(out, ' ');
  buf_str(out, call_upload_name(call->upload));
  buf_chr(out, ' ');
  buf_i64(out, call->upload_attempts);
  buf_chr(out, ' ');
  buf_i64(out, call->upload_job);
  const char *const texts[] = {call->from, call->to, call->api_key,
                               *call->recording_url ? call->recording_url : "-"};
  for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
    buf_chr(out, ' ');
    buf_str(out, texts[i]);
  }
}

void call_pack(struct buf *out, const struct call *call) {
  buf_str(out, call->id);
  buf_chr(out, ' ');
  buf_i64(out, call->seq);
  for (int i = 0; i < CALL_TIMES && i < call->seq && (i < LIFECYCLE_STATES || call->entered_ms[i]);
       i++) {
    buf_chr(out, i ? ',' : ' ');
    buf_i64(out, call->entered_ms[i]);
  }
  buf_chr(out, ' ');
  buf_i64(out, call->updated_ms);
  buf_chr(out, ' ');
  call_pack_rest(out, call);
}

/* Cuts the next field off `*at`; false if there is none, it does not fit `size` or is no text. */
static bool next_field(const char **at, const char *end, char *out, size_t size) {
  const char *blank = memchr(*at, ' ', (size_t)(end - *at));
  size_t len = (size_t)((blank ? blank : end) - *at);
  if (len == 0 || len >= size || memchr(*at, '\0', len))
    return false;
  memcpy(out, *at, len);
  out[len] = '\0';
  *at += len + (blank ? 1 : 0);
  return true;
}

/* Reads digits up to `stop` or the line's end, and steps over that. */
static bool next_digits(const char **at, const char *end, char stop, int64_t *number) {
  const char *p = *at;
  int64_t n = 0;
  for (; p < end && *p >= '0' && *p <= '9'; p++)
    if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
      return false;
  if (p == *at || (p < end && *p != stop))
    return false;
  *at = p + (p < end ? 1 : 0);
  *number = n;
  return true;
}

static bool next_number(const char **at, const char *end, int64_t *number) {
  return next_digits(at, end, ' ', number);
}

static bool next_int(const char **at, const char *end, int *number) {
  int64_t n;
  if (!next_number(at, end, &n) || n > INT32_MAX)
    return false;
  *number = (int)n;
  return true;
}

/* A field of exactly `count` numbers between commas. */
static bool next_list(const char **at, const char *end, int64_t *out, int count) {
  for (int i = 0; i < count; i++)
    if (!next_digits(at, end, i + 1 < count ? ',' : ' ', &out[i]))
      return false;
  return true;
}

/* The times of the states, each of them, and of later events, as many as there are. */
static bool next_times(const char **at, const char *end, struct call *call) {
  int count = 1, states = call->seq < LIFECYCLE_STATES ? call->seq : LIFECYCLE_STATES;
  for (const char *p = *at; p < end && *p != ' '; p++)
    count += *p == ',';
  return count >= states && count <= call->seq && count <= CALL_TIMES &&
         next_list(at, end, call->entered_ms, count);
}

static bool unpack_plan(const char **at, const char *end, struct call_plan *plan) {
  char outcome[32];
  int64_t stages[PLAN_STAGES];
  if (!next_field(at, end, outcome, sizeof(outcome)) ||
      !lifecycle_outcome_parse(outcome, &plan->outcome) || !next_list(at, end, stages, PLAN_STAGES))
    return false;
  for (int i = 0; i < PLAN_STAGES; i++) {
    if (stages[i] > INT32_MAX)
      return false;
    plan->duration_ms[i] = (int32_t)stages[i];
  }
  return next_int(at, end, &plan->upload_failures);
}

bool call_unpack(const char *line, size_t len, struct call *call) {
  *call = (struct call){0};
  const char *newline = memchr(line, '\n', len);
  const char *at = line, *end = newline ? newline : line + len;
  char upload[16];
  char id[ID_SIZE];
  if (end > line && end[-1] == ' ')
    return false;
  if (!next_field(&at, end, id, sizeof(id)) || !id_parse(id, call->id) ||
      !next_int(&at, end, &call->seq) || call->seq < 1 || call->seq > CALL_SEQ_MAX)
    return false;
  if (!next_times(&at, end, call) || !next_number(&at, end, &call->updated_ms) ||
      !unpack_plan(&at, end, &call->plan) || !next_field(&at, end, upload, sizeof(upload)) ||
      !call_upload_parse(upload, &call->upload) || !next_int(&at, end, &call->upload_attempts) ||
      !next_number(&at, end, &call->upload_job) ||
      !next_field(&at, end, call->from, CALL_NUMBER_SIZE) ||
      !next_field(&at, end, call->to, CALL_NUMBER_SIZE) ||
      !next_field(&at, end, call->api_key, sizeof(call->api_key)) ||
      !next_field(&at, end, call->recording_url, sizeof(call->recording_url)) || at != end)
    return false;
  if (strcmp(call->recording_url, "-") == 0)
    call->recording_url[0] = '\0';
  if (newline) {
    call->metadata = newline + 1;
    call->metadata_len = (size_t)(line + len - call->metadata);
  }
  return true;
}
