#pragma once

#include "common/config.h"
#include "fcgi/http/reply.h"
#include "fcgi/http/request.h"
#include "fcgi/http/route.h"

/* One request and its reply, as a handler gets them. */
struct exchange {
  const struct config *config;
  struct responder *responder; /* what the handlers work with; the router only passes it on */
  const struct request *request;
  struct reply *reply;
  const struct route *route;
  struct route_values values; /* of the parameters in the route's path: see route_value() */
  const char *api_key;        /* whose request it is; NULL for public routes */
};
