/* The record behind Redis, over one asynchronous libpq connection. */

#include "wsd/cold.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/pg.h"
#include "calls/row.h"
#include "common/resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char statement[] = "calls_state";
static const char *const statements[] = {statement, NULL};
static const double backoff_min_s = 0.1, backoff_max_s = 1, tick_s = 0.1;
enum { CONNECT_MS = 2000 };

struct question {
  struct question *next;
  int64_t due_ms;
  uint32_t ticket;
  char id[ID_SIZE];
};

/* In the order of asking, which is that of the deadlines. */
struct questions {
  struct question *head, **tail;
  int count;
};

enum stage {
  STAGE_AWAY,       /* no connection; the backoff timer runs, or its name is being resolved */
  STAGE_CONNECTING, /* libpq's handshake */
  STAGE_PREPARING,
  STAGE_IDLE,
  STAGE_ASKING, /* `asked` are in the statement under way */
};

struct cold {
  struct ev_loop *loop;
  const struct config *config;
  struct lookup_owner owner;
  int host;                       /* the one that is connected, or to be tried next */
  char address[CONFIG_ITEM_SIZE]; /* that of it; "" while it is not known */
  PGconn *conn;                   /* NULL exactly while away */
  PGresult *result;               /* what has come of the one under way */
  enum stage stage;
  bool quiet;      /* the failure was logged already, and nothing worked since */
  bool row_unread; /* the result had a row that row_read() refused */
  int64_t due_ms;  /* of connecting and preparing */
  double backoff_s;
  ev_io io;
  ev_timer retry; /* the next try to connect */
  ev_timer tick;  /* looks at deadlines, while there are any */
  ev_timer kick;  /* asks, in the loop's next turn, for all that came in this one */
  struct questions waiting, asked;
};

/* --- questions -------------------------------------------------------------------------------- */

static void questions_init(struct questions *list) {
  *list = (struct questions){.tail = &list->head};
}

static void push(struct questions *list, struct question *question) {
  question->next = NULL;
  *list->tail = question;
  list->tail = &question->next;
  list->count++;
}

static struct question *pop(struct questions *list) {
  struct question *question = list->head;
  if (!question)
    return NULL;
  list->head = question->next;
  if (!list->head)
    list->tail = &list->head;
  list->count--;
  return question;
}

static void report(struct cold *cold, struct question *question, enum lookup_outcome outcome,
                   const struct call *call) {
  const struct lookup_result result = {
      .id = question->id, .ticket = question->ticket, .outcome = outcome, .call = call};
  cold->owner.on_result(cold->owner.arg, &result);
  free(question);
}

/* Answers as many as there are now; what the answers bring along stays. */
static void report_all(struct cold *cold, struct questions *list, enum lookup_outcome outcome) {
  for (int left = list->count; left > 0; left--)
    report(cold, pop(list), outcome, NULL);
}

/* --- the connection --------------------------------------------------------------------------- */

static void watch(struct cold *cold, int events) {
  ev_io_stop(cold->loop, &cold->io);
  ev_io_set(&cold->io, PQsocket(cold->conn), events);
  ev_io_start(cold->loop, &cold->io);
}

static void drop_result(struct cold *cold) {
  PQclear(cold->result);
  cold->result = NULL;
}

/* The host's other addresses first, when it is this one's turn again. */
static void try_another(struct cold *cold) {
  char host[CONFIG_ITEM_SIZE];
  pg_host(cold->config, cold->host, host);
  resolve_avoid(host, cold->address);
  cold->host = (cold->host + 1) % pg_hosts(cold->config);
}

/* Closes the connection, whatever it was doing, and answers everybody: a client rather hears a
 * quick 503 than waits for a database that has just failed. */
static void fail(struct cold *cold, const char *op, const char *reason) {
  char quoted[300];
  if (!cold->quiet)
    log_warn("pg.lost", "op=%s msg=\"%s\"", op, log_quote(reason, quoted, sizeof(quoted)));
  cold->quiet = true;
  ev_io_stop(cold->loop, &cold->io);
  drop_result(cold);
  PQfinish(cold->conn);
  cold->conn = NULL;
  if (cold->stage == STAGE_AWAY || cold->stage == STAGE_CONNECTING)
    try_another(cold);
  cold->stage = STAGE_AWAY;
  ev_timer_stop(cold->loop, &cold->retry);
  ev_timer_set(&cold->retry, cold->backoff_s, 0.);
  ev_timer_start(cold->loop, &cold->retry);
  cold->backoff_s = cold->backoff_s * 2 < backoff_max_s ? cold->backoff_s * 2 : backoff_max_s;
  report_all(cold, &cold->asked, LOOKUP_UNAVAILABLE);
  report_all(cold, &cold->waiting, LOOKUP_UNAVAILABLE);
}

static void fail_pg(struct cold *cold, const char *op) {
  char reason[300];
  snprintf(reason, sizeof(reason), "%s", PQerrorMessage(cold->conn));
  fail(cold, op, reason);
}

static void start_tick(struct cold *cold) {
  if (!ev_is_active(&cold->tick))
    ev_timer_again(cold->loop, &cold->tick);
}

/* Sends what libpq holds back, and watches for what is to come. */
static bool flush(struct cold *cold, const char *op) {
  int unsent = PQflush(cold->conn);
  if (unsent < 0) {
    fail_pg(cold, op);
    return false;
  }
  watch(cold, unsent ? EV_READ | EV_WRITE : EV_READ);
  return true;
}

static void connect_address(struct cold *cold, const char *host, int addresses) {
  const char *names[PG_CONNECT_PARAMS], *values[PG_CONNECT_PARAMS];
  char port[8];
  pg_connect_params(cold->config, "mcs-wsd", host, cold->address, names, values, port);
  cold->conn = PQconnectStartParams(names, values, 0);
  if (!cold->conn)
    log_oom();
  cold->stage = STAGE_CONNECTING;
  cold->due_ms =
      clock_monotonic_ms() + resolve_share_ms(CONNECT_MS / pg_hosts(cold->config), addresses);
  if (PQstatus(cold->conn) == CONNECTION_BAD) {
    fail_pg(cold, "connect");
    return;
  }
  start_tick(cold);
  watch(cold, EV_WRITE);
}

static void connect_cold(struct cold *cold) {
  char host[CONFIG_ITEM_SIZE];
  struct resolved found;
  const char *why;
  cold->address[0] = '\0';
  pg_host(cold->config, cold->host, host);
  switch (resolve_poll(host, &found, &why)) {
  case RESOLVE_FOUND:
    memcpy(cold->address, found.address[0], sizeof(cold->address));
    connect_address(cold, host, found.count);
    break;
  case RESOLVE_PENDING:
    ev_timer_set(&cold->retry, RESOLVE_POLL_S, 0.);
    ev_timer_start(cold->loop, &cold->retry);
    break;
  case RESOLVE_FAILED:
    fail(cold, "connect", why);
    break;
  }
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int events) {
  connect_cold(timer->data);
}

static void go_on_connecting(struct cold *cold) {
  /* libpq may change the socket when it tries the next address. */
  PostgresPollingStatusType status = PQconnectPoll(cold->conn);
  if (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
    watch(cold, status == PGRES_POLLING_READING ? EV_READ : EV_WRITE);
    return;
  }
  if (status != PGRES_POLLING_OK || PQsetnonblocking(cold->conn, 1) != 0) {
    fail_pg(cold, "connect");
    return;
  }
  pg_quieten(cold->conn);
  cold->stage = STAGE_PREPARING;
  if (!pg_send_setup(cold->conn, cold->config, statements))
    fail_pg(cold, "prepare");
  else
    flush(cold, "prepare");
}

/* --- asking ----------------------------------------------------------------------------------- */

static void ask_next(struct cold *cold) {
  cleanup_buf struct buf list = {0};
  while (cold->waiting.head && cold->asked.count < COLD_BATCH_MAX) {
    struct question *question = pop(&cold->waiting);
    buf_chr(&list, cold->asked.count ? ',' : '{');
    buf_str(&list, question->id);
    push(&cold->asked, question);
  }
  if (!cold->asked.count)
    return;
  buf_chr(&list, '}');
  const char *const values[] = {list.data};
  cold->stage = STAGE_ASKING;
  cold->row_unread = false;
  if (!pg_send(cold->conn, cold->config, statement, 1, values))
    fail_pg(cold, "ask");
  else
    flush(cold, "ask");
}

/* Answers all questions for that call; the same id may have been asked for twice. */
static void report_row(struct cold *cold, const struct call *call) {
  struct questions rest, found;
  struct question *question;
  questions_init(&rest);
  questions_init(&found);
  while ((question = pop(&cold->asked)))
    push(memcmp(question->id, call->id, ID_SIZE) == 0 ? &found : &rest, question);
  while ((question = pop(&rest)))
    push(&cold->asked, question);
  while ((question = pop(&found)))
    report(cold, question, LOOKUP_FOUND, call);
}

static void take_rows(struct cold *cold, const PGresult *result) {
  for (int row = 0; row < PQntuples(result); row++) {
    struct call call;
    if (row_read(result, row, &call)) {
      report_row(cold, &call);
    } else {
      cold->row_unread = true;
      log_error("row.unreadable", "msg=\"a row of calls that this version cannot read\"");
    }
  }
}

/* All has come: whoever got no row asked for something unknown. */
static void finish(struct cold *cold) {
  if (PQresultStatus(cold->result) != PGRES_TUPLES_OK) {
    char reason[300];
    snprintf(reason, sizeof(reason), "%s", PQresultErrorMessage(cold->result));
    fail(cold, cold->stage == STAGE_PREPARING ? "prepare" : "ask", reason);
    return;
  }
  if (cold->stage == STAGE_PREPARING)
    log_info("pg.ready", "statement=%s", statement);
  else
    take_rows(cold, cold->result);
  drop_result(cold);
  cold->stage = STAGE_IDLE;
  cold->quiet = false;
  cold->backoff_s = backoff_min_s;
  report_all(cold, &cold->asked, cold->row_unread ? LOOKUP_UNAVAILABLE : LOOKUP_UNKNOWN);
  ask_next(cold);
}

static void read_results(struct cold *cold) {
  if (!PQconsumeInput(cold->conn)) {
    fail_pg(cold, "read");
    return;
  }
  if (cold->stage == STAGE_IDLE) { /* nothing was asked: the connection may be at its end */
    if (PQstatus(cold->conn) == CONNECTION_BAD)
      fail_pg(cold, "read");
    return;
  }
  switch (pg_gather(cold->conn, &cold->result)) {
  case PG_GATHER_MORE:
    return;
  case PG_GATHER_DONE:
    finish(cold);
    return;
  case PG_GATHER_BROKEN:
    fail_pg(cold, "read");
    return;
  }
}

static void on_kick(struct ev_loop *loop, ev_timer *timer, int events) {
  struct cold *cold = timer->data;
  if (cold->stage == STAGE_IDLE)
    ask_next(cold);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events) {
  struct cold *cold = io->data;
  if (cold->stage == STAGE_CONNECTING) {
    go_on_connecting(cold);
    return;
  }
  if ((events & EV_WRITE) && !flush(cold, "write"))
    return;
  if (events & EV_READ)
    read_results(cold);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events) {
  struct cold *cold = timer->data;
  int64_t now = clock_monotonic_ms();
  bool starting = cold->stage == STAGE_CONNECTING || cold->stage == STAGE_PREPARING;
  if (starting && cold->due_ms <= now)
    fail(cold, "connect", "deadline passed");
  else if (cold->asked.head && cold->asked.head->due_ms <= now)
    fail(cold, "ask", "deadline passed");
  while (cold->waiting.head && cold->waiting.head->due_ms <= now)
    report(cold, pop(&cold->waiting), LOOKUP_UNAVAILABLE, NULL);
  if (!starting && !cold->asked.head && !cold->waiting.head)
    ev_timer_stop(loop, timer);
}

/* --- the outside ------------------------------------------------------------------------------ */

bool cold_ask(struct cold *cold, const char *id, uint32_t ticket) {
  if (cold->waiting.count >= COLD_QUEUE_MAX)
    return false;
  struct question *question = malloc(sizeof(*question));
  if (!question)
    log_oom();
  question->ticket = ticket;
  question->due_ms = clock_monotonic_ms() + COLD_DEADLINE_MS;
  memcpy(question->id, id, ID_SIZE);
  push(&cold->waiting, question);
  start_tick(cold);
  ev_timer_start(cold->loop, &cold->kick);
  return true;
}

struct cold *cold_new(struct ev_loop *loop, const struct config *config,
                      struct lookup_owner owner) {
  struct cold *cold = calloc(1, sizeof(*cold));
  if (!cold)
    log_oom();
  cold->loop = loop;
  cold->config = config;
  cold->owner = owner;
  cold->backoff_s = backoff_min_s;
  questions_init(&cold->waiting);
  questions_init(&cold->asked);
  ev_io_init(&cold->io, on_io, -1, 0);
  ev_timer_init(&cold->retry, on_retry, 0., 0.);
  ev_timer_init(&cold->tick, on_tick, 0., tick_s);
  ev_timer_init(&cold->kick, on_kick, 0., 0.);
  cold->io.data = cold->retry.data = cold->tick.data = cold->kick.data = cold;
  ev_timer_start(loop, &cold->retry);
  return cold;
}

void cold_free(struct cold *cold) {
  ev_io_stop(cold->loop, &cold->io);
  ev_timer_stop(cold->loop, &cold->retry);
  ev_timer_stop(cold->loop, &cold->tick);
  ev_timer_stop(cold->loop, &cold->kick);
  PQclear(cold->result);
  PQfinish(cold->conn);
  struct question *question;
  while ((question = pop(&cold->asked)) || (question = pop(&cold->waiting)))
    free(question);
  free(cold);
}
