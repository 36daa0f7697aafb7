#pragma once

#include "common/cleanup.h"
#include "common/config.h"

#include <libpq-fe.h>
#include <stdbool.h>

/*
 * What our clients of libpq share, whether they block (common/pg.h) or not (common/pg/async.h): the
 * settings of a connection, the statements that go over it in libpq's pipeline mode, and what comes
 * back. Nothing here waits.
 */

/* How a statement ended. */
enum pg_outcome {
  PG_DONE,    /* there is a result */
  PG_REFUSED, /* certainly nothing happened: no connection, or the server replied with an error */
  PG_UNKNOWN, /* a deadline passed or the connection broke: it may have happened, or still may */
};

/* POSTGRES_HOST's hosts: how many, and the n-th, counted round. A client must try one after the
 * other, and one address after the other (common/resolve.h): libpq waits for a silent one for as
 * long as it may. */
int pg_hosts(const struct config *config);
void pg_host(const struct config *config, int n, char host[CONFIG_ITEM_SIZE]);
/* The parts of the connection string: arrays closed by NULL, at most PG_CONNECT_PARAMS long,
 * pointing into `config`, `host` (one, or all), `address` (what the host's name was resolved to;
 * NULL: libpq does that, and blocks) and `port`. Where there are several hosts, one that is
 * read-only is refused. */
enum { PG_CONNECT_PARAMS = 15 };
void pg_connect_params(const struct config *config, const char *program, const char *host,
                       const char *address, const char *names[], const char *values[],
                       char port[8]);
/* Notices go nowhere, and errors come without their details: a detail can show a whole row with the
 * API key in it, and would get into the log. */
void pg_quieten(PGconn *conn);
/* Whether a connection is ours for one transaction only: no statement stays prepared, no setting
 * set. */
bool pg_pools_transactions(const struct config *config);

/* The text of a statement of sql/queries; asserts that there is one of that name. */
const char *pg_statement_text(const char *name);

/*
 * What is sent on a new connection once it is there, and then for each statement, so that it is one
 * round trip. Then PQflush(), PQconsumeInput() and pg_gather() until the results are there. Only
 * one at a time may be under way. pg_send_setup() sets what our sessions rely on and prepares
 * `statements` (closed by NULL), if this configuration prepares any. Both return false when the
 * connection broke.
 */
must_check bool pg_send_setup(PGconn *conn, const struct config *config,
                              const char *const *statements);
must_check bool pg_send(PGconn *conn, const struct config *config, const char *statement, int count,
                        const char *const *values);

/* The parts of pg_send(). What a statement is sent in: */
enum pg_frame {
  PG_FRAME_NONE,        /* nothing: it is its own transaction, and the session is set up */
  PG_FRAME_TRANSACTION, /* a transaction that is set up as a session would be */
  PG_FRAME_OPEN,        /* the same, left open */
};
must_check bool pg_send_framed(PGconn *conn, enum pg_frame frame, bool prepared,
                               const char *statement, int count, const char *const *values);
/* A statement that is not prepared, without the end of the pipeline. */
must_check bool pg_send_text(PGconn *conn, const char *statement, int count,
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

static inline void cleanup_pgresult_(PGresult **r) {
  PQclear(*r);
}
#define cleanup_pgresult __attribute__((cleanup(cleanup_pgresult_)))
