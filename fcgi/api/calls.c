/* POST /calls and GET /calls/{id}. */

#include "fcgi/api/calls.h"

#include "calls/create.h"
#include "calls/find.h"
#include "calls/render.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/json_check.h"
#include "fcgi/api/error.h"
#include "fcgi/http/url.h"
#include "fcgi/responder.h"

#include <stdio.h>
#include <string.h>

/* --- POST: what the client sent --------------------------------------------------------------- */

static bool refuse(struct reply *reply, int status, const char *message) {
  error_reply(reply, status, message);
  return false;
}

static bool is_missing(const struct json_member *m) {
  return m->type == JSON_ABSENT || m->type == JSON_NULL ||
         (m->type == JSON_STRING && m->len == strlen("\"\""));
}

static bool take_number(const struct exchange *x, const struct json_member *m,
                        char out[CALL_NUMBER_SIZE]) {
  char message[120];
  if (m->type != JSON_STRING) {
    snprintf(message, sizeof(message), "%s must be a string", m->name);
    return refuse(x->reply, 400, message);
  }
  cleanup_buf struct buf text = {0};
  json_string_decode(m->text, m->len, &text);
  if (!call_number_valid(buf_text(&text))) {
    snprintf(message, sizeof(message),
             "%s must be a phone number: an optional + and 1 to 15 digits", m->name);
    return refuse(x->reply, 400, message);
  }
  memcpy(out, text.data, text.len + 1);
  return true;
}

/* Fills in the call from the body; its metadata points into the body. */
static bool take_body(const struct exchange *x, struct call *call) {
  enum { FROM, TO, METADATA, COUNT };
  struct json_member m[COUNT] = {
      [FROM] = {.name = "from"}, [TO] = {.name = "to"}, [METADATA] = {.name = "metadata"}};
  const char *error;
  const struct buf *body = &x->request->body;
  if (!json_object_check(buf_text(body), body->len, m, COUNT, &error))
    return refuse(x->reply, 400, error);
  if (is_missing(&m[FROM]) || is_missing(&m[TO]))
    return refuse(x->reply, 400, "Missing required fields: from, to");
  if (!take_number(x, &m[FROM], call->from) || !take_number(x, &m[TO], call->to))
    return false;
  bool none = m[METADATA].type == JSON_ABSENT || m[METADATA].type == JSON_NULL;
  if (!none && m[METADATA].type != JSON_OBJECT)
    return refuse(x->reply, 400, "metadata must be an object");
  long max_body = x->config->max_body;
  if (m[METADATA].stored_len > (size_t)max_body) {
    char message[120];
    snprintf(message, sizeof(message),
             "metadata is larger than %ld bytes once its numbers are written without exponents",
             max_body);
    return refuse(x->reply, 400, message);
  }
  call->metadata = none ? "{}" : m[METADATA].text;
  call->metadata_len = none ? 2 : m[METADATA].len;
  return true;
}

/* --- POST: the reply -------------------------------------------------------------------------- */

static void reply_created(const struct exchange *x, const struct call *call) {
  const struct config *config = x->config;
  char created[CLOCK_ISO_SIZE];
  cleanup_buf struct buf location = {0};
  clock_iso(call->entered_ms[0], created);
  struct buf *out = &x->reply->body;
  x->reply->status = 201;
  buf_printf(out, "{\"call_id\":\"%s\",\"status\":\"%s\",\"websocket_url\":\"", call->id,
             lifecycle_status_name(call_status(call)));
  url_add_websocket(out, config, x->request, call->id);
  buf_printf(out, "\",\"from\":\"%s\",\"to\":\"%s\",\"created_at\":\"%s\"}", call->from, call->to,
             created);
  url_add_path(&location, config, "/calls/");
  buf_str(&location, call->id);
  reply_header(x->reply, "Location", buf_text(&location));
}

static void reply_limited(struct reply *reply, const char *what, long limit, int64_t retry_ms) {
  char message[80];
  snprintf(message, sizeof(message), "%s (%ld)", what, limit);
  error_reply(reply, 429, message);
  int64_t seconds = (retry_ms + 999) / 1000;
  reply_header_int(reply, "Retry-After", seconds > 0 ? seconds : 1);
}

static void reply_not_created(const struct exchange *x, const char *refusal) {
  cleanup_buf struct buf message = {0};
  if (*refusal)
    buf_printf(&message, "The call was not created: %s refuses it", refusal);
  else
    buf_str(&message, "The call was not created: a database does not answer");
  error_unavailable(x->reply, 1, buf_text(&message));
}

static void reply_to_create(const struct exchange *x, const struct call *call, enum verdict verdict,
                            const struct creation *creation) {
  const struct config *config = x->config;
  switch (verdict) {
  case VERDICT_CREATED:
    reply_created(x, call);
    return;
  case VERDICT_TOO_MANY_CONCURRENT:
    reply_limited(x->reply, "Maximum concurrent calls reached", config->max_concurrent,
                  creation->retry_ms);
    return;
  case VERDICT_TOO_MANY_A_SECOND:
    reply_limited(x->reply, "Calls per second limit exceeded", config->max_cps, creation->retry_ms);
    return;
  case VERDICT_REBUILDING:
    error_unavailable(x->reply, 2, "The state of live calls is being rebuilt. Try again shortly");
    return;
  case VERDICT_REFUSED:
    reply_not_created(x, creation->refusal);
    return;
  case VERDICT_UNKNOWN:
    error_unavailable(x->reply, 2,
                      "It is not known whether the call was created: a database did "
                      "not answer in time");
    return;
  }
}

void calls_post(const struct exchange *x) {
  struct call call = {0};
  struct creation creation;
  if (!take_body(x, &call))
    return;
  enum verdict verdict = create_call(x->responder->store, x->api_key, &call, &creation);
  reply_to_create(x, &call, verdict, &creation);
}

/* --- GET -------------------------------------------------------------------------------------- */

void calls_get(const struct exchange *x) {
  char id[ID_SIZE];
  if (!id_parse(route_value(x->route, &x->values, "call_id"), id)) {
    error_reply(x->reply, 400, "Invalid call id: expected GET /calls/{call_id} with a UUID");
    return;
  }
  struct call call;
  struct find_held held;
  switch (find_call(x->responder->store, x->api_key, id, &call, &held)) {
  case FIND_FOUND:
    render_call(&x->reply->body, &call);
    break;
  case FIND_ABSENT:
    error_reply(x->reply, 404, "Call not found");
    break;
  case FIND_DOWN:
    error_unavailable(x->reply, 1, "The database does not answer. Try again shortly");
    break;
  }
  find_done(&held);
}
