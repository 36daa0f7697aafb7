#pragma once

#include "fcgi/http/exchange.h"

/* An API: its routes, and what it does in its own way. */
struct api {
  const struct route *routes;
  size_t count;
  /* Finds out whose request it is, and sets x->api_key. False: the reply is the refusal. */
  bool (*authenticate)(struct exchange *x);
  /* Makes the reply an error in the API's format. */
  void (*refuse)(struct reply *reply, int status, const char *message);
};

/*
 * Answers one request. The checks come in the order path, key, method, type of the body, its size;
 * then the route's handler is called, with the whole body in `request` if the operation takes one.
 */
void router_answer(const struct api *api, const struct config *config, struct responder *responder,
                   struct request *request, struct reply *reply);
