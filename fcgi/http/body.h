#pragma once

#include "fcgi/http/request.h"

#include <stdbool.h>
#include <stddef.h>

/* What body an operation takes. */
struct body_rule {
  const char *type; /* its media type, such as "application/json" */
  const char *noun; /* what messages call it: "JSON" */
  size_t max;       /* in bytes; 0: the setting MAX_BODY_BYTES */
};

enum { BODY_MESSAGE_SIZE = 100 };

/* Why a request's body was not taken. */
struct body_error {
  int status; /* 415, 413 or 400 */
  char message[BODY_MESSAGE_SIZE];
  bool is_encoded; /* the Content-Encoding was the reason */
};

/*
 * Checks the request's Content-Type and Content-Encoding, and only then reads its body to the end.
 * `default_max` stands for a rule's `max` of 0. True when the whole body is in `request->body`.
 */
bool body_take(const struct body_rule *rule, size_t default_max, struct request *request,
               struct body_error *error);
