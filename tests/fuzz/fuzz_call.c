/* What comes back from Redis: packed lines (calls/call.c) and jobs (calls/job.c). */

#include "tests/fuzz/fuzz.h"

#include "calls/call.h"
#include "calls/job.h"
#include "calls/message.h"
#include "calls/next.h"
#include "calls/render.h"

#include <json-c/json.h>
#include <string.h>

/* Packing what was understood, and understanding that, changes nothing any more. */
static void check_packing(const struct call *call) {
  cleanup_buf struct buf line = {0}, again = {0};
  struct call second;
  call_pack(&line, call);
  HOLDS(!memchr(line.data, '\n', line.len));
  HOLDS(call_unpack(line.data, line.len, &second));
  HOLDS(second.metadata == NULL && second.seq == call->seq);
  HOLDS(strcmp(second.api_key, call->api_key) == 0 && strcmp(second.id, call->id) == 0);
  call_pack(&again, &second);
  HOLDS(strcmp(buf_text(&line), buf_text(&again)) == 0);
}

static void check_next(const struct call *call) {
  const struct next next = next_of(call);
  HOLDS(!next.is_open || !call_is_final(call) || call->seq < LIFECYCLE_STATES);
  HOLDS(next.length_ms >= 0);
}

/* Makes every text of it that goes out. */
static void say_all(struct call *call) {
  cleanup_buf struct buf out = {0};
  for (int seq = 1; seq <= call->seq && seq <= LIFECYCLE_STATES + 2; seq++) {
    buf_clear(&out);
    message_event(&out, call, seq);
    HOLDS(out.len < 4096);
  }
  if (!call->metadata)
    return;
  buf_clear(&out);
  render_call(&out, call);
  HOLDS(out.len < 4096 + call->metadata_len);
}

static void check_job_text(const char *text, size_t len) {
  struct job job, again;
  if (!job_parse(text, len, &job))
    return;
  HOLDS(job.kind < JOB_KIND__MAX && job.n >= 0 && strlen(job.id) == ID_SIZE - 1);
  job_format(&job);
  HOLDS(strlen(job.text) < JOB_SIZE);
  HOLDS(job_parse(job.text, strlen(job.text), &again));
  HOLDS(again.kind == job.kind && again.n == job.n && again.length_ms == job.length_ms);
  HOLDS(again.number == job.number && strcmp(again.id, job.id) == 0);
  HOLDS(strcmp(again.text, job.text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct call call;
  const char *text = (const char *)data;
  check_job_text(text, size);
  if (!call_unpack(text, size, &call))
    return 0;
  HOLDS(call.seq >= 1 && call.upload < UPLOAD_STATUS__MAX && call.plan.outcome < OUTCOME__MAX);
  check_packing(&call);
  check_next(&call);
  say_all(&call);
  return 0;
}
