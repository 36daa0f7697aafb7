/* Replies: status, headers, JSON bodies, and their form as CGI wants it. */

#include "fcgi/http/reply.h"

#include "common/cleanup.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const struct {
  int status;
  const char *text;
} statuses[] = {
    {200, "OK"},
    {201, "Created"},
    {204, "No Content"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

const char *reply_status_text(int status) {
  for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
    if (statuses[i].status == status)
      return statuses[i].text;
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

void reply_refuse(struct reply *reply, int status, const char *reason) {
  reply->status = status;
  buf_clear(&reply->reason);
  buf_str(&reply->reason, reason);
  buf_clear(&reply->body);
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
  buf_str(out, reply_status_text(reply->status));
  buf_str(out, "\r\n\r\n");
  if (!head && reply->status != 204)
    buf_add(out, buf_text(&reply->body), reply->body.len);
}
