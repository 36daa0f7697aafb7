#pragma once

#include "calls/keyring.h"
#include "fcgi/http/reply.h"
#include "fcgi/http/request.h"

/* The API key that the request brings (owned by the ring); or NULL, and the reply is the 401. */
const char *auth_check(const struct keyring *ring, const struct request *request,
                       struct reply *reply);
