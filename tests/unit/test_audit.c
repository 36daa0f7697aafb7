/* worker/audit.c: when it walks through the open calls, and how far in one go. */

#include "worker/audit.h"

#include "tests/unit/fake_stores.h"
#include "tests/unit/test.h"

static struct {
  long pages[8]; /* what each page restores; -1: a database does not answer */
  int count, read;
} walk;

long __wrap_reconcile_page(struct worker *w, const char *overdue_ms, struct reconcile_walk *at);
long __wrap_reconcile_page(struct worker *w, const char *overdue_ms, struct reconcile_walk *at) {
  CHECK(overdue_ms); /* all open calls would be those that wait, too */
  CHECK_INT(at->rows, walk.read);
  long restored = walk.pages[walk.read++];
  at->rows = walk.read; /* stands for where the walk is */
  at->done = walk.read == walk.count;
  return restored;
}

void __wrap_redis_queue(struct redis *redis, int argc, const char *const *argv, const size_t *lens);
void __wrap_redis_queue(struct redis *redis, int argc, const char *const *argv,
                        const size_t *lens) {
}

static const char *memory_info;

redisReply *__wrap_redis_next(struct redis *redis);
redisReply *__wrap_redis_next(struct redis *redis) {
  redisReply *reply = calloc(1, sizeof(*reply));
  reply->type = REDIS_REPLY_STRING;
  reply->str = strdup(memory_info);
  reply->len = strlen(memory_info);
  return reply;
}

static struct worker begin(int pages) {
  fake_reset();
  memset(&walk, 0, sizeof(walk));
  walk.count = pages;
  memory_info = "maxmemory:0\r\nmaxmemory_policy:noeviction\r\n";
  return (struct worker){0};
}

/* A page a run, so that jobs which come due meanwhile are claimed between two. */
static void test_a_walk_of_three_pages(void) {
  struct worker w = begin(3);
  walk.pages[1] = 7;
  CHECK(audit_run(&w));
  CHECK(audit_run(&w));
  CHECK(!audit_run(&w));
  CHECK_INT(walk.read, 3);
  CHECK_INT(w.audit.found, 7);
}

static void test_pause_between_walks(void) {
  struct worker w = begin(1);
  CHECK(!audit_run(&w));
  fake.now_ms += AUDIT_PAUSE_MS - 1;
  CHECK(!audit_run(&w));
  CHECK_INT(walk.read, 1);
  fake.now_ms += 1;
  walk.read = 0;
  CHECK(!audit_run(&w));
  CHECK_INT(walk.read, 1);
}

/* The walk ends there; the next one begins anew, after the pause. */
static void test_a_database_that_does_not_answer(void) {
  struct worker w = begin(3);
  walk.pages[1] = -1;
  CHECK(audit_run(&w));
  CHECK(!audit_run(&w));
  fake.now_ms += AUDIT_PAUSE_MS;
  walk.read = 0;
  walk.pages[1] = 0;
  CHECK(audit_run(&w));
  CHECK(audit_run(&w));
  CHECK(!audit_run(&w));
}

static void test_eviction_policies(void) {
  static const struct {
    const char *info;
    bool evicts;
  } rows[] = {
      {"maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n", false},
      {"maxmemory:1000\r\nmaxmemory_policy:noeviction\r\n", false},
      {"maxmemory:1000\r\nmaxmemory_policy:allkeys-lru\r\n", true},
      {"maxmemory:1000\r\nmaxmemory_policy:volatile-ttl\r\n", true},
      {"", false},
  };
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    struct worker w = begin(1);
    memory_info = rows[i].info;
    audit_run(&w);
    CHECK_INT(w.audit.evicts_said, rows[i].evicts);
  }
}

int main(void) {
  RUN(test_a_walk_of_three_pages);
  RUN(test_pause_between_walks);
  RUN(test_a_database_that_does_not_answer);
  RUN(test_eviction_policies);
  return test_done();
}
