#pragma once

#include "common/config.h"
#include "calls/keyring.h"
#include "common/breaker.h"
#include "fcgi/http/reply.h"
#include "fcgi/http/request.h"
#include "calls/store.h"

/* What the handlers of one process work with. */
struct responder {
  int64_t started_ms; /* when the pool started (clock_monotonic_ms()); its children share it */
  const struct config *config;
  struct keyring *ring;
  struct breaker *breaker;
  struct store *store;
};

/* What a handler is called with: the key is NULL for public resources, the id "" unless the path
 * has one (then it is whatever stands there). It fills in the reply. */
struct exchange {
  struct responder *responder;
  const struct request *request;
  const char *api_key;
  const char *id;
  struct reply *reply;
};

/* Answers one request: finds the resource, checks in the order path, key, method, and calls the
 * handler. */
void routes_answer(struct responder *responder, const struct request *request, struct reply *reply);

/* The handlers, a file a resource. */
void service_root(const struct exchange *x);
void service_health(const struct exchange *x);
void service_ready(const struct exchange *x);
void metrics_get(const struct exchange *x);
void calls_post(const struct exchange *x);
void calls_get(const struct exchange *x);
