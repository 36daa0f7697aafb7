#pragma once

#include "calls/call.h"
#include "calls/live.h"
#include "calls/row.h"
#include "common/breaker.h"

/*
 * The responder's two databases, each used only while the pool's breaker trusts it. All functions
 * block, but none longer than its deadline.
 */
struct store;

/* `breaker` and `config` must outlive it. `stripe`: see row_insert(); `prepare`: see pg_new().
 */
struct store *store_new(const struct config *config, struct breaker *breaker, int stripe,
                        bool prepare);
void store_free(struct store *store);

enum store_create {
  STORE_CREATED,
  STORE_TOO_MANY_CONCURRENT,
  STORE_TOO_MANY_A_SECOND,
  STORE_REBUILDING,  /* Redis lost the live state; it is being rebuilt */
  STORE_UNAVAILABLE, /* certainly nothing was created */
  STORE_UNKNOWN,     /* it may have been created */
};

/* Admits and stores a call (times are filled in). `*retry_ms`: see struct live_admission. */
enum store_create store_create(struct store *store, struct call *call, int64_t *retry_ms);

/* Which database refused the last store_create(), and why, as "NAME (CODE: meaning)"; "" when none
 * did. */
const char *store_refusal(const struct store *store);

enum store_find { STORE_FOUND, STORE_ABSENT, STORE_DOWN };

/* Finds a call, in Redis if it is live there, else in PostgreSQL. It points into `*held`. */
struct store_held {
  redisReply *reply;
  PGresult *result;
};
enum store_find store_find(struct store *store, const char *id, struct call *call,
                           struct store_held *held);
void store_held_done(struct store_held *held);

/* The counters. False when PostgreSQL does not answer. */
bool store_metrics(struct store *store, struct row_metrics *metrics);

/* Adds the names of what the creation of a call needs and does not have now, separated by ", ";
 * nothing when a call can be created. Writes are tried once a second at most. */
void store_missing(struct store *store, struct buf *names);

/* Between requests: connects what is not connected, and probes what hangs when it is this process's
 * turn. */
void store_tend(struct store *store);
/* True while something hangs, so that store_tend() should be called about once a second. */
bool store_needs_tending(const struct store *store);
