/* PostgreSQL: connecting, and running a statement with a deadline. What goes over the wire is
 * pg/wire.c's. */

#include "common/pg.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/pg/schema.h"
#include "common/resolve.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUIET_MS = 5000 };

struct pg {
  const struct config *config;
  const char *program;
  const char *const *statements;
  bool prepare;
  PGconn *conn;     /* NULL, or connected and prepared */
  int host;         /* the one that is connected, or to be tried first */
  unsigned session; /* counts the connections */
  bool timed_out;
  char sqlstate[6];
  char schema_error[PG_SCHEMA_TEXT_SIZE]; /* see pg_schema_error() */
  int64_t quiet_until_ms;                 /* for what need not be logged again */
  char error[160];                        /* the beginning of a statement's error that was logged */
  int64_t error_until_ms;                 /* so long it is not logged again */
};

struct pg *pg_new(const struct config *config, const char *program, const char *const *statements,
                  bool prepare) {
  struct pg *pg = calloc(1, sizeof(*pg));
  if (!pg)
    log_oom();
  pg->config = config;
  pg->program = program;
  pg->statements = statements;
  pg->prepare = prepare && !pg_pools_transactions(config);
  return pg;
}

void pg_disconnect(struct pg *pg) {
  PQfinish(pg->conn);
  pg->conn = NULL;
}

void pg_free(struct pg *pg) {
  if (!pg)
    return;
  pg_disconnect(pg);
  free(pg);
}

const char *pg_sqlstate(const struct pg *pg) {
  return pg->sqlstate;
}

const char *pg_schema_error(const struct pg *pg) {
  return pg->schema_error;
}

unsigned pg_session(const struct pg *pg) {
  return pg->session;
}

bool pg_timed_out(const struct pg *pg) {
  return pg->timed_out;
}

/* Waits until the connection's socket is ready for `events`. False when the deadline passed. */
static bool wait_socket(PGconn *conn, short events, int64_t deadline_ms) {
  for (;;) {
    int64_t left = deadline_ms - clock_monotonic_ms();
    if (left <= 0)
      return false;
    struct pollfd p = {.fd = PQsocket(conn), .events = events};
    int n = poll(&p, 1, (int)left);
    if (n > 0)
      return true;
    if (n == 0 || errno != EINTR)
      return false;
  }
}

static void log_failure(struct pg *pg, const char *what, const char *why) {
  char quoted[400];
  log_warn("pg.failed", "op=%s msg=\"%s\"", what, log_quote(why, quoted, sizeof(quoted)));
}

/* A server that stays away is logged once in QUIET_MS. */
static void log_no_connection(struct pg *pg, const char *why) {
  if (clock_monotonic_ms() < pg->quiet_until_ms)
    return;
  log_failure(pg, "connect", why);
  pg->quiet_until_ms = clock_monotonic_ms() + QUIET_MS;
}

static bool connect_address(struct pg *pg, const char *host, const char *address,
                            int64_t deadline_ms) {
  const char *names[PG_CONNECT_PARAMS], *values[PG_CONNECT_PARAMS];
  char port[8];
  pg_connect_params(pg->config, pg->program, host, address, names, values, port);
  PGconn *conn = PQconnectStartParams(names, values, 0);
  PostgresPollingStatusType status = conn ? PGRES_POLLING_WRITING : PGRES_POLLING_FAILED;
  if (conn && PQstatus(conn) == CONNECTION_BAD)
    status = PGRES_POLLING_FAILED;
  bool late = false;
  while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED && !late) {
    late = !wait_socket(conn, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms);
    if (!late)
      status = PQconnectPoll(conn);
  }
  if (status != PGRES_POLLING_OK || PQsetnonblocking(conn, 1) != 0) {
    pg->timed_out |= late;
    log_no_connection(pg, late ? "deadline passed" : conn ? PQerrorMessage(conn) : "memory");
    PQfinish(conn);
    return false;
  }
  pg_quieten(conn);
  pg->conn = conn;
  pg->session++;
  pg->quiet_until_ms = 0;
  return true;
}

/* No address of the host may take the time of the later ones. */
static bool connect_host(struct pg *pg, int64_t deadline_ms) {
  char host[CONFIG_ITEM_SIZE];
  struct resolved found;
  const char *why;
  pg_host(pg->config, pg->host, host);
  enum resolve_status status = resolve_wait(host, deadline_ms, &found, &why);
  if (status != RESOLVE_FOUND) {
    pg->timed_out |= status == RESOLVE_PENDING;
    log_no_connection(pg, why);
    return false;
  }
  for (int i = 0; i < found.count; i++) {
    int64_t left_ms = deadline_ms - clock_monotonic_ms();
    if (connect_address(pg, host, found.address[i],
                        clock_monotonic_ms() + resolve_share_ms(left_ms, found.count - i)))
      return true;
    resolve_avoid(host, found.address[i]);
  }
  return false;
}

/* Begins with the host that was the right one last; no host may take the time of the later ones. */
static bool open_connection(struct pg *pg, int64_t deadline_ms) {
  int count = pg_hosts(pg->config);
  for (int left = count; left > 0; left--) {
    int64_t now = clock_monotonic_ms();
    if (connect_host(pg, now + (deadline_ms - now) / left)) {
      pg->timed_out = false;
      return true;
    }
    pg->host = (pg->host + 1) % count;
  }
  return false;
}

/* Sends what is queued and collects the result. NULL when the connection broke or the deadline
 * passed; then it is closed. */
static PGresult *collect(struct pg *pg, int64_t deadline_ms) {
  PGresult *result = NULL;
  for (;;) {
    int unsent = PQflush(pg->conn);
    if (unsent < 0)
      break;
    enum pg_gathered gathered = unsent ? PG_GATHER_MORE : pg_gather(pg->conn, &result);
    if (gathered == PG_GATHER_DONE)
      return result;
    if (gathered == PG_GATHER_BROKEN)
      break;
    if (!wait_socket(pg->conn, POLLIN | (unsent ? POLLOUT : 0), deadline_ms)) {
      log_failure(pg, "wait", "deadline passed");
      pg->timed_out = true;
      PQclear(result);
      pg_disconnect(pg);
      return NULL;
    }
    if (!PQconsumeInput(pg->conn))
      break;
  }
  log_failure(pg, "wait", PQerrorMessage(pg->conn));
  PQclear(result);
  pg_disconnect(pg);
  return NULL;
}

/* So is an error that a statement meets again and again. */
static void log_error_of(struct pg *pg, const char *what, const char *why) {
  char error[sizeof(pg->error)] = "";
  int64_t now_ms = clock_monotonic_ms();
  snprintf(error, sizeof(error), "%s: %s", what, why);
  if (strcmp(error, pg->error) == 0 && now_ms < pg->error_until_ms)
    return;
  memcpy(pg->error, error, sizeof(error));
  pg->error_until_ms = now_ms + QUIET_MS;
  log_failure(pg, what, why);
}

static void note_error(struct pg *pg, const char *what, const PGresult *r) {
  const char *sqlstate = PQresultErrorField(r, PG_DIAG_SQLSTATE);
  snprintf(pg->sqlstate, sizeof(pg->sqlstate), "%s", sqlstate ? sqlstate : "");
  if (pg_schema_differs(r)) {
    pg_schema_explain_result(r, pg->schema_error);
    log_error_of(pg, "schema", pg->schema_error);
  } else {
    log_error_of(pg, what, PQresultErrorMessage(r));
  }
}

static bool set_up(struct pg *pg, int64_t deadline_ms) {
  static const char *const none[] = {NULL};
  cleanup_pgresult PGresult *r = NULL;
  if (!pg->statements)
    return PQenterPipelineMode(pg->conn);
  if (pg_send_setup(pg->conn, pg->config, pg->prepare ? pg->statements : none))
    r = collect(pg, deadline_ms);
  if (r && pg_outcome_of(r) != PG_DONE)
    note_error(pg, "setup", r);
  return r && pg_outcome_of(r) == PG_DONE;
}

bool pg_connect(struct pg *pg, int64_t deadline_ms) {
  pg->timed_out = false;
  if (pg->conn)
    return true;
  pg->sqlstate[0] = pg->schema_error[0] = '\0';
  if (!open_connection(pg, deadline_ms))
    return false;
  if (!set_up(pg, deadline_ms)) {
    pg_disconnect(pg);
    return false;
  }
  return true;
}

/* An idle connection that the server has closed meanwhile is replaced before it is used. */
static void drop_stale(struct pg *pg) {
  struct pollfd p = {.fd = pg->conn ? PQsocket(pg->conn) : -1, .events = POLLIN};
  if (!pg->conn || poll(&p, 1, 0) <= 0)
    return;
  if (!PQconsumeInput(pg->conn) || PQstatus(pg->conn) == CONNECTION_BAD ||
      (p.revents & (POLLHUP | POLLERR)))
    pg_disconnect(pg);
}

/* A statement's error leaves its transaction open where that is a real one. */
static void end_transaction(struct pg *pg, int64_t deadline_ms) {
  if (PQtransactionStatus(pg->conn) == PQTRANS_IDLE)
    return;
  if (pg_send_text(pg->conn, "rollback", 0, NULL) && PQpipelineSync(pg->conn))
    PQclear(collect(pg, deadline_ms));
  if (pg->conn && PQtransactionStatus(pg->conn) != PQTRANS_IDLE)
    pg_disconnect(pg);
}

/* Shutdowns and terminations (class 57P), a server that has become read-only, a plan that no longer
 * fits, and tables or columns that are gone: the next statement gets a new connection, which tells
 * of a new schema. */
static bool needs_new_session(const char *sqlstate) {
  static const char *const states[] = {"25006", "26000", "0A000", "42P01", "42703"};
  for (size_t i = 0; i < ARRAY_LEN(states); i++)
    if (strcmp(sqlstate, states[i]) == 0)
      return true;
  return strncmp(sqlstate, "57P", 3) == 0;
}

static enum pg_outcome exec(struct pg *pg, enum pg_frame frame, const char *statement, int count,
                            const char *const *values, int64_t deadline_ms, PGresult **result) {
  *result = NULL;
  pg->sqlstate[0] = '\0';
  drop_stale(pg);
  if (!pg_connect(pg, deadline_ms))
    return PG_REFUSED;
  if (!pg_send_framed(pg->conn, frame, pg->prepare, statement, count, values)) {
    log_failure(pg, statement, PQerrorMessage(pg->conn));
    pg_disconnect(pg);
    return PG_UNKNOWN;
  }
  PGresult *r = collect(pg, deadline_ms);
  if (!r)
    return PG_UNKNOWN;
  enum pg_outcome outcome = pg_outcome_of(r);
  if (outcome == PG_DONE) {
    *result = r;
    return PG_DONE;
  }
  note_error(pg, statement, r);
  PQclear(r);
  /* An error was reported, so the statement was rolled back. */
  if (outcome == PG_UNKNOWN || needs_new_session(pg->sqlstate))
    pg_disconnect(pg);
  else
    end_transaction(pg, deadline_ms);
  return outcome;
}

enum pg_outcome pg_exec(struct pg *pg, const char *statement, int count, const char *const *values,
                        int64_t deadline_ms, PGresult **result) {
  enum pg_frame frame = pg_pools_transactions(pg->config) ? PG_FRAME_TRANSACTION : PG_FRAME_NONE;
  return exec(pg, frame, statement, count, values, deadline_ms, result);
}

enum pg_outcome pg_exec_open(struct pg *pg, const char *statement, int count,
                             const char *const *values, int64_t deadline_ms, PGresult **result) {
  return exec(pg, PG_FRAME_OPEN, statement, count, values, deadline_ms, result);
}
