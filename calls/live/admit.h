#pragma once

#include "calls/call.h"
#include "calls/verdict.h"
#include "common/redis.h"

/*
 * Admission: may this call be created now? One script call decides about both limits, and takes
 * what the call needs. All functions need a redis_connect() first and block for one round trip.
 */

struct live_limits {
  long max_concurrent, max_cps;
};

struct live_admission {
  int64_t epoch;    /* under which it was admitted */
  int64_t retry_ms; /* when refused by a limit: when a place is expected to be free */
  int64_t due_us;   /* when its first job is due; for live_release() */
};

/* Admits a call in its first state, or refuses it; fills in its times from Redis's clock. After
 * VERDICT_REFUSED redis_refusal() says why. */
must_check enum verdict live_admit(struct redis *redis, struct call *call,
                                   const struct live_limits *limits,
                                   struct live_admission *admission);

/* Takes back an admission whose call we did not store, and will not. False when a worker may be
 * storing it already, or when Redis did not answer: then the call's first job decides. */
must_check bool live_release(struct redis *redis, const struct call *call,
                             const struct live_admission *admission);

/* Does what an admission and a transition need, and leaves nothing. False when Redis refused it
 * (see redis_refusal()) or did not answer. */
must_check bool live_probe(struct redis *redis);
