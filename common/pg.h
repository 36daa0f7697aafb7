#pragma once

#include "common/cleanup.h"
#include "common/config.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A connection to PostgreSQL that makes itself again when it broke, with a deadline on everything:
 * to the one of POSTGRES_HOST's hosts that can be written to.
 * Statements are files of sql/queries, named without their suffix; all that a program uses are
 * prepared when it connects. Results are binary.
 *
 * Through a pooler that hands out a connection for one transaction at a time (POSTGRES_POOL_MODE)
 * no statement is prepared and nothing outlives a transaction: what sessions rely on is set in
 * each.
 */
struct pg;

enum pg_outcome {
  PG_DONE,    /* *result holds the answer */
  PG_REFUSED, /* certainly nothing happened: no connection, or the server said an error */
  PG_UNKNOWN, /* a deadline passed or the connection broke: it may have happened, or still may */
};

/* `statements` (closed by NULL) are prepared at every connect when `prepare`, else sent as text
 * each time. `config` and `statements` must outlive it. Does not connect yet. */
struct pg *pg_new(const struct config *config, const char *program, const char *const *statements,
                  bool prepare);
void pg_free(struct pg *pg);

/* Connects, if it is not connected, and prepares. Blocks until `deadline_ms` (monotonic). */
must_check bool pg_connect(struct pg *pg, int64_t deadline_ms);
/* Closes the connection, and with it what is open on it; the next statement connects anew. */
void pg_disconnect(struct pg *pg);

/*
 * Runs one statement, connecting first if needed, and blocks until `deadline_ms`. Parameters are
 * text (NULL = SQL NULL). On PG_DONE `*result` is to be cleared by the caller (cleanup_pgresult);
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

/* How many connections it has made: what a session had is gone when that has changed. */
unsigned pg_session(const struct pg *pg);

/* The SQLSTATE of the last error, "" when there was none or the connection was at fault. */
const char *pg_sqlstate(const struct pg *pg);

/* POSTGRES_HOST's hosts: how many, and the n-th, counted round. Whoever connects without blocking
 * tries one after the other himself, and so with the addresses of each (common/resolve.h): libpq
 * stays with one that is silent for as long as it is let.
 */
int pg_hosts(const struct config *config);
void pg_host(const struct config *config, int n, char host[CONFIG_ITEM_SIZE]);
/* The connection string's parts for those who use libpq themselves: arrays closed by NULL, at most
 * PG_CONNECT_PARAMS long, pointing into `config`, `host` (one, or all), `address` (what the host's
 * name was resolved to; NULL: libpq does that, and blocks) and `port`. Where there are several
 * hosts, one that is read-only is refused. */
enum { PG_CONNECT_PARAMS = 15 };
void pg_connect_params(const struct config *config, const char *program, const char *host,
                       const char *address, const char *names[], const char *values[],
                       char port[8]);
/* Notices go nowhere, and errors come without their details: those can show a whole row, the API
 * key in it, and would get into the log. */
void pg_quieten(PGconn *conn);

/*
 * For those who wait by themselves: what is sent on a new connection once it is there, and then for
 * each statement, in libpq's pipeline mode, so that it is one round trip. Then PQflush(),
 * PQconsumeInput() and pg_gather() until the results are there. Only one at a time may be under
 * way. pg_send_setup() sets what our sessions rely on and prepares `statements` (closed by NULL),
 * if this configuration prepares any. Both return false when the connection broke.
 */
must_check bool pg_send_setup(PGconn *conn, const struct config *config,
                              const char *const *statements);
must_check bool pg_send(PGconn *conn, const struct config *config, const char *statement, int count,
                        const char *const *values);
enum pg_gathered {
  PG_GATHER_MORE,   /* not all has come yet */
  PG_GATHER_DONE,   /* *result is the statement's result, or the first error */
  PG_GATHER_BROKEN, /* the connection is lost */
};
/* Takes what has come. `*result` is NULL before the first call, and is to be cleared in the end. */
must_check enum pg_gathered pg_gather(PGconn *conn, PGresult **result);
/* What a gathered result says of its statement. */
enum pg_outcome pg_outcome_of(const PGresult *result);

/* The text of a statement of sql/queries; asserts that there is one of that name. */
const char *pg_statement_text(const char *name);

/* Binary values of a result. A NULL reads as 0 or "". */
int32_t pg_i32(const PGresult *r, int row, int column);
int64_t pg_i64(const PGresult *r, int row, int column);
bool pg_bool(const PGresult *r, int row, int column);
/* A timestamptz in milliseconds since 1970. */
int64_t pg_ms(const PGresult *r, int row, int column);
/* One-dimensional int4[] and timestamptz[]; return the number of elements, at most `most`. */
int pg_i32_array(const PGresult *r, int row, int column, int32_t *out, int max);
int pg_ms_array(const PGresult *r, int row, int column, int64_t *out, int max);

static inline void cleanup_pgresult_(PGresult **r) {
  PQclear(*r);
}
#define cleanup_pgresult __attribute__((cleanup(cleanup_pgresult_)))
