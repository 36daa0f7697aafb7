#pragma once

#include "fcgi/http/body.h"
#include "fcgi/http/request.h"

#include <stdbool.h>
#include <stddef.h>

/* A table of routes: what paths and methods an API has, and everything else that depends on them.
 */

struct exchange;

/* HEAD is GET without the body of the reply. OPTIONS is answered for every route. */
enum route_method { ROUTE_GET, ROUTE_POST, ROUTE__MAX };

struct operation {
  /* Fills in the reply. NULL: another program serves this, and the table only lists it. */
  void (*handle)(const struct exchange *x);
  const char *name;             /* in the list of endpoints; NULL: not in it */
  const struct body_rule *body; /* NULL: whatever body arrives is ignored */
};

/* In `path` each segment may have one parameter, "{name}", before a literal end: "/a/{id}.json".
 * The parameter stands for any text of its segment, at least one byte. */
struct route {
  const char *path;
  bool is_public; /* needs no key */
  struct operation operations[ROUTE__MAX];
};

enum { ROUTE_VALUES_MAX = 4, ROUTE_METHODS_SIZE = 64 };

/* The values of a path's parameters, in the order of the pattern. */
struct route_values {
  const char *at[ROUTE_VALUES_MAX];
  char text[REQUEST_PATH_SIZE];
};

/* The first of the routes that matches a decoded path; NULL when none does. The values are valid as
 * long as `values` lives. */
const struct route *route_find(const struct route *routes, size_t count, const char *path,
                               struct route_values *values);
/* The value of the parameter `name`, which the route's pattern must have. */
const char *route_value(const struct route *route, const struct route_values *values,
                        const char *name);
/* What the route does for an HTTP method; NULL when the method is not allowed there. */
const struct operation *route_operation(const struct route *route, const char *method);
/* The methods that the route allows, as the Allow header lists them. */
void route_methods(const struct route *route, char out[ROUTE_METHODS_SIZE]);
/* "GET" or "POST". */
const char *route_method_name(enum route_method method);
