/* What goes over a libpq connection, for clients that block and for those that do not. */

#include "common/pg/wire.h"

#include "common/embedded.h"
#include "common/pg/schema.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* --- the connection's settings ---------------------------------------------------------------- */

int pg_hosts(const struct config *config) {
  int count = config_list_count(config->postgres_host);
  return count ? count : 1;
}

void pg_host(const struct config *config, int n, char host[CONFIG_ITEM_SIZE]) {
  int count = pg_hosts(config);
  if (count > 1)
    (void)config_list_item(config->postgres_host, n % count, host);
  else
    snprintf(host, CONFIG_ITEM_SIZE, "%s", config->resolved_postgres_host);
}

void pg_connect_params(const struct config *config, const char *program, const char *host,
                       const char *address, const char *names[], const char *values[],
                       char port[8]) {
  snprintf(port, 8, "%ld", config->postgres_port);
  const char *const pairs[][2] = {
      {"host", host},
      {"hostaddr", address && *address != '/' ? address : NULL},
      {"port", port},
      {"dbname", config->postgres_db},
      {"user", config->postgres_user},
      {"password", *config->postgres_password ? config->postgres_password : NULL},
      {"application_name", program},
      {"client_encoding", "UTF8"},
      /* No "options": poolers refuse them. See session.sql. */
      {"gssencmode", "disable"},
      {"tcp_user_timeout", "5000"},
      {"connect_timeout", "2"},
      {"target_session_attrs", pg_hosts(config) > 1 ? "read-write" : NULL},
  };
  static_assert(ARRAY_LEN(pairs) < PG_CONNECT_PARAMS, "room for the closing NULL");
  size_t n = 0;
  for (; n < ARRAY_LEN(pairs); n++) {
    names[n] = pairs[n][0];
    values[n] = pairs[n][1];
  }
  names[n] = values[n] = NULL;
}

static void ignore_notice(void *arg, const PGresult *result) {
}

void pg_quieten(PGconn *conn) {
  PQsetNoticeReceiver(conn, ignore_notice, NULL);
  PQsetErrorVerbosity(conn, PQERRORS_TERSE);
}

bool pg_pools_transactions(const struct config *config) {
  return strcmp(config->postgres_pool_mode, "transaction") == 0;
}

/* --- what is sent ----------------------------------------------------------------------------- */

const char *pg_statement_text(const char *name) {
  for (const struct embedded_text *q = embedded_queries; q->name; q++)
    if (strcmp(q->name, name) == 0)
      return q->text;
  assert(!"a statement that sql/queries does not have");
}

bool pg_send_text(PGconn *conn, const char *statement, int count, const char *const *values) {
  return PQsendQueryParams(conn, pg_statement_text(statement), count, NULL, values, NULL, NULL, 1);
}

bool pg_send_framed(PGconn *conn, enum pg_frame frame, bool prepared, const char *statement,
                    int count, const char *const *values) {
  static const char *const in_transaction[] = {"true"};
  if (frame != PG_FRAME_NONE && PQtransactionStatus(conn) == PQTRANS_IDLE &&
      !(pg_send_text(conn, "begin", 0, NULL) && pg_send_text(conn, "session", 1, in_transaction)))
    return false;
  bool sent = prepared ? PQsendQueryPrepared(conn, statement, count, values, NULL, NULL, 1)
                       : pg_send_text(conn, statement, count, values);
  return sent && (frame != PG_FRAME_TRANSACTION || pg_send_text(conn, "commit", 0, NULL)) &&
         PQpipelineSync(conn);
}

bool pg_send(PGconn *conn, const struct config *config, const char *statement, int count,
             const char *const *values) {
  bool pooled = pg_pools_transactions(config);
  return pg_send_framed(conn, pooled ? PG_FRAME_TRANSACTION : PG_FRAME_NONE, !pooled, statement,
                        count, values);
}

bool pg_send_setup(PGconn *conn, const struct config *config, const char *const *statements) {
  bool pooled = pg_pools_transactions(config);
  const char *const scope[] = {pooled ? "true" : "false"};
  bool sent = PQenterPipelineMode(conn) && pg_send_text(conn, "session", 1, scope);
  for (const char *const *name = statements; *name && sent && !pooled; name++)
    sent = PQsendPrepare(conn, *name, pg_statement_text(*name), 0, NULL);
  return sent && PQpipelineSync(conn);
}

/* --- what comes back -------------------------------------------------------------------------- */

/* The first error counts, and another schema than ours is one; else the last result with rows. Only
 * the statement itself and "session" have rows. */
static void keep(PGresult **kept, PGresult *next) {
  bool failed = *kept && (PQresultStatus(*kept) == PGRES_FATAL_ERROR || pg_schema_differs(*kept));
  bool counts = PQresultStatus(next) == PGRES_TUPLES_OK ||
                PQresultStatus(next) == PGRES_FATAL_ERROR || !*kept;
  if (failed || !counts) {
    PQclear(next);
    return;
  }
  PQclear(*kept);
  *kept = next;
}

enum pg_gathered pg_gather(PGconn *conn, PGresult **result) {
  while (!PQisBusy(conn)) {
    PGresult *next = PQgetResult(conn);
    if (!next && PQstatus(conn) == CONNECTION_BAD)
      return PG_GATHER_BROKEN;
    if (!next)
      continue; /* the end of one statement's results */
    if (PQresultStatus(next) == PGRES_PIPELINE_SYNC) {
      PQclear(next);
      return PG_GATHER_DONE;
    }
    keep(result, next);
  }
  return PG_GATHER_MORE;
}

/* Without a code the connection broke; a proxy says so with class 08. */
enum pg_outcome pg_outcome_of(const PGresult *r) {
  if (pg_schema_differs(r)) /* what ran there was not refused */
    return PG_UNKNOWN;
  if (PQresultStatus(r) == PGRES_TUPLES_OK || PQresultStatus(r) == PGRES_COMMAND_OK)
    return PG_DONE;
  const char *sqlstate = PQresultErrorField(r, PG_DIAG_SQLSTATE);
  return sqlstate && *sqlstate && strncmp(sqlstate, "08", 2) != 0 ? PG_REFUSED : PG_UNKNOWN;
}
