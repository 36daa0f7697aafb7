/* worker/rival.c: two instances that share a database but not their Redis. */

#include "worker/rival.h"

#include "tests/unit/fake_stores.h"
#include "tests/unit/test.h"

static struct config config = {.postgres_pool_mode = "session"};
static bool rival_there, database_away;
static char said[64]; /* the last statement's parameters */

static enum pg_outcome redis_use(const char *statement, const char *const *values, PGresult **r) {
  CHECK_STR(statement, "redis_use");
  snprintf(said, sizeof(said), "%s %s", values[0], values[1]);
  if (database_away)
    return PG_UNKNOWN;
  *r = fake_bool(true);
  if (!rival_there)
    CHECK(PQsetvalue(*r, 0, 0, NULL, -1));
  return PG_DONE;
}

static struct worker begin(void) {
  fake_reset();
  fake.exec = redis_use;
  rival_there = database_away = false;
  *said = '\0';
  config.postgres_pool_mode = "session";
  return (struct worker){.config = &config};
}

static void test_it_is_said_once_in_three_seconds(void) {
  struct worker w = begin();
  rival_warn_off(&w);
  CHECK_STR(said, "redis-1 true");
  fake.now_ms += 2999;
  rival_warn_off(&w);
  CHECK_INT(fake.execs, 1);
  fake.now_ms += 1;
  rival_warn_off(&w);
  CHECK_INT(fake.execs, 2);
}

/* A lock ends with its session, and is about one Redis. */
static void test_it_is_said_again_at_once(void) {
  struct worker w = begin();
  rival_warn_off(&w);
  fake.session++;
  rival_warn_off(&w);
  CHECK_INT(fake.execs, 2);
  fake.run_id = "redis-2";
  rival_warn_off(&w);
  CHECK_INT(fake.execs, 3);
  CHECK_STR(said, "redis-2 true");
}

static void test_giving_way(void) {
  struct worker w = begin();
  rival_give_way(&w);
  CHECK_INT(fake.execs, 0); /* nothing was said */
  rival_warn_off(&w);
  rival_give_way(&w);
  CHECK_STR(said, "redis-1 false");
  rival_give_way(&w);
  CHECK_INT(fake.execs, 2);

  /* Where it cannot be taken back the session ends, and the lock with it. */
  rival_warn_off(&w);
  database_away = true;
  rival_give_way(&w);
  CHECK_INT(fake.disconnects, 1);
}

static void test_who_is_there(void) {
  struct worker w = begin();
  CHECK(!rival_is_there(&w));
  rival_there = true;
  CHECK(rival_is_there(&w));
  database_away = true;
  CHECK(rival_is_there(&w)); /* nobody knows */
}

/* A rival that restarts its database is not gone; once this instance has been ready there is none
 * to wait for. */
static void test_a_rival_that_has_just_gone(void) {
  struct worker w = begin();
  rival_there = true;
  CHECK(rival_is_there(&w));
  rival_there = false;
  fake.now_ms += 9999;
  CHECK(rival_is_there(&w));
  fake.now_ms += 1;
  CHECK(!rival_is_there(&w));

  w = begin();
  w.was_ready = true;
  rival_there = true;
  CHECK(rival_is_there(&w));
  rival_there = false;
  CHECK(!rival_is_there(&w));
}

/* In its first five seconds it may be a worker of this instance; then a line each ten. */
static void test_when_it_is_logged(void) {
  struct worker w = begin();
  rival_there = true;
  CHECK(rival_is_there(&w));
  fake.now_ms += 4999;
  CHECK(rival_is_there(&w));
  CHECK_INT(w.rival.quiet_until_ms, 0);
  fake.now_ms += 1;
  CHECK(rival_is_there(&w));
  CHECK_INT(w.rival.quiet_until_ms, fake.now_ms + 10000);
}

/* Behind a pooler of transactions there are no sessions. */
static void test_no_sessions(void) {
  struct worker w = begin();
  config.postgres_pool_mode = "transaction";
  rival_there = true;
  rival_warn_off(&w);
  CHECK(!rival_is_there(&w));
  CHECK_INT(fake.execs, 0);
}

int main(void) {
  RUN(test_it_is_said_once_in_three_seconds);
  RUN(test_it_is_said_again_at_once);
  RUN(test_giving_way);
  RUN(test_who_is_there);
  RUN(test_a_rival_that_has_just_gone);
  RUN(test_when_it_is_logged);
  RUN(test_no_sessions);
  return test_done();
}
