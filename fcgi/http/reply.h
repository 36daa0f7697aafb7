#pragma once

#include "common/buf.h"

#include <stdbool.h>

/* A reply under construction: a status, headers of its own, a JSON body. */
struct reply {
  int status;
  struct buf headers; /* complete lines, each with its CRLF */
  struct buf body;
  struct buf reason; /* why it is an error: the message of reply_error(); else empty */
};

/* Makes it an empty 200 again; the buffers' memory stays. */
void reply_reset(struct reply *reply);
void reply_done(struct reply *reply);

/* Adds a header. The value must be ours or checked: it is not escaped. */
void reply_header(struct reply *reply, const char *name, const char *value);
void reply_header_int(struct reply *reply, const char *name, long long value);

/* Makes it the error {"error":…,"message":…}, where `error` is the status's own name, or "Rate
 * limit exceeded" for 429. Whatever the body held is gone. */
void reply_error(struct reply *reply, int status, const char *message);
/* A 503 with Retry-After. */
void reply_unavailable(struct reply *reply, int retry_s, const char *message);

/* The whole reply as CGI wants it (RFC 3875 section 6); without its body for HEAD. */
void reply_render(const struct reply *reply, bool head, struct buf *out);
