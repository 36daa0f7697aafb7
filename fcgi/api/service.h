#pragma once

#include "fcgi/http/exchange.h"

/* GET /: what the service is, and its endpoints. */
void service_root(const struct exchange *x);
/* GET /health: that it runs. */
void service_health(const struct exchange *x);
/* GET /ready: whether a call can be created now, or what is missing. */
void service_ready(const struct exchange *x);
