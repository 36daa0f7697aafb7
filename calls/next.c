/* What comes next in a call's life. */

#include "calls/next.h"

#include <string.h>

/* From the beginning of the state number `seq` to the beginning of the last one. */
static int64_t to_end_ms(const struct call *call, int seq) {
  int64_t sum = 0;
  for (int i = seq - 1; i < LIFECYCLE_STATES - 1; i++)
    sum += call->plan.duration_ms[i];
  return sum;
}

static void next_state(const struct call *call, struct next *next) {
  next->job.kind = JOB_ADVANCE;
  next->job.n = call->seq;
  next->began_ms = call->entered_ms[call->seq - 1];
  next->length_ms = call->plan.duration_ms[call->seq - 1];
  next->holds_slot = true;
  next->to_end_ms = to_end_ms(call, call->seq);
}

static void next_upload(const struct call *call, struct next *next) {
  next->job.kind = JOB_UPLOAD;
  next->job.n = call->upload_attempts;
  next->job.length_ms = call->plan.duration_ms[STAGE_UPLOAD];
  next->job.number = call->upload_job;
  next->began_ms = call->updated_ms;
  if (call->retry_ms > call->updated_ms)
    next->length_ms = call->retry_ms - call->updated_ms;
}

struct next next_of(const struct call *call) {
  struct next next = {.is_open = true};
  memcpy(next.job.id, call->id, ID_SIZE);
  if (call->seq < LIFECYCLE_STATES)
    next_state(call, &next);
  else if (call->upload == UPLOAD_PENDING)
    next_upload(call, &next);
  else
    return (struct next){.is_open = false};
  job_format(&next.job);
  return next;
}
