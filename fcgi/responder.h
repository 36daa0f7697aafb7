#pragma once

#include "calls/keyring.h"
#include "calls/store.h"
#include "common/breaker.h"
#include "common/config.h"

#include <stdint.h>

/* What the handlers of one process work with, whatever API they belong to. */
struct responder {
  int64_t started_ms; /* when the pool started (clock_monotonic_ms()); its children share it */
  const struct config *config;
  struct keyring *ring;
  struct breaker *breaker;
  struct store *store;
};
