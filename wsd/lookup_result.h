#pragma once

#include "calls/call.h"

#include <stdint.h>

/* What a lookup of a call comes to. */
enum lookup_outcome {
  LOOKUP_FOUND,       /* `call` is how it stands, without metadata */
  LOOKUP_UNKNOWN,     /* the database has no such call */
  LOOKUP_UNAVAILABLE, /* no store could be asked, or none replied in time */
};

struct lookup_result {
  const char *id;
  uint32_t ticket; /* the caller's own number for the lookup */
  enum lookup_outcome outcome;
  const struct call *call; /* NULL unless found; gone when the callback returns */
};

/* Gets the results. */
struct lookup_owner {
  void (*on_result)(void *arg, const struct lookup_result *result);
  void *arg;
};
