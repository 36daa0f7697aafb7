/* Matching: which route of a table a path and a method ask for. It knows no handler and no API. */

#include "fcgi/http/route.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const names[ROUTE__MAX] = {[ROUTE_GET] = "GET", [ROUTE_POST] = "POST"};
/* As they stand in Allow. */
static const char *const allowed[ROUTE__MAX] = {[ROUTE_GET] = "GET, HEAD", [ROUTE_POST] = "POST"};

static bool is_served(const struct route *route) {
  for (int i = 0; i < ROUTE__MAX; i++)
    if (route->operations[i].handle)
      return true;
  return false;
}

static bool matches(const char *pattern, const char *path, struct route_values *values) {
  char *out = values->text; /* each value is shorter than its segment with the '/' before it */
  int count = 0;
  while (*pattern) {
    if (*pattern != '{') {
      if (*pattern++ != *path++)
        return false;
      continue;
    }
    pattern = strchr(pattern, '}') + 1;
    size_t segment = strcspn(path, "/"), end = strcspn(pattern, "/");
    if (segment <= end)
      return false;
    assert(count < ROUTE_VALUES_MAX);
    values->at[count++] = out;
    out = (char *)mempcpy(out, path, segment - end) + 1;
    out[-1] = '\0';
    path += segment - end;
  }
  return !*path;
}

const struct route *route_find(const struct route *routes, size_t count, const char *path,
                               struct route_values *values) {
  for (size_t i = 0; i < count; i++)
    if (is_served(&routes[i]) && matches(routes[i].path, path, values))
      return &routes[i];
  return NULL;
}

const char *route_value(const struct route *route, const struct route_values *values,
                        const char *name) {
  size_t len = strlen(name);
  const char *at = route->path;
  for (int i = 0; (at = strchr(at, '{')); i++, at++)
    if (strncmp(at + 1, name, len) == 0 && at[1 + len] == '}')
      return values->at[i];
  assert(!"a parameter that the route does not have");
}

const struct operation *route_operation(const struct route *route, const char *method) {
  if (strcmp(method, "HEAD") == 0)
    method = names[ROUTE_GET];
  for (int i = 0; i < ROUTE__MAX; i++)
    if (strcmp(method, names[i]) == 0 && route->operations[i].handle)
      return &route->operations[i];
  return NULL;
}

void route_methods(const struct route *route, char out[ROUTE_METHODS_SIZE]) {
  char *end = out;
  for (int i = 0; i < ROUTE__MAX; i++)
    if (route->operations[i].handle)
      end = stpcpy(stpcpy(end, allowed[i]), ", ");
  (void)stpcpy(end, "OPTIONS");
}

const char *route_method_name(enum route_method method) {
  return names[method];
}
