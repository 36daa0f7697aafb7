/* PostgreSQL: connecting, running a statement with a deadline, and reading binary results. */

#include "common/pg.h"

#include "common/clock.h"
#include "common/embedded.h"
#include "common/log.h"

#include <assert.h>
#include <endian.h>
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
  PGconn *conn; /* NULL, or connected and prepared */
  int host;     /* the one that is connected, or to be tried first */
  bool timed_out;
  char sqlstate[6];
  int64_t quiet_until_ms; /* a server that stays away is not news every time */
};

struct pg *pg_new(const struct config *config, const char *program, const char *const *statements,
                  bool prepare) {
  struct pg *pg = calloc(1, sizeof(*pg));
  if (!pg)
    log_oom();
  pg->config = config;
  pg->program = program;
  pg->statements = statements;
  pg->prepare = prepare;
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

bool pg_timed_out(const struct pg *pg) {
  return pg->timed_out;
}

const char *pg_statement_text(const char *name) {
  for (const struct embedded_text *q = embedded_queries; q->name; q++)
    if (strcmp(q->name, name) == 0)
      return q->text;
  assert(!"a statement that sql/queries does not have");
}

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
                       const char *names[], const char *values[], char port[8]) {
  snprintf(port, 8, "%ld", config->postgres_port);
  const char *const pairs[][2] = {
      {"host", host},
      {"port", port},
      {"dbname", config->postgres_db},
      {"user", config->postgres_user},
      {"password", *config->postgres_password ? config->postgres_password : NULL},
      {"application_name", program},
      {"client_encoding", "UTF8"},
      /* The server gives up what we gave up waiting for, so that nothing lands much later. Our
       * statements find rows by index, and are planned once, perhaps while a table is still empty:
       * no plan may be chosen that reads all of it. */
      {"options",
       "-c statement_timeout=3000 -c lock_timeout=2500 -c jit=off"
       " -c idle_in_transaction_session_timeout=10000 -c enable_seqscan=off"
       " -c enable_hashjoin=off -c enable_mergejoin=off"
       /* a host that vanished must not hold the lock of a rebuild for hours */
       " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"},
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

static bool connect_host(struct pg *pg, int64_t deadline_ms) {
  const char *names[PG_CONNECT_PARAMS], *values[PG_CONNECT_PARAMS];
  char host[CONFIG_ITEM_SIZE], port[8];
  pg_host(pg->config, pg->host, host);
  pg_connect_params(pg->config, pg->program, host, names, values, port);
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
    if (clock_monotonic_ms() >= pg->quiet_until_ms) {
      log_failure(pg, "connect", late ? "deadline passed" : conn ? PQerrorMessage(conn) : "memory");
      pg->quiet_until_ms = clock_monotonic_ms() + QUIET_MS;
    }
    PQfinish(conn);
    return false;
  }
  pg_quieten(conn);
  pg->conn = conn;
  pg->quiet_until_ms = 0;
  return true;
}

/* Begins with the host that was the right one last; none may take the time of those behind it. */
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

/* Sends what is queued and collects the last result. NULL when the connection broke or the
 * deadline passed; then it is closed. */
static PGresult *collect(struct pg *pg, int64_t deadline_ms) {
  PGresult *last = NULL;
  for (;;) {
    int unsent = PQflush(pg->conn);
    if (unsent < 0)
      break;
    if (unsent == 0 && !PQisBusy(pg->conn)) {
      PGresult *next = PQgetResult(pg->conn);
      if (!next) {
        if (PQstatus(pg->conn) == CONNECTION_BAD)
          break;
        return last;
      }
      PQclear(last);
      last = next;
      continue;
    }
    if (!wait_socket(pg->conn, POLLIN | (unsent ? POLLOUT : 0), deadline_ms)) {
      log_failure(pg, "wait", "deadline passed");
      pg->timed_out = true;
      PQclear(last);
      pg_disconnect(pg);
      return NULL;
    }
    if (!PQconsumeInput(pg->conn))
      break;
  }
  log_failure(pg, "wait", PQerrorMessage(pg->conn));
  PQclear(last);
  pg_disconnect(pg);
  return NULL;
}

static bool prepare_all(struct pg *pg, int64_t deadline_ms) {
  for (const char *const *name = pg->statements; *name; name++) {
    PGresult *r = NULL;
    if (PQsendPrepare(pg->conn, *name, pg_statement_text(*name), 0, NULL))
      r = collect(pg, deadline_ms);
    if (PQresultStatus(r) != PGRES_COMMAND_OK) {
      if (r)
        log_failure(pg, *name, PQresultErrorMessage(r));
      PQclear(r);
      return false;
    }
    PQclear(r);
  }
  return true;
}

bool pg_connect(struct pg *pg, int64_t deadline_ms) {
  pg->timed_out = false;
  if (pg->conn)
    return true;
  if (!open_connection(pg, deadline_ms))
    return false;
  if (pg->prepare && !prepare_all(pg, deadline_ms)) {
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

static bool send_statement(struct pg *pg, const char *statement, int count,
                           const char *const *values) {
  if (pg->prepare)
    return PQsendQueryPrepared(pg->conn, statement, count, values, NULL, NULL, 1);
  return PQsendQueryParams(pg->conn, pg_statement_text(statement), count, NULL, values, NULL, NULL,
                           1);
}

enum pg_outcome pg_exec(struct pg *pg, const char *statement, int count, const char *const *values,
                        int64_t deadline_ms, PGresult **result) {
  *result = NULL;
  pg->sqlstate[0] = '\0';
  drop_stale(pg);
  if (!pg_connect(pg, deadline_ms))
    return PG_REFUSED;
  if (!send_statement(pg, statement, count, values)) {
    log_failure(pg, statement, PQerrorMessage(pg->conn));
    pg_disconnect(pg);
    return PG_UNKNOWN;
  }
  PGresult *r = collect(pg, deadline_ms);
  if (!r)
    return PG_UNKNOWN;
  ExecStatusType status = PQresultStatus(r);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
    *result = r;
    return PG_DONE;
  }
  const char *sqlstate = PQresultErrorField(r, PG_DIAG_SQLSTATE);
  snprintf(pg->sqlstate, sizeof(pg->sqlstate), "%s", sqlstate ? sqlstate : "");
  log_failure(pg, statement, PQresultErrorMessage(r));
  PQclear(r);
  /* Shutdowns and terminations (class 57P), a server that has become read-only and a plan that no
   * longer fits: begin anew next time. An error was reported, so the statement was rolled back.
   * Without a code the connection broke. */
  if (!pg->sqlstate[0] || strncmp(pg->sqlstate, "57P", 3) == 0 ||
      strcmp(pg->sqlstate, "25006") == 0 || strcmp(pg->sqlstate, "26000") == 0 ||
      strcmp(pg->sqlstate, "0A000") == 0)
    pg_disconnect(pg);
  bool lost = !pg->sqlstate[0] || strncmp(pg->sqlstate, "08", 2) == 0; /* a proxy says so, too */
  return lost ? PG_UNKNOWN : PG_REFUSED;
}

/* --- binary values ---------------------------------------------------------------------------- */

static int64_t read_be64(const char *p) {
  uint64_t n;
  memcpy(&n, p, sizeof(n));
  return (int64_t)be64toh(n);
}

static int32_t read_be32(const char *p) {
  uint32_t n;
  memcpy(&n, p, sizeof(n));
  return (int32_t)be32toh(n);
}

int32_t pg_i32(const PGresult *r, int row, int column) {
  return PQgetlength(r, row, column) == 4 ? read_be32(PQgetvalue(r, row, column)) : 0;
}

int64_t pg_i64(const PGresult *r, int row, int column) {
  return PQgetlength(r, row, column) == 8 ? read_be64(PQgetvalue(r, row, column)) : 0;
}

bool pg_bool(const PGresult *r, int row, int column) {
  return PQgetlength(r, row, column) == 1 && *PQgetvalue(r, row, column);
}

/* PostgreSQL counts microseconds from 2000. Rounded down, as all our times are whole ms. */
static int64_t ms_of_pg_us(int64_t us) {
  return (us + INT64_C(946684800000000)) / 1000;
}

int64_t pg_ms(const PGresult *r, int row, int column) {
  return PQgetlength(r, row, column) == 8 ? ms_of_pg_us(read_be64(PQgetvalue(r, row, column))) : 0;
}

/* The binary form of an array: dimensions, has-NULLs flag, element type, then for each dimension
 * size and lower bound, then each element's length and bytes (array_send in PostgreSQL). */
static int read_array(const PGresult *r, int row, int column, int width, int most,
                      void (*put)(void *out, int i, const char *p), void *out) {
  const char *p = PQgetvalue(r, row, column), *end = p + PQgetlength(r, row, column);
  if (end - p < 20 || read_be32(p) != 1)
    return 0;
  int count = read_be32(p + 12), got = 0;
  for (p += 20; got < count && got < most && end - p >= 4 + width; p += 4 + width) {
    if (read_be32(p) != width)
      break;
    put(out, got++, p + 4);
  }
  return got;
}

static void put_i32(void *out, int i, const char *p) {
  ((int32_t *)out)[i] = read_be32(p);
}

static void put_ms(void *out, int i, const char *p) {
  ((int64_t *)out)[i] = ms_of_pg_us(read_be64(p));
}

int pg_i32_array(const PGresult *r, int row, int column, int32_t *out, int most) {
  return read_array(r, row, column, 4, most, put_i32, out);
}

int pg_ms_array(const PGresult *r, int row, int column, int64_t *out, int most) {
  return read_array(r, row, column, 8, most, put_ms, out);
}
