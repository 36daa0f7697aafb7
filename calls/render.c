/* A call as clients read it. */

#include "calls/render.h"

#include "common/clock.h"
#include "common/json.h"

#include <assert.h>
#include <string.h>

void render_member(struct buf *out, const char *name, const char *value) {
  buf_str(out, ",\"");
  buf_str(out, name);
  buf_str(out, "\":\"");
  buf_str(out, value); /* ids, names of states and times need no escaping */
  buf_chr(out, '"');
}

static void add_text(struct buf *out, const char *name, const char *text) {
  buf_str(out, ",\"");
  buf_str(out, name);
  buf_str(out, "\":");
  json_string_encode(out, text, strlen(text));
}

void render_time(struct buf *out, const char *name, int64_t ms) {
  char iso[CLOCK_ISO_SIZE];
  clock_iso(ms, iso);
  render_member(out, name, iso);
}

void render_recording(struct buf *out, const char *url) {
  buf_str(out, ",\"recording_url\":");
  if (*url)
    json_string_encode(out, url, strlen(url));
  else
    buf_str(out, "null");
}

void render_outcome(struct buf *out, const struct call *call, int seq) {
  if (seq >= LIFECYCLE_STATES)
    render_member(out, "outcome", lifecycle_outcome_api_name(call->plan.outcome));
  else
    buf_str(out, ",\"outcome\":null");
}

void render_call(struct buf *out, const struct call *call) {
  assert(call->metadata);
  buf_str(out, "{\"call_id\":\"");
  buf_str(out, call->id);
  buf_chr(out, '"');
  render_member(out, "status", lifecycle_status_name(call_status(call)));
  add_text(out, "from", call->from);
  add_text(out, "to", call->to);
  buf_str(out, ",\"metadata\":");
  json_compact(out, call->metadata, call->metadata_len);
  render_recording(out, call->recording_url);
  render_time(out, "created_at", call->entered_ms[0]);
  render_time(out, "updated_at", call->updated_ms);
  render_outcome(out, call, call->seq);
  buf_chr(out, '}');
}
