/* The resources and their methods, as a table; the order of the checks that all share. */

#include "fcgi/http/router.h"

#include "fcgi/http/auth.h"
#include "fcgi/http/cors.h"

#include <stdio.h>
#include <string.h>

typedef void handler(const struct exchange *x);

static const struct route {
  const char *path; /* where it ends in '/' (and is more), an id follows */
  bool is_public;
  handler *get;
  handler *post;
  const char *methods;
} routes[] = {
    {.path = "/", .is_public = true, .get = service_root, .methods = "GET, HEAD, OPTIONS"},
    {.path = "/health", .is_public = true, .get = service_health, .methods = "GET, HEAD, OPTIONS"},
    {.path = "/ready", .is_public = true, .get = service_ready, .methods = "GET, HEAD, OPTIONS"},
    {.path = "/metrics", .get = metrics_get, .methods = "GET, HEAD, OPTIONS"},
    {.path = "/calls", .post = calls_post, .methods = "POST, OPTIONS"},
    {.path = "/calls/", .get = calls_get, .methods = "GET, HEAD, OPTIONS"},
};

/* The route of a path (which has no '/' at its end), and the id in it; NULL when there is none. */
static const struct route *find(const char *path, const char **id) {
  *id = "";
  for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
    const char *wanted = routes[i].path;
    size_t len = strlen(wanted);
    bool takes_id = len > 1 && wanted[len - 1] == '/';
    if (takes_id && strncmp(path, wanted, len) == 0 && !strchr(path + len, '/')) {
      *id = path + len;
      return &routes[i];
    }
    if (!takes_id && strcmp(path, wanted) == 0)
      return &routes[i];
  }
  return NULL;
}

static void not_found(const struct request *request, struct reply *reply) {
  char message[REQUEST_SHOWN_SIZE + 64];
  snprintf(message, sizeof(message), "Route %s %s not found", request->method_shown,
           request->path_shown);
  reply_error(reply, 404, message);
}

static void wrong_method(const struct route *route, const struct request *request,
                         struct reply *reply) {
  char message[160];
  snprintf(message, sizeof(message), "Method %s is not allowed here. Allowed: %s",
           request->method_shown, route->methods);
  reply_error(reply, 405, message);
  reply_header(reply, "Allow", route->methods);
}

void routes_answer(struct responder *responder, const struct request *request,
                   struct reply *reply) {
  struct exchange x = {.responder = responder, .request = request, .reply = reply};
  const char *method = request->method;
  cors_apply(responder->config->cors_origin, request, reply);
  if (request->path_state == PATH_MALFORMED) {
    reply_error(reply, 400, "Malformed path");
    return;
  }
  const struct route *route = request->path_state == PATH_GOOD ? find(request->path, &x.id) : NULL;
  if (!route) {
    not_found(request, reply);
    return;
  }
  if (strcmp(method, "OPTIONS") == 0) { /* a preflight carries no key */
    cors_options(route->methods, request, reply);
    return;
  }
  if (!route->is_public && !(x.api_key = auth_check(responder->ring, request, reply)))
    return;
  bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
  handler *handle = get ? route->get : strcmp(method, "POST") == 0 ? route->post : NULL;
  if (handle)
    handle(&x);
  else
    wrong_method(route, request, reply);
}
