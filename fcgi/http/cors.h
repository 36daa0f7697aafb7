#pragma once

#include "fcgi/http/reply.h"
#include "fcgi/http/request.h"

/* Adds the headers by which a browser lets pages of other origins call us, as CORS_ORIGIN says
 * (WHATWG Fetch, "CORS protocol"). */
void cors_apply(const char *allowed, const struct request *request, struct reply *reply);
/* Turns the reply into the answer to OPTIONS, for a resource with these methods. A page may send
 * whatever headers it asks for: only Authorization and Content-Type have an effect. */
void cors_options(const char *methods, const struct request *request, struct reply *reply);
