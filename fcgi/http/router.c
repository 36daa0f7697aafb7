/* The checks that all requests share, in their order. What differs between APIs is in struct api.
 */

#include "fcgi/http/router.h"

#include "fcgi/http/cors.h"

#include <stdio.h>
#include <string.h>

static void not_found(const struct api *api, const struct exchange *x) {
  char message[REQUEST_SHOWN_SIZE + 64];
  snprintf(message, sizeof(message), "Route %s %s not found", x->request->method_shown,
           x->request->path_shown);
  api->refuse(x->reply, 404, message);
}

static void wrong_method(const struct api *api, const struct exchange *x) {
  char message[160], methods[ROUTE_METHODS_SIZE];
  route_methods(x->route, methods);
  snprintf(message, sizeof(message), "Method %s is not allowed here. Allowed: %s",
           x->request->method_shown, methods);
  api->refuse(x->reply, 405, message);
  reply_header(x->reply, "Allow", methods);
}

static void preflight(const struct exchange *x) {
  char methods[ROUTE_METHODS_SIZE];
  route_methods(x->route, methods);
  cors_options(methods, x->request, x->reply);
}

/* The body is here, or not wanted. */
static bool take_body(const struct api *api, const struct body_rule *rule, const struct exchange *x,
                      struct request *request) {
  struct body_error error;
  if (!rule) {
    request_drain_body(request);
    return true;
  }
  if (body_take(rule, (size_t)x->config->max_body, request, &error))
    return true;
  if (error.is_encoded)
    reply_header(x->reply, "Accept-Encoding", "identity");
  api->refuse(x->reply, error.status, error.message);
  return false;
}

void router_answer(const struct api *api, const struct config *config, struct responder *responder,
                   struct request *request, struct reply *reply) {
  struct exchange x = {
      .config = config, .responder = responder, .request = request, .reply = reply};
  cors_apply(config->cors_origin, request, reply);
  if (request->path_state == PATH_MALFORMED) {
    api->refuse(reply, 400, "Malformed path");
    return;
  }
  if (request->path_state == PATH_GOOD)
    x.route = route_find(api->routes, api->count, request->path, &x.values);
  if (!x.route) {
    not_found(api, &x);
    return;
  }
  if (strcmp(request->method, "OPTIONS") == 0) { /* a preflight carries no key */
    preflight(&x);
    return;
  }
  if (!x.route->is_public && !api->authenticate(&x))
    return;
  const struct operation *operation = route_operation(x.route, request->method);
  if (!operation)
    wrong_method(api, &x);
  else if (take_body(api, operation->body, &x, request))
    operation->handle(&x);
}
