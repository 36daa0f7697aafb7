/* Lookups in PostgreSQL, batched: the ids of one statement, and which row is whose. */

#include "wsd/database.h"

#include "calls/row.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/pg/async.h"

#include <stdlib.h>
#include <string.h>

static const char statement[] = "calls_state";
static const char *const statements[] = {statement, NULL};
static const double tick_s = 0.1;

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

struct database {
  struct ev_loop *loop;
  struct pg_async *pg;
  struct lookup_owner owner;
  ev_timer tick; /* looks at deadlines, while any question waits */
  ev_timer kick; /* asks, in the loop's next turn, for all that came in this one */
  struct questions waiting, asked; /* asked: in the statement under way */
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

static void report(struct database *database, struct question *question,
                   enum lookup_outcome outcome, const struct call *call) {
  const struct lookup_result result = {
      .id = question->id, .ticket = question->ticket, .outcome = outcome, .call = call};
  database->owner.on_result(database->owner.arg, &result);
  free(question);
}

/* Reports to as many as there are now; questions that the reports bring along stay. */
static void report_all(struct database *database, struct questions *list,
                       enum lookup_outcome outcome) {
  for (int left = list->count; left > 0; left--)
    report(database, pop(list), outcome, NULL);
}

/* --- results ---------------------------------------------------------------------------------- */

/* Reports to all questions for that call; the same id may have been asked for twice. */
static void report_row(struct database *database, const struct call *call) {
  struct questions rest, found;
  struct question *question;
  questions_init(&rest);
  questions_init(&found);
  while ((question = pop(&database->asked)))
    push(memcmp(question->id, call->id, ID_SIZE) == 0 ? &found : &rest, question);
  while ((question = pop(&rest)))
    push(&database->asked, question);
  while ((question = pop(&found)))
    report(database, question, LOOKUP_FOUND, call);
}

/* False when there was a row that this version cannot read. */
static bool take_rows(struct database *database, const PGresult *result) {
  bool all_read = true;
  for (int row = 0; row < PQntuples(result); row++) {
    struct call call;
    if (row_read(result, row, &call)) {
      report_row(database, &call);
    } else {
      all_read = false;
      log_error("row.unreadable", "msg=\"a row of calls that this version cannot read\"");
    }
  }
  return all_read;
}

/* A question without a row was for an unknown call, unless its row may be the unreadable one. */
static void on_result(void *arg, enum pg_outcome outcome, const PGresult *result) {
  struct database *database = arg;
  bool complete = outcome == PG_DONE && take_rows(database, result);
  report_all(database, &database->asked, complete ? LOOKUP_UNKNOWN : LOOKUP_UNAVAILABLE);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void ask(struct database *database) {
  cleanup_buf struct buf list = {0};
  struct questions *asked = &database->asked;
  while (database->waiting.head && asked->count < DATABASE_BATCH_MAX) {
    struct question *question = pop(&database->waiting);
    buf_chr(&list, asked->count ? ',' : '{');
    buf_str(&list, question->id);
    push(asked, question);
  }
  if (!asked->head)
    return;
  buf_chr(&list, '}');
  const char *const values[] = {list.data};
  if (!pg_async_exec(database->pg, statement, 1, values, asked->head->due_ms, on_result, database))
    report_all(database, asked, LOOKUP_UNAVAILABLE);
}

static void on_idle(void *arg) {
  ask(arg);
}

/* A client prefers a quick 503 to waiting for a database that has just failed. */
static void on_lost(void *arg) {
  struct database *database = arg;
  report_all(database, &database->waiting, LOOKUP_UNAVAILABLE);
}

static void on_kick(struct ev_loop *loop, ev_timer *timer, int events) {
  struct database *database = timer->data;
  if (pg_async_is_idle(database->pg))
    ask(database);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events) {
  struct database *database = timer->data;
  int64_t now_ms = clock_monotonic_ms();
  while (database->waiting.head && database->waiting.head->due_ms <= now_ms)
    report(database, pop(&database->waiting), LOOKUP_UNAVAILABLE, NULL);
  if (!database->waiting.head)
    ev_timer_stop(loop, timer);
}

bool database_look_up(struct database *database, const char *id, uint32_t ticket) {
  if (database->waiting.count >= DATABASE_QUEUE_MAX)
    return false;
  struct question *question = malloc(sizeof(*question));
  if (!question)
    log_oom();
  question->ticket = ticket;
  question->due_ms = clock_monotonic_ms() + DATABASE_DEADLINE_MS;
  memcpy(question->id, id, ID_SIZE);
  push(&database->waiting, question);
  if (!ev_is_active(&database->tick))
    ev_timer_again(database->loop, &database->tick);
  ev_timer_start(database->loop, &database->kick);
  return true;
}

/* --- life ------------------------------------------------------------------------------------- */

struct database *database_new(struct ev_loop *loop, const struct config *config,
                              struct lookup_owner owner) {
  struct database *database = calloc(1, sizeof(*database));
  if (!database)
    log_oom();
  database->loop = loop;
  database->owner = owner;
  questions_init(&database->waiting);
  questions_init(&database->asked);
  ev_timer_init(&database->tick, on_tick, 0., tick_s);
  ev_timer_init(&database->kick, on_kick, 0., 0.);
  database->tick.data = database->kick.data = database;
  const struct pg_async_owner pg_owner = {on_idle, on_lost, database};
  database->pg = pg_async_new(loop, config, "mcs-wsd", statements, 1, &pg_owner);
  return database;
}

void database_free(struct database *database) {
  pg_async_free(database->pg);
  ev_timer_stop(database->loop, &database->tick);
  ev_timer_stop(database->loop, &database->kick);
  struct question *question;
  while ((question = pop(&database->asked)) || (question = pop(&database->waiting)))
    free(question);
  free(database);
}
