/* The texts of messages. */

#include "calls/message.h"

#include "calls/render.h"

#include <assert.h>

void message_connected(struct buf *out, const char *id) {
  buf_str(out, "{\"type\":\"connected\"");
  render_member(out, "call_id", id);
  render_member(out, "message", "Connected to call updates");
  buf_chr(out, '}');
}

/* A retry follows only on an upload that failed permanently: so all events but the newest are
 * known.
 */
static bool is_recording(const struct call *call, int seq) {
  return seq == call->seq && *call->recording_url;
}

/* The newest event's time is that of the last change; rows of earlier versions kept no others. */
static int64_t event_ms(const struct call *call, int seq) {
  int64_t kept_ms = seq <= CALL_TIMES ? call->entered_ms[seq - 1] : 0;
  return kept_ms ? kept_ms : call->updated_ms;
}

void message_event(struct buf *out, const struct call *call, int seq) {
  assert(seq >= 1 && seq <= call->seq);
  buf_str(out, "{\"call_id\":\"");
  buf_str(out, call->id);
  buf_chr(out, '"');
  render_member(out, "status", lifecycle_status_name(lifecycle_status(call->plan.outcome, seq)));
  render_time(out, "timestamp", event_ms(call, seq));
  buf_str(out, ",\"seq\":");
  buf_i64(out, seq);
  if (seq > LIFECYCLE_STATES) {
    bool recorded = is_recording(call, seq);
    render_recording(out, recorded ? call->recording_url : "");
    if (!recorded)
      render_member(out, "message", "Recording upload failed");
  }
  if (seq >= LIFECYCLE_STATES)
    render_outcome(out, call, seq);
  buf_chr(out, '}');
}
