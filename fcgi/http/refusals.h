#pragma once

#include "fcgi/http/reply.h"
#include "fcgi/http/request.h"

/* Logs why a request was refused, if `reply` is an error: a line for each request, but at most
 * REFUSALS_BURST lines at once and REFUSALS_PER_SECOND after that, in each process. The next line
 * says how many were left out. No query, key or body is in it. */
enum { REFUSALS_BURST = 50, REFUSALS_PER_SECOND = 10 };

void refusals_log(const struct request *request, const struct reply *reply);
