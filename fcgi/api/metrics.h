#pragma once

#include "fcgi/http/exchange.h"

/* GET /metrics: the counters over all calls. */
void metrics_get(const struct exchange *x);
