#pragma once

#include "fcgi/http/exchange.h"

/* POST /calls: creates a call of the client's. */
void calls_post(const struct exchange *x);
/* GET /calls/{call_id}: one call of the client's. */
void calls_get(const struct exchange *x);
