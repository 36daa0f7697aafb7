#pragma once

#include "common/buf.h"
#include "common/cleanup.h"

/*
 * The parameters of a query or of a form (application/x-www-form-urlencoded), one after the other,
 * in their order, repeated ones included:
 *
 *   cleanup_params struct params params = {.at = query, .len = len};
 *   for (enum params_step step; (step = params_next(&params)) != PARAMS_END;)
 *     …
 */
enum { PARAMS_MAX = 1000 };

struct params {
  const char *at; /* what is left of the text */
  size_t len;
  int count;              /* parameters so far, empty ones left out */
  struct buf name, value; /* of the present one, decoded; no NUL in them, unless it is malformed */
};

enum params_step {
  PARAMS_GOOD,
  PARAMS_MALFORMED, /* a broken escape or a NUL in the name or in the value, which is as it was sent
                     */
  PARAMS_TOO_MANY,  /* there is one more than PARAMS_MAX; each further call says so again */
  PARAMS_END,
};

/* Goes on to the next parameter. One without '=' has the value "". */
must_check enum params_step params_next(struct params *params);

void params_done(struct params *params);
#define cleanup_params __attribute__((cleanup(params_done)))
