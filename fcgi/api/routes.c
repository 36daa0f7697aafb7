/* The table of our own API. What a path, a method or the list at "/" needs is here once. */

#include "fcgi/api/routes.h"

#include "common/cleanup.h"
#include "fcgi/api/auth.h"
#include "fcgi/api/calls.h"
#include "fcgi/api/error.h"
#include "fcgi/api/metrics.h"
#include "fcgi/api/service.h"

static const struct body_rule json = {.type = "application/json", .noun = "JSON"};

static const struct route routes[] = {
    {
        .path = "/",
        .is_public = true,
        .operations = {[ROUTE_GET] = {.handle = service_root}},
    },
    {
        .path = "/health",
        .is_public = true,
        .operations = {[ROUTE_GET] = {.handle = service_health, .name = "health"}},
    },
    {
        .path = "/ready",
        .is_public = true,
        .operations = {[ROUTE_GET] = {.handle = service_ready, .name = "ready"}},
    },
    {
        .path = "/calls",
        .operations = {[ROUTE_POST] = {.handle = calls_post, .name = "create_call", .body = &json}},
    },
    {
        .path = "/calls/{call_id}",
        .operations = {[ROUTE_GET] = {.handle = calls_get, .name = "get_call"}},
    },
    {
        .path = "/metrics",
        .operations = {[ROUTE_GET] = {.handle = metrics_get, .name = "metrics"}},
    },
    {
        .path = "/ws?call_id={call_id}", /* of wsd */
        .operations = {[ROUTE_GET] = {.name = "websocket"}},
    },
};

const struct api routes_api = {
    .routes = routes,
    .count = ARRAY_LEN(routes),
    .authenticate = auth_check,
    .refuse = error_reply,
};
