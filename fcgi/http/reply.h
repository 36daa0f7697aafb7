#pragma once

#include "common/buf.h"
#include "fcgi/http/stream.h"

#include <stdbool.h>

#define REPLY_JSON "application/json"

/* A reply under construction: a status, headers of its own, and either a body or a stream. */
struct reply {
  int status;
  const char *content_type; /* of what follows; a string that outlives the reply */
  struct buf headers;       /* complete lines, each with its CRLF */
  struct buf body;          /* JSON without the newline at its end, or other bytes */
  struct buf reason;        /* why it is a refusal; else empty */
  struct stream stream;     /* with `fill` where the body is a stream */
};

/* Makes it an empty 200 of JSON again, and ends the stream; the buffers' memory stays. */
void reply_reset(struct reply *reply);
void reply_done(struct reply *reply);

/* Adds a header. The value must be ours or checked: it is not escaped. */
void reply_header(struct reply *reply, const char *name, const char *value);
void reply_header_int(struct reply *reply, const char *name, long long value);

/* Makes it a refusal with an empty body of JSON, which the API's error format fills. The reason is
 * for the log. Headers stay. */
void reply_refuse(struct reply *reply, int status, const char *reason);
/* Gives it a body that is produced while it is sent. The reply takes the stream over. */
void reply_stream(struct reply *reply, const char *content_type, const struct stream *stream);
/* The status's name (RFC 9110 section 15), such as "Not Found". */
const char *reply_status_text(int status);

/* The reply as CGI wants it (RFC 3875 section 6): all of it, or without its body for HEAD and where
 * the body is a stream. A stream of unknown length has no Content-Length. */
void reply_render(const struct reply *reply, bool head, struct buf *out);
