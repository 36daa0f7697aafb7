/* Replies: status, headers, JSON bodies, and their form as CGI wants it. */

#include "fcgi/http/reply.h"

#include "common/json.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const struct {
  int status;
  const char *reason;
  const char *error; /* NULL: the reason */
} statuses[] = {
    {200, "OK", NULL},
    {201, "Created", NULL},
    {204, "No Content", NULL},
    {400, "Bad Request", NULL},
    {401, "Unauthorized", NULL},
    {404, "Not Found", NULL},
    {405, "Method Not Allowed", NULL},
    {413, "Content Too Large", "Payload Too Large"},
    {415, "Unsupported Media Type", NULL},
    {429, "Too Many Requests", "Rate limit exceeded"},
    {500, "Internal Server Error", NULL},
    {503, "Service Unavailable", NULL},
};

static size_t status_index(int status) {
  for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
    if (statuses[i].status == status)
      return i;
  assert(!"a status that the table does not have");
}

void reply_reset(struct reply *reply) {
  reply->status = 200;
  buf_clear(&reply->headers);
  buf_clear(&reply->body);
  buf_clear(&reply->reason);
}

void reply_done(struct reply *reply) {
  buf_done(&reply->headers);
  buf_done(&reply->body);
  buf_done(&reply->reason);
}

void reply_header(struct reply *reply, const char *name, const char *value) {
  assert(!strpbrk(value, "\r\n"));
  buf_str(&reply->headers, name);
  buf_str(&reply->headers, ": ");
  buf_str(&reply->headers, value);
  buf_str(&reply->headers, "\r\n");
}

void reply_header_int(struct reply *reply, const char *name, long long value) {
  buf_printf(&reply->headers, "%s: %lld\r\n", name, value);
}

void reply_error(struct reply *reply, int status, const char *message) {
  size_t i = status_index(status);
  const char *error = statuses[i].error ? statuses[i].error : statuses[i].reason;
  reply->status = status;
  buf_clear(&reply->reason);
  buf_str(&reply->reason, message);
  buf_clear(&reply->body);
  buf_str(&reply->body, "{\"error\":");
  json_string_encode(&reply->body, error, strlen(error));
  buf_str(&reply->body, ",\"message\":");
  json_string_encode(&reply->body, message, strlen(message));
  buf_chr(&reply->body, '}');
}

void reply_unavailable(struct reply *reply, int retry_s, const char *message) {
  reply_error(reply, 503, message);
  reply_header_int(reply, "Retry-After", retry_s);
}

void reply_render(const struct reply *reply, bool head, struct buf *out) {
  if (reply->status != 204) {
    buf_str(out, "Content-Type: application/json\r\nContent-Length: ");
    buf_i64(out, (long long)reply->body.len);
    buf_str(out, "\r\n");
  }
  buf_str(out, "Cache-Control: no-store\r\n");
  buf_add(out, buf_text(&reply->headers), reply->headers.len);
  /* Last: to HAProxy a Location that follows is a redirect, whatever the status was. */
  buf_str(out, "Status: ");
  buf_i64(out, reply->status);
  buf_chr(out, ' ');
  buf_str(out, statuses[status_index(reply->status)].reason);
  buf_str(out, "\r\n\r\n");
  if (!head && reply->status != 204)
    buf_add(out, buf_text(&reply->body), reply->body.len);
}
