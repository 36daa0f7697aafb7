/* Cross-origin requests: which origins may read replies, and the reply to a preflight. */

#include "fcgi/http/cors.h"

#include "common/token.h"

#include <string.h>
#include <strings.h>

enum { ALLOWED_HEADERS_MAX = 4096 };

static bool in_list(const char *list, const char *origin) {
  size_t origin_len = strlen(origin);
  while (*list) {
    list += strspn(list, ", ");
    size_t len = strcspn(list, ", ");
    if (len == origin_len && len && memcmp(list, origin, len) == 0)
      return true;
    list += len;
  }
  return false;
}

void cors_apply(const char *allowed, const struct request *request, struct reply *reply) {
  if (!*allowed)
    return;
  if (strcmp(allowed, "*") == 0) {
    reply_header(reply, "Access-Control-Allow-Origin", "*");
  } else {
    reply_header(reply, "Vary", "Origin");
    if (!in_list(allowed, request->origin)) /* an origin of the list is safe in a header */
      return;
    reply_header(reply, "Access-Control-Allow-Origin", request->origin);
  }
  reply_header(reply, "Access-Control-Expose-Headers", "Location, Retry-After");
}

/* The headers that an API reads, and every other that a page asks for, such as tracing headers. */
static void add_allowed_headers(const char *wanted, struct buf *out) {
  static const char *const ours[] = {"Authorization", "Content-Type"};
  buf_printf(out, "%s, %s", ours[0], ours[1]);
  for (const char *at = wanted; *(at += strspn(at, ", \t"));) {
    size_t len = strcspn(at, ", \t");
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
      known |= len == strlen(ours[i]) && strncasecmp(at, ours[i], len) == 0;
    if (!known && token_valid(at, len) && out->len + len < ALLOWED_HEADERS_MAX) {
      buf_str(out, ", ");
      buf_add(out, at, len);
    }
    at += len;
  }
}

void cors_options(const char *methods, const struct request *request, struct reply *reply) {
  cleanup_buf struct buf headers = {0};
  add_allowed_headers(request->wanted_headers, &headers);
  reply->status = 204;
  reply_header(reply, "Allow", methods);
  reply_header(reply, "Access-Control-Allow-Methods", methods);
  reply_header(reply, "Access-Control-Allow-Headers", buf_text(&headers));
  reply_header(reply, "Access-Control-Max-Age", "600");
}
