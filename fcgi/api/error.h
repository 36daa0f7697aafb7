#pragma once

#include "fcgi/http/reply.h"

/* Makes the reply the error {"error":…,"message":…}, where `error` is the status's own name, or
 * "Rate limit exceeded" for 429. Whatever the body held is gone; headers stay. */
void error_reply(struct reply *reply, int status, const char *message);
/* A 503 with Retry-After. */
void error_unavailable(struct reply *reply, int retry_s, const char *message);
