/* common/pg/async.c, before a server that speaks as much of PostgreSQL's protocol as it needs, and
 * hangs, refuses and goes away. */

#include "tests/unit/fake.h"
#include "tests/unit/loop.h"
#include "tests/unit/test.h"

#include "common/pg/async.h"
#include "common/pg/queue.h"

#include <endian.h>

enum { QUEUE_MAX = 4, SOON_MS = 200, LATER_MS = 20000 };
static const char *const statements[] = {"calls_state", "metrics_sum", NULL};
static struct ev_loop *loop;
static struct fake server;
static struct pg_async *client;

/* --- the server ------------------------------------------------------------------------------- */

/* What the server does with the n-th statement, a letter each: `.` returns its first parameter, `e`
 * is an error reply, `h` hangs, `x` ends the connection. After the last letter all is `.`. */
static const char *plan;
static bool hangs_at_once, ends_when_idle;

static void say(int fd, char type, const void *body, size_t len) {
  char message[1 + 4 + 1000];
  uint32_t size = htobe32((uint32_t)len + 4);
  message[0] = type;
  memcpy(message + 1, &size, sizeof(size));
  memcpy(message + 5, body, len);
  fake_send(fd, message, 5 + len);
}

static bool read_all(int fd, void *out, size_t len) {
  for (ssize_t got; len; out = (char *)out + got, len -= (size_t)got)
    if ((got = read(fd, out, len)) <= 0)
      return false;
  return true;
}

/* A message's body; its length, or -1 at the end. */
static int hear(int fd, char *body, size_t size) {
  uint32_t len;
  if (!read_all(fd, &len, sizeof(len)) || be32toh(len) - 4 >= size)
    return -1;
  len = be32toh(len) - 4;
  return read_all(fd, body, len) ? (int)len : -1;
}

/* One column of type text. */
static void describe(int fd) {
  static const char columns[] =
      "\0\1"
      "v\0"
      "\0\0\0\0"
      "\0\0"
      "\0\0\0\x19"
      "\xff\xff"
      "\xff\xff\xff\xff"
      "\0\1";
  say(fd, 'T', columns, sizeof(columns) - 1);
}

/* Portal, name, no formats, the number of parameters, then the length and the text of each. */
static const char *first_parameter(const char *bind, const char **name, uint32_t *len) {
  uint16_t count;
  *name = bind + strlen(bind) + 1;
  const char *at = *name + strlen(*name) + 1 + 2;
  memcpy(&count, at, sizeof(count));
  memcpy(len, at + 2, count ? sizeof(*len) : 0);
  *len = count ? be32toh(*len) : 0;
  return at + 2 + 4;
}

static void return_row(int fd, const char *text, uint32_t len) {
  char row[2 + 4 + 100] = "\0\1";
  uint32_t size = htobe32(len);
  memcpy(row + 2, &size, sizeof(size));
  if (len != UINT32_MAX)
    memcpy(row + 6, text, len);
  say(fd, 'D', row, 6 + (len == UINT32_MAX ? 0 : len));
}

/* False: nothing more is said. */
static bool run(int fd, const char *text, uint32_t len) {
  static const char error[] = "SERROR\0C42501\0Mpermission denied\0";
  switch (*plan ? *plan++ : '.') {
  case 'e':
    say(fd, 'E', error, sizeof(error));
    return true;
  case 'h':
    return false;
  case 'x':
    shutdown(fd, SHUT_RDWR);
    return false;
  }
  return_row(fd, text, len);
  say(fd, 'C', "SELECT 1", 9);
  return true;
}

static void serve(int fd) {
  char body[65536], bound[1000], type;
  const char *name = "", *text = "";
  uint32_t len = 0;
  bool talks = !hangs_at_once, failed = false;
  if (hear(fd, body, sizeof(body)) < 0)
    return;
  if (talks) {
    say(fd, 'R', "\0\0\0\0", 4);
    say(fd, 'Z', "I", 1);
  }
  while (read_all(fd, &type, 1) && hear(fd, body, sizeof(body)) >= 0) {
    if (type == 'B')
      text = first_parameter(memcpy(bound, body, sizeof(bound)), &name, &len);
    if (!talks || (failed && type != 'S'))
      continue;
    if (type == 'P')
      say(fd, '1', "", 0);
    else if (type == 'B')
      say(fd, '2', "", 0);
    else if (type == 'D')
      describe(fd);
    else if (type == 'E' && !*name)
      say(fd, 'C', "SELECT 0", 9);
    else if (type == 'E')
      failed = *plan == 'e', talks = run(fd, text, len);
    else if (type == 'S')
      failed = false, say(fd, 'Z', "I", 1);
    if (type == 'S' && ends_when_idle)
      shutdown(fd, SHUT_RDWR);
  }
}

/* --- the owner -------------------------------------------------------------------------------- */

static int idle, lost;
static char results[100]; /* a word each: what came, or `refused`, `unknown` */

static void note(const char *word) {
  size_t len = strlen(results);
  snprintf(results + len, sizeof(results) - len, "%s%s", len ? " " : "", word);
}

static void on_result(void *arg, enum pg_outcome outcome, const PGresult *result) {
  switch (outcome) {
  case PG_DONE:
    note(PQgetisnull(result, 0, 0) ? "null" : PQgetvalue(result, 0, 0));
    break;
  case PG_REFUSED:
    note("refused");
    CHECK(!result);
    break;
  case PG_UNKNOWN:
    note("unknown");
    CHECK(!result);
    break;
  }
}

static bool ask(const char *value, int within_ms) {
  char text[20];
  snprintf(text, sizeof(text), "%s", value ? value : "");
  const char *const values[] = {value ? text : NULL};
  return pg_async_exec(client, "calls_state", 1, values, clock_monotonic_ms() + within_ms,
                       on_result, NULL);
}

static void on_idle(void *arg) {
  idle++;
}

static void on_lost(void *arg) {
  lost++;
}

static bool is_idle(void) {
  return idle > 0;
}

static bool is_lost(void) {
  return lost > 0;
}

static bool has_failed_four_times(void) {
  return lost >= 4;
}

static bool has_a_result(void) {
  return *results != '\0';
}

static void start_client(void) {
  static const struct pg_async_owner owner = {.on_idle = on_idle, .on_lost = on_lost};
  static struct config config;
  config = (struct config){.postgres_host = server.folder,
                           .resolved_postgres_host = server.folder,
                           .postgres_port = 5432,
                           .postgres_db = "db",
                           .postgres_user = "user",
                           .postgres_password = "",
                           .postgres_pool_mode = "session"};
  idle = lost = 0;
  results[0] = '\0';
  client = pg_async_new(loop, &config, "test", statements, QUEUE_MAX, &owner);
}

static void start(const char *its_plan) {
  plan = its_plan;
  fake_start(&server, serve);
  start_client();
}

static void stop(void) {
  pg_async_free(client);
  fake_stop(&server);
  hangs_at_once = ends_when_idle = false;
}

/* --- the tests -------------------------------------------------------------------------------- */

static void test_one_after_the_other(void) {
  start("");
  CHECK(!pg_async_is_idle(client));
  CHECK(ask("a", LATER_MS) && ask("b", LATER_MS) && ask(NULL, LATER_MS) && ask("", LATER_MS));
  loop_run_until(loop, is_idle);
  CHECK_STR(results, "a b null ");
  CHECK(pg_async_is_idle(client));
  CHECK_INT(lost, 0);
  CHECK_INT(idle, 1);
  stop();
}

static void ask_once_more(void *arg, enum pg_outcome outcome, const PGresult *result) {
  on_result(arg, outcome, result);
  CHECK(ask("again", LATER_MS));
}

static void test_asked_by_a_callback(void) {
  const char *const values[] = {"a"};
  start("");
  loop_run_until(loop, is_idle);
  idle = 0;
  CHECK(pg_async_exec(client, "metrics_sum", 1, values, clock_monotonic_ms() + LATER_MS,
                      ask_once_more, NULL));
  CHECK(!pg_async_is_idle(client));
  CHECK_STR(results, ""); /* nothing is called from within */
  loop_run_until(loop, is_idle);
  CHECK_STR(results, "a again");
  stop();
}

static void test_queue_is_full(void) {
  start_client(); /* nobody listens */
  for (int i = 0; i < QUEUE_MAX; i++)
    CHECK(ask("a", LATER_MS));
  CHECK(!ask("a", LATER_MS));
  loop_run_until(loop, is_lost);
  CHECK_STR(results, "refused refused refused refused");
  CHECK(ask("a", LATER_MS));
  pg_async_free(client);
  CHECK_STR(results, "refused refused refused refused");
}

static void test_backs_off(void) {
  start_client();                                           /* nobody listens */
  CHECK(loop_run_until(loop, has_failed_four_times) > 600); /* 0.1, 0.2 and 0.4 s */
  CHECK_INT(idle, 0);
  pg_async_free(client);
}

static void test_server_is_silent(void) {
  hangs_at_once = true;
  start("");
  CHECK(ask("a", SOON_MS));
  CHECK(loop_run_until(loop, has_a_result) >= SOON_MS);
  CHECK_STR(results, "refused"); /* it was never sent */
  CHECK_INT(lost, 0);
  CHECK(ask("b", LATER_MS));
  loop_run_until(loop, is_lost);
  CHECK_STR(results, "refused refused");
  stop();
}

static void test_statement_hangs(void) {
  start("h");
  CHECK(ask("a", SOON_MS) && ask("b", LATER_MS));
  CHECK(loop_run_until(loop, is_lost) >= SOON_MS);
  CHECK_STR(results, "unknown refused");
  CHECK(!pg_async_is_idle(client));
  stop();
}

static void test_waiting_statement_expires(void) {
  start("h");
  CHECK(ask("a", LATER_MS) && ask("b", SOON_MS) && ask("c", LATER_MS));
  loop_run_until(loop, has_a_result);
  CHECK_STR(results, "refused");
  CHECK_INT(lost, 0);
  stop();
  CHECK_STR(results, "refused");
}

/* What the callback of a statement that expires queues runs after those that waited before it. */
static void queue_another(void *arg, enum pg_outcome outcome, const PGresult *result) {
  CHECK_INT(outcome, PG_REFUSED);
  pg_queue_add(arg, "another", 0, NULL)->due_ms = 9;
}

static void test_expiry_keeps_the_order(void) {
  static const char *const names[] = {"late", "early", "late", "early"};
  struct pg_queue queue;
  pg_queue_init(&queue);
  for (size_t i = 0; i < ARRAY_LEN(names); i++) {
    struct pg_statement *statement = pg_queue_add(&queue, names[i], 0, NULL);
    statement->due_ms = strcmp(names[i], "late") == 0 ? 5 : 6;
    statement->on_result = queue_another;
    statement->arg = &queue;
  }
  pg_queue_expire(&queue, 5);
  static const char *const left[] = {"early", "early", "another", "another"};
  CHECK_INT(queue.count, ARRAY_LEN(left));
  for (size_t i = 0; i < ARRAY_LEN(left); i++) {
    struct pg_statement *statement = pg_queue_pop(&queue);
    CHECK_STR(statement->name, left[i]);
    free(statement);
  }
  CHECK(!queue.head);
}

static void test_connection_is_cut(void) {
  start(".x");
  CHECK(ask("a", LATER_MS) && ask("b", LATER_MS) && ask("c", LATER_MS));
  loop_run_until(loop, is_lost);
  CHECK_STR(results, "a unknown refused");
  stop();
}

static void test_error_reply(void) {
  start("e");
  CHECK(ask("a", LATER_MS) && ask("b", LATER_MS));
  loop_run_until(loop, is_lost);
  CHECK_STR(results, "refused refused");
  loop_run_until(loop, is_idle);
  stop();
}

static void test_comes_back(void) {
  start("x");
  CHECK(ask("a", LATER_MS));
  loop_run_until(loop, is_lost);
  CHECK(ask("b", LATER_MS));
  loop_run_until(loop, is_idle);
  CHECK_STR(results, "unknown b");
  CHECK_INT(lost, 1);
  stop();
}

static void test_cut_while_idle(void) {
  ends_when_idle = true;
  start("");
  loop_run_until(loop, is_lost);
  CHECK_INT(idle, 1);
  stop();
}

int main(void) {
  loop = ev_default_loop(0);
  signal(SIGPIPE, SIG_IGN);
  fake_init(&server, ".s.PGSQL.5432");
  RUN(test_one_after_the_other);
  RUN(test_asked_by_a_callback);
  RUN(test_queue_is_full);
  RUN(test_backs_off);
  RUN(test_server_is_silent);
  RUN(test_statement_hangs);
  RUN(test_waiting_statement_expires);
  RUN(test_expiry_keeps_the_order);
  RUN(test_connection_is_cut);
  RUN(test_error_reply);
  RUN(test_comes_back);
  RUN(test_cut_while_idle);
  fake_done(&server);
  ev_loop_destroy(loop);
  return test_done();
}
