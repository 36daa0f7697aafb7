/* Whose request it is: `Authorization: Bearer KEY` (RFC 6750 section 2.1). */

#include "fcgi/api/auth.h"

#include "fcgi/api/error.h"
#include "fcgi/responder.h"

#include <string.h>
#include <strings.h>

static bool deny(struct reply *reply, const char *message) {
  error_reply(reply, 401, message);
  reply_header(reply, "WWW-Authenticate", "Bearer");
  return false;
}

bool auth_check(struct exchange *x) {
  const char *header = x->request->authorization;
  if (!*header)
    return deny(x->reply, "Missing Authorization header");
  if (strncasecmp(header, "Bearer ", 7) != 0)
    return deny(x->reply, "Invalid Authorization format. Use: Bearer <API_KEY>");
  const char *token = header + 7 + strspn(header + 7, " ");
  size_t len = strcspn(token, " \t,");
  if (len == 0 || token[len])
    return deny(x->reply, "Invalid Authorization format. Use: Bearer <API_KEY>");
  x->api_key = keyring_find(x->responder->ring, token, len);
  return x->api_key || deny(x->reply, "Invalid API key");
}
