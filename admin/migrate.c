/*
 * `mcs-admin migrate`: updates the database's tables. Migrations are the numbered files
 * of sql/migrations, applied in order, each once and in a transaction of its own, by one process at
 * a time (an advisory lock). The first line of each names what it makes. Where none is
 * missing it writes nothing: a role that may only use the tables can run the service.
 *
 * Before that it refuses a database or a pooler that the service would fail with later, and a
 * database that a newer release has migrated.
 */

#include "admin/commands.h"

#include "common/clock.h"
#include "common/embedded.h"
#include "common/pg.h"
#include "common/pg/schema.h"
#include "common/pg/value.h"
#include "common/privileges.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBE_MS = 2000 };

/* One line on standard error, whatever libpq makes of it. */
static bool complain(const char *what, const char *message) {
  fprintf(stderr, "mcs: %s: ", what);
  for (size_t len; *message; message += len + strspn(message + len, "\n\t ")) {
    len = strcspn(message, "\n");
    fprintf(stderr, "%.*s%s", (int)len, message,
            message[len + strspn(message + len, "\n\t ")] ? "; " : "\n");
  }
  return false;
}

static bool run(PGconn *conn, const char *sql) {
  cleanup_pgresult PGresult *r = PQexec(conn, sql);
  ExecStatusType status = PQresultStatus(r);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
    return true;
  return complain("migration failed", PQresultErrorMessage(r));
}

static bool begin(PGconn *conn) {
  return run(conn, pg_statement_text("begin")) &&
         run(conn, pg_statement_text("migrations_session"));
}

/* The number of the newest migration that was applied, 0 for none, -1 for an error. */
static int applied_version(PGconn *conn) {
  cleanup_pgresult PGresult *known = PQexec(conn, pg_statement_text("migrations_known"));
  if (PQresultStatus(known) != PGRES_TUPLES_OK) {
    complain("migration failed", PQresultErrorMessage(known));
    return -1;
  }
  if (*PQgetvalue(known, 0, 0) == 'f')
    return 0;
  cleanup_pgresult PGresult *r = PQexec(conn, pg_statement_text("migrations_version"));
  if (PQresultStatus(r) != PGRES_TUPLES_OK) {
    complain("migration failed", PQresultErrorMessage(r));
    return -1;
  }
  return atoi(PQgetvalue(r, 0, 0));
}

static bool note_version(PGconn *conn, int version) {
  char text[12];
  snprintf(text, sizeof(text), "%d", version);
  const char *const values[] = {text};
  cleanup_pgresult PGresult *r =
      PQexecParams(conn, pg_statement_text("migrations_note"), 1, NULL, values, NULL, NULL, 0);
  return PQresultStatus(r) == PGRES_COMMAND_OK;
}

/* Another process may have applied it before this one had the lock. */
static bool apply(PGconn *conn, int number, const char *sql) {
  if (!begin(conn) || !run(conn, pg_statement_text("migrations_lock")) ||
      !run(conn, pg_statement_text("migrations_table")))
    return false;
  int version = applied_version(conn);
  if (version < 0 || (version < number && (!run(conn, sql) || !note_version(conn, number))))
    return false;
  return run(conn, pg_statement_text("commit"));
}

static bool apply_all(PGconn *conn) {
  int version = begin(conn) ? applied_version(conn) : -1;
  if (version < 0 || !run(conn, pg_statement_text("commit")))
    return false;
  if (version > embedded_schema) {
    char text[PG_SCHEMA_TEXT_SIZE];
    pg_schema_explain(version, text);
    return complain("nothing was migrated", text);
  }
  for (const struct embedded_text *m = embedded_migrations; m->name; m++) {
    int number = atoi(m->name);
    if (number > version && !apply(conn, number, m->text))
      return false;
    const char *title = m->text + strlen("-- ");
    printf(" %.*s created/verified\n", (int)strcspn(title, "\n"), title);
  }
  return true;
}

/* Clients may send any character of Unicode. */
static bool check_encoding(const struct config *config, PGconn *conn) {
  const char *encoding = PQparameterStatus(conn, "server_encoding");
  if (!encoding || strcmp(encoding, "UTF8") == 0)
    return true;
  fprintf(stderr,
          "mcs: the database %s is encoded in %s and must be in UTF8: create one with TEMPLATE "
          "template0 ENCODING 'UTF8' (docs/postgresql.md)\n",
          config->postgres_db, encoding);
  return false;
}

static int backend(struct pg *pg) {
  cleanup_pgresult PGresult *r = NULL;
  int64_t deadline_ms = clock_monotonic_ms() + PROBE_MS;
  return pg_exec(pg, "backend", 0, NULL, deadline_ms, &r) == PG_DONE ? pg_i32(r, 0, 0) : 0;
}

/* Two connections at a time that one server process serves are a pooler's, and not sessions. While
 * others use the pooler this is not noticed, and statements fail later: see docs/postgresql.md. */
static bool check_sessions(const struct config *config) {
  if (strcmp(config->postgres_pool_mode, "session") != 0)
    return true;
  struct pg *first = pg_new(config, "mcs-admin", NULL, false);
  struct pg *second = pg_new(config, "mcs-admin", NULL, false);
  int answers_first = backend(first), answers_second = backend(second);
  pg_free(first);
  pg_free(second);
  if (!answers_first || answers_first != answers_second)
    return true;
  fputs(
      "mcs: POSTGRES_HOST is a pooler that hands out connections for a transaction each: set "
      "POSTGRES_POOL_MODE=transaction (docs/postgresql.md)\n",
      stderr);
  return false;
}

static PGconn *open_connection(const struct config *config) {
  const char *names[PG_CONNECT_PARAMS], *values[PG_CONNECT_PARAMS];
  char port[8];
  pg_connect_params(config, "mcs-admin", config->resolved_postgres_host, NULL, names, values, port);
  return PQconnectdbParams(names, values, 0);
}

int command_migrate(const struct config *config, int argc, char **argv) {
  privileges_drop();
  PGconn *conn = open_connection(config);
  bool good = PQstatus(conn) == CONNECTION_OK;
  if (!good)
    complain("cannot use PostgreSQL (POSTGRES_HOST, _PORT, _DB, _USER, _PASSWORD)",
             PQerrorMessage(conn));
  good = good && check_encoding(config, conn) && check_sessions(config);
  if (good) {
    puts(" Running database migrations...");
    good = apply_all(conn);
  }
  if (good)
    puts(" All migrations completed successfully!");
  PQfinish(conn);
  return good ? 0 : 1;
}
