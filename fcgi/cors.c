/* Cross-origin requests: who may, and the answer to a preflight. */

#include "fcgi/cors.h"

#include <string.h>

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
    if (!in_list(allowed, request->origin)) /* what is in the list can stand in a header */
      return;
    reply_header(reply, "Access-Control-Allow-Origin", request->origin);
  }
  reply_header(reply, "Access-Control-Expose-Headers", "Location, Retry-After");
}

void cors_options(const char *methods, struct reply *reply) {
  reply->status = 204;
  reply_header(reply, "Allow", methods);
  reply_header(reply, "Access-Control-Allow-Methods", methods);
  reply_header(reply, "Access-Control-Allow-Headers", "Authorization, Content-Type");
  reply_header(reply, "Access-Control-Max-Age", "600");
}
