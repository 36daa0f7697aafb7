#pragma once

#include "common/cleanup.h"
#include "common/config.h"
#include "common/pg/wire.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A blocking connection to PostgreSQL that makes itself again when it broke, with a deadline on
 * everything. It leads to the one of POSTGRES_HOST's hosts that can be written to. Statements are
 * files of sql/queries, named without their suffix; all that a program uses are prepared when it
 * connects. Results are binary.
 *
 * Through a pooler that gives a connection for one transaction only (POSTGRES_POOL_MODE) no
 * statement is prepared and nothing outlives a transaction: each sets what sessions rely on.
 */
struct pg;

/* `statements` (closed by NULL) are prepared at every connect when `prepare`, else sent as text
 * each time. Where they are NULL the connection uses no table: no session is set up, and any schema
 * will do. `config` and `statements` must outlive it. Does not connect yet. */
struct pg *pg_new(const struct config *config, const char *program, const char *const *statements,
                  bool prepare);
void pg_free(struct pg *pg);

/* Connects, if it is not connected, and prepares. Blocks until `deadline_ms` (monotonic). */
must_check bool pg_connect(struct pg *pg, int64_t deadline_ms);
/* Closes the connection, and with it what is open on it; the next statement connects anew. */
void pg_disconnect(struct pg *pg);

/*
 * Runs one statement, connecting first if needed, and blocks until `deadline_ms`. Parameters are
 * text (NULL = SQL NULL). On PG_DONE the caller clears `*result` (cleanup_pgresult);
 * else it is NULL and the cause was logged; after PG_UNKNOWN the connection is closed.
 */
must_check enum pg_outcome pg_exec(struct pg *pg, const char *statement, int count,
                                   const char *const *values, int64_t deadline_ms,
                                   PGresult **result);

/* The same, but the transaction stays open, and so do the locks that it takes, until
 * pg_disconnect(); more may follow in it. The server ends one that is idle for 10 s. */
must_check enum pg_outcome pg_exec_open(struct pg *pg, const char *statement, int count,
                                        const char *const *values, int64_t deadline_ms,
                                        PGresult **result);

/* True when the last failure was a deadline (so the server hangs, rather than being gone). */
bool pg_timed_out(const struct pg *pg);

/* What to tell a person when the database has another schema than this program (see
 * common/pg/schema.h), so that no connection is made; "" when that is not so. */
const char *pg_schema_error(const struct pg *pg);

/* How many connections it has made: what a session had is gone when this number has changed. */
unsigned pg_session(const struct pg *pg);

/* The SQLSTATE of the last error, "" when there was none or the connection broke. */
const char *pg_sqlstate(const struct pg *pg);
