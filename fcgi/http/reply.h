#pragma once

#include "common/buf.h"

#include <stdbool.h>

/* A reply under construction: a status, headers of its own, a JSON body. */
struct reply {
  int status;
  struct buf headers; /* complete lines, each with its CRLF */
  struct buf body;
  struct buf reason; /* why it is a refusal; else empty */
};

/* Makes it an empty 200 again; the buffers' memory stays. */
void reply_reset(struct reply *reply);
void reply_done(struct reply *reply);

/* Adds a header. The value must be ours or checked: it is not escaped. */
void reply_header(struct reply *reply, const char *name, const char *value);
void reply_header_int(struct reply *reply, const char *name, long long value);

/* Makes it a refusal with an empty body, which the API's error format fills. The reason is for the
 * log. Headers stay. */
void reply_refuse(struct reply *reply, int status, const char *reason);
/* The status's name (RFC 9110 section 15), such as "Not Found". */
const char *reply_status_text(int status);

/* The whole reply as CGI wants it (RFC 3875 section 6); without its body for HEAD. */
void reply_render(const struct reply *reply, bool head, struct buf *out);
