/* Who asks: `Authorization: Bearer KEY` (RFC 6750 section 2.1). */

#include "fcgi/http/auth.h"

#include <string.h>
#include <strings.h>

static const char *deny(struct reply *reply, const char *message) {
  reply_error(reply, 401, message);
  reply_header(reply, "WWW-Authenticate", "Bearer");
  return NULL;
}

const char *auth_check(const struct keyring *ring, const struct request *request,
                       struct reply *reply) {
  const char *header = request->authorization;
  if (!*header)
    return deny(reply, "Missing Authorization header");
  if (strncasecmp(header, "Bearer ", 7) != 0)
    return deny(reply, "Invalid Authorization format. Use: Bearer <API_KEY>");
  const char *token = header + 7 + strspn(header + 7, " ");
  size_t len = strcspn(token, " \t,");
  if (len == 0 || token[len])
    return deny(reply, "Invalid Authorization format. Use: Bearer <API_KEY>");
  const char *key = keyring_find(ring, token, len);
  return key ? key : deny(reply, "Invalid API key");
}
