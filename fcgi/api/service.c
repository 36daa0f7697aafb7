/* The service itself: what it is, whether it runs, whether it can work. */

#include "fcgi/api/service.h"

#include "calls/readiness.h"
#include "common/clock.h"
#include "fcgi/api/error.h"
#include "fcgi/api/routes.h"
#include "fcgi/http/url.h"
#include "fcgi/responder.h"

#include <string.h>

static void add_timestamp(struct buf *out) {
  char iso[CLOCK_ISO_SIZE];
  clock_iso(clock_wall_ms(), iso);
  buf_str(out, "\"timestamp\":\"");
  buf_str(out, iso);
  buf_chr(out, '"');
}

static void add_endpoints(struct buf *out, const struct config *config, const struct route *route) {
  for (enum route_method method = 0; method < ROUTE__MAX; method++) {
    const char *name = route->operations[method].name;
    if (!name)
      continue;
    if (out->data[out->len - 1] != '{')
      buf_chr(out, ',');
    buf_printf(out, "\"%s\":\"%s ", name, route_method_name(method));
    url_add_path(out, config, route->path);
    buf_chr(out, '"');
  }
}

void service_root(const struct exchange *x) {
  struct buf *out = &x->reply->body;
  buf_str(out, "{\"service\":\"Mock Communications Service\",\"version\":\"" MCS_VERSION
               "\",\"endpoints\":{");
  for (size_t i = 0; i < routes_api.count; i++)
    add_endpoints(out, x->config, &routes_api.routes[i]);
  buf_str(out, "}}");
}

void service_health(const struct exchange *x) {
  struct buf *out = &x->reply->body;
  buf_str(out, "{\"status\":\"healthy\",");
  add_timestamp(out);
  int64_t uptime_ms = clock_monotonic_ms() - x->responder->started_ms;
  buf_printf(out, ",\"uptime\":%.3f}", (double)uptime_ms / 1000.0);
}

void service_ready(const struct exchange *x) {
  cleanup_buf struct buf missing = {0};
  readiness_missing(x->responder->store, &missing);
  if (!missing.len) {
    buf_str(&x->reply->body, "{\"status\":\"ready\",");
    add_timestamp(&x->reply->body);
    buf_chr(&x->reply->body, '}');
    return;
  }
  cleanup_buf struct buf message = {0};
  buf_printf(&message, "Not ready; missing: %s", buf_text(&missing));
  error_unavailable(x->reply, 1, buf_text(&message));
}
