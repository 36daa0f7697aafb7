#pragma once

#include "fcgi/http/reply.h"
#include "fcgi/http/request.h"

/* Adds the headers that let pages of other origins read the reply, as CORS_ORIGIN allows (WHATWG
 * Fetch, "CORS protocol"). */
void cors_apply(const char *allowed, const struct request *request, struct reply *reply);
/* Makes it the reply to OPTIONS, for a resource with these methods. A page may send every header
 * that it asks for: only Authorization and Content-Type have an effect. */
void cors_options(const char *methods, const struct request *request, struct reply *reply);
