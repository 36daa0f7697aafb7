/*
 * `mcs-admin migrate`: brings the database's tables up to date. Migrations are the numbered files
 * of sql/migrations, applied in order, each once and in a transaction of its own, by one process at
 * a time (an advisory lock). The first line of each names what it makes.
 */

#include "admin/commands.h"

#include "common/embedded.h"
#include "common/pg.h"
#include "common/privileges.h"

#include <stdio.h>
#include <string.h>

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

static int applied_version(PGconn *conn) {
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

static bool apply_all(PGconn *conn) {
  int version = applied_version(conn);
  if (version < 0)
    return false;
  for (const struct embedded_text *m = embedded_migrations; m->name; m++) {
    int number = atoi(m->name);
    if (number > version &&
        (!run(conn, pg_statement_text("begin")) || !run(conn, m->text) ||
         !note_version(conn, number) || !run(conn, pg_statement_text("commit"))))
      return false;
    const char *title = m->text + strlen("-- ");
    printf(" %.*s created/verified\n", (int)strcspn(title, "\n"), title);
  }
  return true;
}

static PGconn *connect_patiently(const struct config *config) {
  const char *names[PG_CONNECT_PARAMS], *values[PG_CONNECT_PARAMS];
  char port[8];
  pg_connect_params(config, "mcs-admin", config->resolved_postgres_host, names, values, port);
  for (int i = 0; names[i]; i++) /* an index on a large table takes its time */
    if (strcmp(names[i], "options") == 0)
      values[i] = "-c client_min_messages=warning -c lock_timeout=60000";
  return PQconnectdbParams(names, values, 0);
}

int command_migrate(const struct config *config, int argc, char **argv) {
  privileges_drop();
  PGconn *conn = connect_patiently(config);
  bool good = PQstatus(conn) == CONNECTION_OK;
  if (!good)
    complain("cannot use PostgreSQL (POSTGRES_HOST, _PORT, _DB, _USER, _PASSWORD)",
             PQerrorMessage(conn));
  if (good) {
    puts(" Running database migrations...");
    good = run(conn, pg_statement_text("migrations_lock")) &&
           run(conn, pg_statement_text("migrations_table")) && apply_all(conn);
  }
  if (good)
    puts(" All migrations completed successfully!");
  PQfinish(conn);
  return good ? 0 : 1;
}
