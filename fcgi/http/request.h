#pragma once

#include "common/buf.h"
#include "common/cleanup.h"
#include "fcgi/http/gateway.h"

#include <stdbool.h>

/* A request as the router and the handlers see it. The strings belong to the gateway, until the
 * reply. */
enum { REQUEST_PATH_SIZE = 512, REQUEST_SHOWN_SIZE = 201 };

enum request_path {
  PATH_GOOD,
  PATH_UNKNOWN,   /* well formed, but no route can match: "//", "%2F", dot segments, too long */
  PATH_MALFORMED, /* broken escapes, control characters */
};

struct request {
  struct gateway *gateway;
  const char *method;
  char path[REQUEST_PATH_SIZE]; /* decoded, without BASE_PATH; begins with '/' */
  /* As the client wrote them, cut and in printable ASCII, for messages. */
  char method_shown[21], path_shown[REQUEST_SHOWN_SIZE];
  enum request_path path_state;
  const char *authorization;
  const char *content_type;
  const char *content_encoding;
  const char *host;
  const char *origin;
  const char *wanted_headers; /* Access-Control-Request-Headers of a preflight */
  bool https;
  struct buf body; /* empty until request_read_body() */
};

/* Reads the present request, except its body, whose buffer is used again. `base_path`: what
 * precedes all our paths, "" for nothing. */
void request_read(struct request *r, struct gateway *g, const char *base_path);
/* Reads the body to its end into `r->body`, at most `max` bytes of it. See gateway_read_body(). */
must_check enum gateway_body request_read_body(struct request *r, size_t max);
/* Reads the body to its end and forgets it. */
void request_drain_body(struct request *r);

/* Takes a request target (RFC 9112 section 3.2) apart: its path decoded, without the query, without
 * `base` and without one '/' at its end. Pure; the only place that looks at targets. */
enum request_path request_parse_target(const char *target, const char *base,
                                       char path[REQUEST_PATH_SIZE]);

/* True if `host` can be a Host header's value (RFC 9110 section 7.2): name or address, and port. */
bool request_host_valid(const char *host);
