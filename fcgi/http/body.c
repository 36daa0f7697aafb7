/* The body of a request: whether an operation takes it, before anybody looks into it. */

#include "fcgi/http/body.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The media type without its parameters (RFC 9110 section 8.3.1). */
static bool is_of_type(const char *content_type, const char *type) {
  size_t len = strlen(type);
  if (strncasecmp(content_type, type, len) != 0)
    return false;
  const char *rest = content_type + len + strspn(content_type + len, " \t");
  return !*rest || *rest == ';';
}

/* Content-Encoding is a list (RFC 9110 section 8.4); we decode none. */
static bool is_identity(const char *codings) {
  static const char identity[] = "identity";
  for (const char *at = codings; *(at += strspn(at, ", \t"));) {
    size_t len = strcspn(at, ", \t");
    if (len != sizeof(identity) - 1 || strncasecmp(at, identity, len) != 0)
      return false;
    at += len;
  }
  return true;
}

bool body_take(const struct body_rule *rule, size_t default_max, struct request *request,
               struct body_error *error) {
  size_t max = rule->max ? rule->max : default_max;
  *error = (struct body_error){.status = 415};
  if (!is_of_type(request->content_type, rule->type)) {
    snprintf(error->message, sizeof(error->message), "Content-Type must be %s", rule->type);
    return false;
  }
  if (!is_identity(request->content_encoding)) {
    snprintf(error->message, sizeof(error->message),
             "Content-Encoding is not supported: send the %s as it is", rule->noun);
    error->is_encoded = true;
    return false;
  }
  switch (request_read_body(request, max)) {
  case BODY_WHOLE:
    return true;
  case BODY_TOO_LARGE:
    error->status = 413;
    snprintf(error->message, sizeof(error->message), "Request body is larger than %zu bytes", max);
    return false;
  case BODY_CUT_SHORT:
    break;
  }
  error->status = 400;
  snprintf(error->message, sizeof(error->message), "Request body was cut short");
  return false;
}
