/* One asynchronous libpq connection: finding the host, connecting, backing off, one
 * statement at a time. What goes over the wire is wire.c's, the queue is queue.c's. */

#include "common/pg/async.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/pg/queue.h"
#include "common/pg/schema.h"
#include "common/resolve.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double backoff_min_s = 0.1, backoff_max_s = 1, tick_s = 0.1;

enum stage {
  STAGE_AWAY,       /* no connection; the backoff timer runs, or its name is being resolved */
  STAGE_CONNECTING, /* libpq's handshake */
  STAGE_PREPARING,
  STAGE_IDLE,
  STAGE_RUNNING, /* `current` is under way */
};

struct pg_async {
  struct ev_loop *loop;
  const struct config *config;
  const char *program;
  const char *const *statements;
  int queue_max;
  struct pg_async_owner owner;
  int host;                       /* the one that is connected, or to be tried next */
  char address[CONFIG_ITEM_SIZE]; /* that of it; "" while it is not known */
  PGconn *conn;                   /* NULL exactly while away */
  PGresult *result;               /* what has come of the one under way */
  enum stage stage;
  bool quiet;     /* the failure was logged already, and nothing worked since */
  bool differs;   /* the last setup failed because of the schema */
  int64_t due_ms; /* of connecting and preparing */
  double backoff_s;
  ev_io io;
  ev_timer retry; /* the next try to connect */
  ev_timer tick;  /* looks at deadlines, while there are any */
  ev_timer kick;  /* sends, in the loop's next turn, what was queued in this one */
  struct pg_statement *current;
  struct pg_queue waiting;
};

/* --- the connection --------------------------------------------------------------------------- */

static void watch(struct pg_async *pg, int events) {
  ev_io_stop(pg->loop, &pg->io);
  ev_io_set(&pg->io, PQsocket(pg->conn), events);
  ev_io_start(pg->loop, &pg->io);
}

static void drop_result(struct pg_async *pg) {
  PQclear(pg->result);
  pg->result = NULL;
}

/* The host's other addresses first, when it is this one's turn again. */
static void try_another(struct pg_async *pg) {
  char host[CONFIG_ITEM_SIZE];
  pg_host(pg->config, pg->host, host);
  resolve_avoid(host, pg->address);
  pg->host = (pg->host + 1) % pg_hosts(pg->config);
}

static void schedule_retry(struct pg_async *pg) {
  ev_timer_stop(pg->loop, &pg->retry);
  ev_timer_set(&pg->retry, pg->backoff_s, 0.);
  ev_timer_start(pg->loop, &pg->retry);
  pg->backoff_s = pg->backoff_s * 2 < backoff_max_s ? pg->backoff_s * 2 : backoff_max_s;
}

/* Calls back all that there are now; what the callbacks queue stays for the next connection. */
static void call_back_all(struct pg_async *pg, enum pg_outcome outcome) {
  struct pg_statement *current = pg->current;
  int waiting = pg->waiting.count;
  pg->current = NULL;
  if (current)
    pg_statement_end(current, outcome, NULL);
  for (; waiting > 0; waiting--)
    pg_statement_end(pg_queue_pop(&pg->waiting), PG_REFUSED, NULL);
  if (pg->owner.on_lost)
    pg->owner.on_lost(pg->owner.arg);
}

/* Closes the connection, whatever it was doing. `outcome` is that of the statement under way. */
static void fail(struct pg_async *pg, const char *op, const char *reason, enum pg_outcome outcome) {
  char quoted[300];
  if (!pg->quiet)
    log_warn("pg.lost", "op=%s msg=\"%s\"", op, log_quote(reason, quoted, sizeof(quoted)));
  pg->quiet = true;
  ev_io_stop(pg->loop, &pg->io);
  drop_result(pg);
  PQfinish(pg->conn);
  pg->conn = NULL;
  if (pg->stage == STAGE_AWAY || pg->stage == STAGE_CONNECTING)
    try_another(pg);
  pg->stage = STAGE_AWAY;
  schedule_retry(pg);
  call_back_all(pg, outcome);
}

static void fail_broken(struct pg_async *pg, const char *op) {
  char reason[300];
  snprintf(reason, sizeof(reason), "%s", PQerrorMessage(pg->conn));
  fail(pg, op, reason, PG_UNKNOWN);
}

static void start_tick(struct pg_async *pg) {
  if (!ev_is_active(&pg->tick))
    ev_timer_again(pg->loop, &pg->tick);
}

/* Sends what libpq holds back, and watches for what is to come. */
static bool flush(struct pg_async *pg, const char *op) {
  int unsent = PQflush(pg->conn);
  if (unsent < 0) {
    fail_broken(pg, op);
    return false;
  }
  watch(pg, unsent ? EV_READ | EV_WRITE : EV_READ);
  return true;
}

static void connect_address(struct pg_async *pg, const char *host, int addresses) {
  const char *names[PG_CONNECT_PARAMS], *values[PG_CONNECT_PARAMS];
  char port[8];
  pg_connect_params(pg->config, pg->program, host, pg->address, names, values, port);
  pg->conn = PQconnectStartParams(names, values, 0);
  if (!pg->conn)
    log_oom();
  pg->stage = STAGE_CONNECTING;
  pg->due_ms = clock_monotonic_ms() +
               resolve_share_ms(PG_ASYNC_CONNECT_MS / pg_hosts(pg->config), addresses);
  if (PQstatus(pg->conn) == CONNECTION_BAD) {
    fail_broken(pg, "connect");
    return;
  }
  start_tick(pg);
  watch(pg, EV_WRITE);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int events) {
  struct pg_async *pg = timer->data;
  char host[CONFIG_ITEM_SIZE];
  struct resolved found;
  const char *why;
  pg->address[0] = '\0';
  pg_host(pg->config, pg->host, host);
  switch (resolve_poll(host, &found, &why)) {
  case RESOLVE_FOUND:
    memcpy(pg->address, found.address[0], sizeof(pg->address));
    connect_address(pg, host, found.count);
    break;
  case RESOLVE_PENDING:
    ev_timer_set(&pg->retry, RESOLVE_POLL_S, 0.);
    ev_timer_start(pg->loop, &pg->retry);
    break;
  case RESOLVE_FAILED:
    fail(pg, "connect", why, PG_REFUSED);
    break;
  }
}

static void go_on_connecting(struct pg_async *pg) {
  /* libpq may change the socket when it tries the next address. */
  PostgresPollingStatusType status = PQconnectPoll(pg->conn);
  if (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
    watch(pg, status == PGRES_POLLING_READING ? EV_READ : EV_WRITE);
    return;
  }
  if (status != PGRES_POLLING_OK || PQsetnonblocking(pg->conn, 1) != 0) {
    fail_broken(pg, "connect");
    return;
  }
  pg_quieten(pg->conn);
  pg->stage = STAGE_PREPARING;
  if (!pg_send_setup(pg->conn, pg->config, pg->statements))
    fail_broken(pg, "prepare");
  else
    flush(pg, "prepare");
}

/* --- running statements ----------------------------------------------------------------------- */

static void run_next(struct pg_async *pg) {
  struct pg_statement *statement = pg->current = pg_queue_pop(&pg->waiting);
  if (!statement) {
    if (pg->owner.on_idle)
      pg->owner.on_idle(pg->owner.arg);
    return;
  }
  pg->stage = STAGE_RUNNING;
  if (!pg_send(pg->conn, pg->config, statement->name, statement->count, statement->values))
    fail_broken(pg, statement->name);
  else
    flush(pg, statement->name);
}

static const char *op_of(const struct pg_async *pg) {
  return pg->current ? pg->current->name : "prepare";
}

/* Why a statement or the setup failed. Of another schema the log tells once, whatever it has told
 * already. */
static void explain(struct pg_async *pg, char *reason, size_t size) {
  bool differs = pg_schema_differs(pg->result);
  char schema[PG_SCHEMA_TEXT_SIZE];
  if (differs)
    pg_schema_explain_result(pg->result, schema);
  snprintf(reason, size, "%s", differs ? schema : PQresultErrorMessage(pg->result));
  pg->quiet = pg->quiet && (pg->differs || !differs);
  pg->differs = differs;
}

/* All of the result has come. */
static void finish(struct pg_async *pg) {
  enum pg_outcome outcome = pg_outcome_of(pg->result);
  if (outcome != PG_DONE) {
    char reason[300];
    explain(pg, reason, sizeof(reason));
    fail(pg, op_of(pg), reason, outcome);
    return;
  }
  if (pg->stage == STAGE_PREPARING)
    log_info("pg.ready", "address=%s", pg->address);
  cleanup_pgresult PGresult *result = pg->result;
  struct pg_statement *statement = pg->current;
  pg->result = NULL;
  pg->current = NULL;
  pg->stage = STAGE_IDLE;
  pg->quiet = pg->differs = false;
  pg->backoff_s = backoff_min_s;
  if (statement)
    pg_statement_end(statement, PG_DONE, result);
  run_next(pg);
}

static void read_results(struct pg_async *pg) {
  if (!PQconsumeInput(pg->conn)) {
    fail_broken(pg, "read");
    return;
  }
  if (pg->stage == STAGE_IDLE) { /* nothing was asked: the connection may be at its end */
    if (PQstatus(pg->conn) == CONNECTION_BAD)
      fail_broken(pg, "read");
    return;
  }
  switch (pg_gather(pg->conn, &pg->result)) {
  case PG_GATHER_MORE:
    return;
  case PG_GATHER_DONE:
    finish(pg);
    return;
  case PG_GATHER_BROKEN:
    fail_broken(pg, "read");
    return;
  }
}

static void on_io(struct ev_loop *loop, ev_io *io, int events) {
  struct pg_async *pg = io->data;
  if (pg->stage == STAGE_CONNECTING) {
    go_on_connecting(pg);
    return;
  }
  if ((events & EV_WRITE) && !flush(pg, "write"))
    return;
  if (events & EV_READ)
    read_results(pg);
}

static void on_kick(struct ev_loop *loop, ev_timer *timer, int events) {
  struct pg_async *pg = timer->data;
  if (pg->stage == STAGE_IDLE && pg->waiting.head)
    run_next(pg);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events) {
  struct pg_async *pg = timer->data;
  int64_t now_ms = clock_monotonic_ms();
  bool starting = pg->stage == STAGE_CONNECTING || pg->stage == STAGE_PREPARING;
  if (starting && pg->due_ms <= now_ms)
    fail(pg, "connect", "deadline passed", PG_REFUSED);
  else if (pg->current && pg->current->due_ms <= now_ms)
    fail(pg, pg->current->name, "deadline passed", PG_UNKNOWN);
  pg_queue_expire(&pg->waiting, now_ms);
  if (!starting && !pg->current && !pg->waiting.head)
    ev_timer_stop(loop, timer);
}

/* --- the outside ------------------------------------------------------------------------------ */

static const char *known_name(const struct pg_async *pg, const char *name) {
  for (const char *const *known = pg->statements; *known; known++)
    if (strcmp(*known, name) == 0)
      return *known;
  assert(!"a statement that was not named when the client was made");
}

bool pg_async_exec(struct pg_async *pg, const char *name, int count, const char *const *values,
                   int64_t deadline_ms, pg_async_on_result *on_result, void *arg) {
  if (pg->waiting.count >= pg->queue_max)
    return false;
  struct pg_statement *statement = pg_queue_add(&pg->waiting, known_name(pg, name), count, values);
  statement->due_ms = deadline_ms;
  statement->on_result = on_result;
  statement->arg = arg;
  start_tick(pg);
  ev_timer_start(pg->loop, &pg->kick);
  return true;
}

bool pg_async_is_idle(const struct pg_async *pg) {
  return pg->stage == STAGE_IDLE && !pg->waiting.head;
}

struct pg_async *pg_async_new(struct ev_loop *loop, const struct config *config,
                              const char *program, const char *const *statements, int queue_max,
                              const struct pg_async_owner *owner) {
  struct pg_async *pg = calloc(1, sizeof(*pg));
  if (!pg)
    log_oom();
  pg->loop = loop;
  pg->config = config;
  pg->program = program;
  pg->statements = statements;
  pg->queue_max = queue_max;
  pg->owner = *owner;
  pg->backoff_s = backoff_min_s;
  pg_queue_init(&pg->waiting);
  ev_io_init(&pg->io, on_io, -1, 0);
  ev_timer_init(&pg->retry, on_retry, 0., 0.);
  ev_timer_init(&pg->tick, on_tick, 0., tick_s);
  ev_timer_init(&pg->kick, on_kick, 0., 0.);
  pg->io.data = pg->retry.data = pg->tick.data = pg->kick.data = pg;
  ev_timer_start(loop, &pg->retry);
  return pg;
}

void pg_async_free(struct pg_async *pg) {
  if (!pg)
    return;
  ev_io_stop(pg->loop, &pg->io);
  ev_timer_stop(pg->loop, &pg->retry);
  ev_timer_stop(pg->loop, &pg->tick);
  ev_timer_stop(pg->loop, &pg->kick);
  PQclear(pg->result);
  PQfinish(pg->conn);
  free(pg->current);
  pg_queue_done(&pg->waiting);
  free(pg);
}
