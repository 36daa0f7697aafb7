#pragma once

#include "fcgi/http/exchange.h"

#include <stdbool.h>

/* Sets x->api_key to the key that the request carries (owned by the responder's ring). False for
 * none or an unknown one: the reply is the 401. */
bool auth_check(struct exchange *x);
