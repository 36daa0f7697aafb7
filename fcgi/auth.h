#pragma once

#include "common/keyring.h"
#include "fcgi/reply.h"
#include "fcgi/request.h"

/* The API key that the request brings (owned by the ring); or NULL, and the reply is the 401. */
const char *auth_check(const struct keyring *ring, const struct request *request,
                       struct reply *reply);
