/* worker/advance.c: transitions, and jobs whose call has no row. */

#include "tests/unit/fake_stores.h"
#include "tests/unit/test.h"
#include "worker/batch.h"

enum { INSERT_MS = 100 };
static const int64_t wall_ms = INT64_C(1795671519826);
static const struct config config = {.time_scale = 1};
static const char id[] = "01a20472-6b23-7506-9539-4ab0d1e2f300";
static struct live_time times[ID_SHARDS];
static struct job job;

/* What the stores say about the one call. */
static struct {
  int rows_after;      /* after so many statements the call has a row; 0: from the first one */
  enum live_find live; /* its live call */
  struct call live_call;
  enum row_insert insert;
  enum pg_outcome find; /* of a look at the row itself */
  bool row;             /* that it finds */
} given;
static int inserts, invalidations;

static enum pg_outcome advance(const char *statement, const char *const *values, PGresult **r) {
  CHECK_STR(statement, "calls_advance");
  *r = fake_rows(fake.execs > given.rows_after);
  return PG_DONE;
}

enum live_find __wrap_live_find(struct redis *redis, const char *wanted, struct call *call,
                                redisReply **reply);
enum live_find __wrap_live_find(struct redis *redis, const char *wanted, struct call *call,
                                redisReply **reply) {
  CHECK_STR(wanted, id);
  *call = given.live_call;
  *reply = NULL;
  return given.live;
}

enum row_insert __wrap_row_insert(struct pg *pg, const struct call *call, int64_t epoch, int stripe,
                                  int64_t deadline_ms);
enum row_insert __wrap_row_insert(struct pg *pg, const struct call *call, int64_t epoch, int stripe,
                                  int64_t deadline_ms) {
  CHECK_INT(epoch, 7);
  inserts++;
  return given.insert;
}

enum pg_outcome __wrap_row_find(struct pg *pg, const char *wanted, int64_t deadline_ms,
                                struct call *call, PGresult **result);
enum pg_outcome __wrap_row_find(struct pg *pg, const char *wanted, int64_t deadline_ms,
                                struct call *call, PGresult **result) {
  *result = given.row ? fake_rows(0) : NULL;
  return given.find;
}

void __wrap_live_invalidate(struct redis *redis, int64_t epoch);
void __wrap_live_invalidate(struct redis *redis, int64_t epoch) {
  CHECK_INT(epoch, 7);
  invalidations++;
}

static struct worker worker(void) {
  static struct keyring *ring;
  if (!ring)
    ring = keyring_new("k,other,third");
  return (struct worker){.config = &config, .max = BATCH_MAX, .next_ms = -1, .ring = ring};
}

static struct batch begin(int seq) {
  fake_reset();
  memset(&given, 0, sizeof(given));
  inserts = invalidations = 0;
  fake.exec = advance;
  job = (struct job){.kind = JOB_ADVANCE, .n = seq};
  memcpy(job.id, id, ID_SIZE);
  job_format(&job);
  fake.rows[0] = (struct call){.seq = seq + 1, .api_key = "k"};
  memcpy(fake.rows[0].id, id, ID_SIZE);
  given.live_call = (struct call){.seq = 1, .api_key = "k", .entered_ms = {wall_ms - INSERT_MS}};
  memcpy(given.live_call.id, id, ID_SIZE);
  return (struct batch){.jobs = &job, .count = 1, .wall_ms = wall_ms, .epoch = 7, .time = times};
}

static void test_a_transition(void) {
  struct batch batch = begin(1);
  struct worker w = worker();
  fake.apply_ms = 3000;
  CHECK(advance_run(&w, &batch));
  CHECK_INT(fake.execs, 1);
  CHECK_INT(fake.queued_count, 1);
  CHECK_STR(fake.queued[0].what, "apply");
  CHECK_INT(w.next_ms, 3000);
}

/* The responder died between the admission and the insert: the call is inserted from its live
 * call, and moves in the same batch. */
static void test_a_call_that_was_never_inserted(void) {
  struct batch batch = begin(1);
  struct worker w = worker();
  given.rows_after = 1;
  given.live = LIVE_FOUND;
  given.insert = ROW_STORED;
  CHECK(advance_run(&w, &batch));
  CHECK_INT(inserts, 1);
  CHECK_INT(fake.execs, 2);
  CHECK_STR(fake.queued[0].what, "apply");
}

/* So long the responder is expected to insert it: the job waits for as long again as it has. */
static void test_a_call_that_is_about_to_be_inserted(void) {
  static const struct {
    int64_t age_ms, delay_ms; /* -1: it is inserted */
  } rows[] = {{0, 1}, {40, 41}, {INSERT_MS - 1, INSERT_MS}, {INSERT_MS, -1}, {-5, -1}};
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    struct batch batch = begin(1);
    struct worker w = worker();
    given.rows_after = INT32_MAX;
    given.live = LIVE_FOUND;
    given.live_call.entered_ms[0] = wall_ms - rows[i].age_ms;
    CHECK(advance_run(&w, &batch));
    CHECK_INT(inserts, rows[i].delay_ms < 0);
    if (rows[i].delay_ms >= 0) {
      CHECK_INT(fake.queued_count, 1);
      CHECK_INT(fake.queued[0].delay_ms, rows[i].delay_ms);
    }
  }
}

/* What becomes of a job without a row, by what the stores say. */
static void test_jobs_without_a_row(void) {
  enum { NOTHING, DROPPED, INVALIDATED };
  static const struct {
    const char *what;
    int job_seq;
    enum live_find live;
    int live_seq;
    enum row_insert insert;
    enum pg_outcome find;
    bool row;
    int then;
  } rows[] = {
      {"Redis does not answer", 1, LIVE_DOWN, 1, ROW_STORED, PG_DONE, false, NOTHING},
      {"Redis lost something", 1, LIVE_LOST, 1, ROW_STORED, PG_DONE, false, NOTHING},
      {"neither store has it", 1, LIVE_ABSENT, 1, ROW_STORED, PG_DONE, false, DROPPED},
      {"it has a row now", 1, LIVE_ABSENT, 1, ROW_STORED, PG_DONE, true, NOTHING},
      {"the database is away", 1, LIVE_ABSENT, 1, ROW_STORED, PG_UNKNOWN, false, NOTHING},
      {"a later state without a row", 1, LIVE_FOUND, 2, ROW_STORED, PG_DONE, false, DROPPED},
      {"a later job without a row", 2, LIVE_FOUND, 1, ROW_STORED, PG_DONE, false, DROPPED},
      {"a row that cannot be", 1, LIVE_FOUND, 1, ROW_INVALID, PG_DONE, false, DROPPED},
      {"its epoch is over", 1, LIVE_FOUND, 1, ROW_OUTDATED, PG_DONE, false, INVALIDATED},
      {"the database refuses it", 1, LIVE_FOUND, 1, ROW_REFUSED, PG_DONE, false, NOTHING},
      {"nobody knows", 1, LIVE_FOUND, 1, ROW_UNKNOWN, PG_DONE, false, NOTHING},
  };
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    struct batch batch = begin(rows[i].job_seq);
    struct worker w = worker();
    given.rows_after = INT32_MAX;
    given.live = rows[i].live;
    given.live_call.seq = rows[i].live_seq;
    given.insert = rows[i].insert;
    given.find = rows[i].find;
    given.row = rows[i].row;
    CHECK(advance_run(&w, &batch));
    CHECK_INT(invalidations, rows[i].then == INVALIDATED);
    bool dropped = fake.queued_count && strcmp(fake.queued[0].what, "drop") == 0;
    if (dropped != (rows[i].then == DROPPED))
      test_error(__FILE__, __LINE__, "%s: dropped is %d", rows[i].what, dropped);
  }
}

/* A job without a live call says nothing about the key: the slot of each key of its shard is
 * freed. */
static void test_a_dropped_job_frees_its_slot(void) {
  struct batch batch = begin(1);
  struct worker w = worker();
  int keys = 0;
  for (size_t i = 0; i < keyring_count(w.ring); i++)
    keys += id_shard_of_owner(keyring_key(w.ring, i)) == id_shard(id);
  given.rows_after = INT32_MAX;
  given.live = LIVE_ABSENT;
  CHECK(advance_run(&w, &batch));
  CHECK_INT(fake.queued_count, 1 + keys);
}

int main(void) {
  RUN(test_a_transition);
  RUN(test_a_call_that_was_never_inserted);
  RUN(test_a_call_that_is_about_to_be_inserted);
  RUN(test_jobs_without_a_row);
  RUN(test_a_dropped_job_frees_its_slot);
  return test_done();
}
