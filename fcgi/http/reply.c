/* Replies: status, headers, a body, and their form as CGI wants it. */

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

static void end_stream(struct reply *reply) {
  if (reply->stream.done)
    reply->stream.done(reply->stream.context);
  reply->stream = (struct stream){0};
}

void reply_reset(struct reply *reply) {
  reply->status = 200;
  reply->content_type = REPLY_JSON;
  end_stream(reply);
  buf_clear(&reply->headers);
  buf_clear(&reply->body);
  buf_clear(&reply->reason);
}

void reply_done(struct reply *reply) {
  end_stream(reply);
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
  end_stream(reply);
  reply->content_type = REPLY_JSON;
}

void reply_stream(struct reply *reply, const char *content_type, const struct stream *stream) {
  reply->content_type = content_type;
  reply->stream = *stream;
}

/* A JSON body ends with a newline, so that a prompt does not stick to it. */
static bool ends_line(const struct reply *reply) {
  return reply->body.len && strcmp(reply->content_type, REPLY_JSON) == 0;
}

static void add_body_headers(const struct reply *reply, struct buf *out) {
  int64_t len = reply->stream.fill ? reply->stream.len
                                   : (int64_t)(reply->body.len + (size_t)ends_line(reply));
  buf_str(out, "Content-Type: ");
  buf_str(out, reply->content_type);
  if (len >= 0) {
    buf_str(out, "\r\nContent-Length: ");
    buf_i64(out, len);
  }
  buf_str(out, "\r\n");
}

void reply_render(const struct reply *reply, bool head, struct buf *out) {
  bool has_body = reply->status != 204;
  if (has_body)
    add_body_headers(reply, out);
  buf_str(out, "Cache-Control: no-store\r\n");
  buf_add(out, buf_text(&reply->headers), reply->headers.len);
  /* Last: to HAProxy a Location that follows is a redirect, whatever the status was. */
  buf_str(out, "Status: ");
  buf_i64(out, reply->status);
  buf_chr(out, ' ');
  buf_str(out, reply_status_text(reply->status));
  buf_str(out, "\r\n\r\n");
  if (head || !has_body || reply->stream.fill)
    return;
  buf_add(out, buf_text(&reply->body), reply->body.len);
  if (ends_line(reply))
    buf_chr(out, '\n');
}
