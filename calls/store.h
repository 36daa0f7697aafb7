#pragma once

#include "common/breaker.h"
#include "common/buf.h"
#include "common/config.h"
#include "common/pg.h"
#include "common/redis.h"

/*
 * A responder's connections to the two databases, each used only while the pool's breaker trusts
 * it. The operations that front doors call (create, find, metrics, readiness) take their
 * connections from here and report failures here; they alone use what stands below the line.
 */
struct store;

/* `breaker` and `config` must outlive it. `stripe`: see row_insert(); `prepare`: see pg_new(). */
struct store *store_new(const struct config *config, struct breaker *breaker, int stripe,
                        bool prepare);
void store_free(struct store *store);

/* Between requests: connects what is not connected, and probes what hangs when it is this process's
 * turn. Blocks for about a second at most. */
void store_tend(struct store *store);
/* True while something hangs, so that store_tend() should be called about once a second. */
bool store_needs_tending(const struct store *store);

/* --- for the operations ----------------------------------------------------------------------- */

const struct config *store_config(const struct store *store);
int store_stripe(const struct store *store);

/* The connection, connected; NULL where the breaker is open or connecting failed (which trips the
 * breaker when it timed out). All three block, but not longer than connecting may take. */
struct pg *store_postgres(struct store *store);
struct redis *store_redis(struct store *store);
/* See redis_connect_for_reading(). */
struct redis *store_redis_for_reading(struct store *store);

/* The connection's last operation failed: trips the breaker if that was a time-out. */
void store_postgres_failed(struct store *store);
void store_redis_failed(struct store *store);

/* A database took, or refused, what the creation of a call writes. */
void store_note_write(struct store *store, enum backend which, bool taken);
/* Whether it was seen to take it within the last second. */
bool store_takes_writes(const struct store *store, enum backend which);

/* Whether PostgreSQL answers a ping and has our tables; reports a failure itself. `*utf8`: whether
 * the database can hold all text. */
must_check bool store_ping_postgres(struct store *store, bool *utf8);

/* Adds the database's name and, where it refused the last operation, why: "NAME (CODE: meaning)".
 * True when it did refuse. */
bool store_add_refusal(const struct store *store, enum backend which, struct buf *out);
