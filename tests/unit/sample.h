/* A call as tests of calls/ have it. */
#pragma once

#include "calls/call.h"

#include <string.h>

#define ID "0199c0de-1234-7abc-8def-0123456789ab"
#define URL "https://mock-recordings-bucket.s3.us-east-1.amazonaws.com/recordings/" ID ".mp3"
#define AT(second) (INT64_C(1763467200000) + (second)*1000)
#define ISO(second) "2025-11-18T12:00:" second ".000Z"

/* A call as it stands at `seq`: 1 to 4 its states, 5 the recording. */
static inline struct call sample(int seq, enum call_outcome outcome) {
  struct call call = {
      .id = ID,
      .seq = seq,
      .plan = {.outcome = outcome, .duration_ms = {1500, 4000, 3000, 2500}, .upload_failures = 1},
      .upload = seq < 4    ? UPLOAD_WAITING
                : seq == 4 ? UPLOAD_PENDING
                           : UPLOAD_COMPLETED,
      .upload_attempts = seq > 4,
      .upload_job = seq < 4 ? 0 : 42,
      .from = "+1234567890",
      .to = "0987654321",
      .api_key = "test-api-key-1",
      .metadata = "{\"n\":1}",
      .metadata_len = 7,
  };
  for (int i = 0; i < seq && i < LIFECYCLE_STATES; i++)
    call.entered_ms[i] = AT(2 * i);
  call.updated_ms = AT(2 * (seq - 1));
  if (seq > 4)
    strcpy(call.recording_url, URL);
  return call;
}
