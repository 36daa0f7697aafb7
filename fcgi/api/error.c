/* The errors of our own API. */

#include "fcgi/api/error.h"

#include "common/cleanup.h"
#include "common/json.h"

#include <string.h>

/* The statuses that the specification calls differently from HTTP. */
static const struct {
  int status;
  const char *error;
} names[] = {
    {413, "Payload Too Large"},
    {429, "Rate limit exceeded"},
};

static const char *name_of(int status) {
  for (size_t i = 0; i < ARRAY_LEN(names); i++)
    if (names[i].status == status)
      return names[i].error;
  return reply_status_text(status);
}

void error_reply(struct reply *reply, int status, const char *message) {
  const char *error = name_of(status);
  reply_refuse(reply, status, message);
  buf_str(&reply->body, "{\"error\":");
  json_string_encode(&reply->body, error, strlen(error));
  buf_str(&reply->body, ",\"message\":");
  json_string_encode(&reply->body, message, strlen(message));
  buf_chr(&reply->body, '}');
}

void error_unavailable(struct reply *reply, int retry_s, const char *message) {
  error_reply(reply, 503, message);
  reply_header_int(reply, "Retry-After", retry_s);
}
