/* worker/reconcile.c: the steps of a rebuild, each of which may fail, and the pages of a walk. */

#include "worker/reconcile.h"

#include "tests/unit/fake_stores.h"
#include "tests/unit/test.h"

enum { WINDOW_MS = 1050 };

/* What the databases say. */
static struct {
  bool lock_taken, lock_lost, begin_fails, recent, rival;
  int64_t epoch, epoch_then; /* as begun; as it is at the end */
  int open;                  /* rows */
  int too_slow_above;        /* a page of more rows than that runs into the server's time-out */
  bool token_gone;
} given;

/* What was done, in order: a letter a step. */
static char steps[64];
static int pages, largest_page;

static void step(char letter) {
  size_t len = strlen(steps);
  if (len + 1 < sizeof(steps))
    steps[len] = letter;
}

/* A page of calls_open.sql: a call's columns, whether the row is wanted, how many rows it has. */
static PGresult *open_rows(int rows) {
  enum { WANTED = ROW_COLUMNS, COLUMNS = ROW_COLUMNS + 2 };
  PGresAttDesc columns[COLUMNS];
  char wanted = 1, number[8] = {0, 0, 0, 0, 0, 0, (char)(rows >> 8), (char)rows};
  for (int i = 0; i < COLUMNS; i++)
    columns[i] = (PGresAttDesc){.name = (char *)"column", .format = 1, .typlen = -1};
  PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
  CHECK(PQsetResultAttrs(r, COLUMNS, columns));
  for (int row = 0; row < rows; row++)
    for (int i = 0; i < COLUMNS; i++)
      CHECK(i < WANTED
                ? PQsetvalue(r, row, i, NULL, -1)
                : PQsetvalue(r, row, i, i == WANTED ? &wanted : number, i == WANTED ? 1 : 8));
  return r;
}

static enum pg_outcome read_page(const char *const *values, PGresult **r) {
  int max = atoi(values[1]), rows = given.open < max ? given.open : max;
  pages++;
  if (max > largest_page)
    largest_page = max;
  if (rows > given.too_slow_above) {
    fake.sqlstate = "57014";
    return PG_REFUSED;
  }
  given.open -= rows;
  *r = open_rows(rows);
  return PG_DONE;
}

static enum pg_outcome exec(const char *name, const char *const *values, PGresult **r) {
  if (strcmp(name, "rebuild_lock") == 0) {
    *r = fake_bool(given.lock_taken);
  } else if (strcmp(name, "live_state_begin") == 0) {
    step('b');
    if (given.begin_fails)
      return PG_REFUSED;
    *r = fake_bigint(given.epoch);
  } else if (strcmp(name, "calls_recent") == 0) {
    *r = fake_bool(given.recent);
  } else if (strcmp(name, "ping") == 0) {
    *r = fake_bigint(given.epoch_then);
  } else if (strcmp(name, "calls_open") == 0) {
    return read_page(values, r);
  } else {
    CHECK_STR(name, "a statement of the rebuild");
  }
  return *r ? PG_DONE : PG_REFUSED;
}

enum pg_outcome __wrap_pg_exec_open(struct pg *pg, const char *statement, int count,
                                    const char *const *values, int64_t deadline_ms,
                                    PGresult **result);
enum pg_outcome __wrap_pg_exec_open(struct pg *pg, const char *statement, int count,
                                    const char *const *values, int64_t deadline_ms,
                                    PGresult **result) {
  *result = given.lock_lost ? NULL : fake_bool(true);
  return *result ? PG_DONE : PG_UNKNOWN;
}

bool __wrap_live_rebuild_begin(struct redis *redis, const char *token);
bool __wrap_live_rebuild_begin(struct redis *redis, const char *token) {
  step('t');
  return !fake.redis_away;
}

bool __wrap_live_rebuild_end(struct redis *redis, const char *token, int64_t epoch);
bool __wrap_live_rebuild_end(struct redis *redis, const char *token, int64_t epoch) {
  CHECK_INT(epoch, given.epoch);
  step('m');
  return !given.token_gone;
}

bool __wrap_rival_is_there(struct worker *w);
bool __wrap_rival_is_there(struct worker *w) {
  return given.rival;
}

void __wrap_rival_give_way(struct worker *w);
void __wrap_rival_give_way(struct worker *w) {
  step('g');
}

void __wrap_rival_warn_off(struct worker *w);
void __wrap_rival_warn_off(struct worker *w) {
  step('w');
}

static void begin(void) {
  fake_reset();
  memset(&given, 0, sizeof(given));
  memset(steps, 0, sizeof(steps));
  given.lock_taken = true;
  given.epoch = given.epoch_then = 7;
  given.too_slow_above = INT32_MAX;
  pages = largest_page = 0;
  fake.exec = exec;
  for (int i = 0; i < FAKE_ROWS; i++)
    fake.rows[i] = (struct call){.seq = 1};
}

/* --- the steps
 * ---------------------------------------------------------------------------------------- */

/* Token, epoch, marker; and only then the lock is for a rival. */
static void test_a_rebuild(void) {
  struct worker w = {0};
  begin();
  given.open = 20;
  CHECK(reconcile_run(&w));
  CHECK_STR(steps, "gtbmw");
  CHECK_INT(fake.queued_count, 20);
  CHECK_INT(fake.disconnects, 1); /* the lock's connection */
}

static void test_what_ends_a_rebuild(void) {
  static const struct {
    const char *what;
    bool *given;
    const char *steps;
  } rows[] = {
      {"the barrier fails", &given.begin_fails, "gtb"},
      {"the lock is lost", &given.lock_lost, "g"},
      {"the token is gone", &given.token_gone, "gtbm"},
      {"there is a rival", &given.rival, "g"},
      {"Redis is away", &fake.redis_away, "gt"},
      {"the worker is to stop", &fake.stopping, "gtb"},
  };
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    struct worker w = {0};
    begin();
    given.open = 20;
    *rows[i].given = true;
    CHECK(!reconcile_run(&w));
    CHECK_STR(steps, rows[i].steps);
  }
  struct worker w = {0};
  begin();
  given.epoch_then = 8; /* another worker has begun one */
  CHECK(!reconcile_run(&w));
  CHECK_STR(steps, "gtb");
}

static void test_another_worker_has_the_lock(void) {
  struct worker w = {0};
  begin();
  given.lock_taken = false;
  CHECK(!reconcile_run(&w));
  CHECK_STR(steps, "g");
}

/* It was faster than our lock: nothing is done once more. */
static void test_another_worker_was_faster(void) {
  struct worker w = {0};
  begin();
  fake.ready = true;
  CHECK(reconcile_run(&w));
  CHECK_STR(steps, "gw");
}

/* The limits' window is waited out after a loss; at a start only if calls were just created. */
static void test_the_limits_window(void) {
  static const struct {
    bool was_ready, recent, waits;
  } rows[] = {{false, false, false}, {false, true, true}, {true, false, true}, {true, true, true}};
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    struct worker w = {.was_ready = rows[i].was_ready};
    begin();
    given.recent = rows[i].recent;
    CHECK(reconcile_run(&w));
    CHECK_INT(fake.slept_ms >= WINDOW_MS, rows[i].waits);
    CHECK(rows[i].waits || fake.slept_ms == 0);
  }
}

/* --- pages
 * ---------------------------------------------------------------------------------------------- */

static void test_pages(void) {
  static const struct { int open, pages; } rows[] = {{0, 1}, {1, 1}, {63, 1}};
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    struct worker w = {0};
    begin();
    given.open = rows[i].open;
    CHECK(reconcile_run(&w));
    CHECK_INT(pages, rows[i].pages);
    CHECK_INT(fake.queued_count, rows[i].open);
  }
}

/* A page that takes the server too long is asked for again with an eighth of its rows. */
static void test_slow_pages(void) {
  struct worker w = {0};
  begin();
  given.open = 40;
  given.too_slow_above = 3;
  CHECK(reconcile_run(&w));
  CHECK_INT(fake.queued_count, 40);
  CHECK_INT(largest_page, 1000);

  begin();
  given.open = 40;
  given.too_slow_above = 0; /* not even one: the rebuild fails rather than go on for ever */
  CHECK(!reconcile_run(&w));
}

int main(void) {
  RUN(test_a_rebuild);
  RUN(test_what_ends_a_rebuild);
  RUN(test_another_worker_has_the_lock);
  RUN(test_another_worker_was_faster);
  RUN(test_the_limits_window);
  RUN(test_pages);
  RUN(test_slow_pages);
  return test_done();
}
