/* worker/retention.c: how often old calls are removed. */

#include "worker/retention.h"

#include "tests/unit/fake_stores.h"
#include "tests/unit/test.h"

static int64_t removes; /* how many rows a step finds */

static enum pg_outcome retire(const char *statement, const char *const *values, PGresult **r) {
  CHECK_STR(statement, "calls_retire");
  CHECK_STR(values[0], "30");
  *r = removes < 0 ? NULL : fake_int(removes);
  return *r ? PG_DONE : PG_REFUSED;
}

/* The time until the next step, after one that removed so many rows; -1: the database refused. */
static int64_t pause_after(int64_t rows) {
  struct config config = {.retention_days = 30};
  struct worker w = {.config = &config};
  fake_reset();
  fake.exec = retire;
  removes = rows;
  retention_run(&w);
  CHECK_INT(fake.execs, 1);
  int64_t begin_ms = fake.now_ms;
  while (fake.execs == 1 && fake.now_ms < begin_ms + 10 * RETENTION_PAUSE_MS) {
    fake.now_ms += 100;
    retention_run(&w);
  }
  return fake.now_ms - begin_ms;
}

static void test_pace(void) {
  CHECK_INT(pause_after(0), RETENTION_PAUSE_MS);
  CHECK_INT(pause_after(RETENTION_ROWS - 1), RETENTION_PAUSE_MS);
  CHECK_INT(pause_after(RETENTION_ROWS), RETENTION_SHORT_PAUSE_MS);
  CHECK_INT(pause_after(-1), RETENTION_PAUSE_MS);
}

static void test_no_retention(void) {
  struct config config = {.retention_days = 0};
  struct worker w = {.config = &config};
  fake_reset();
  retention_run(&w);
  CHECK_INT(fake.execs, 0);
}

int main(void) {
  RUN(test_pace);
  RUN(test_no_retention);
  return test_done();
}
