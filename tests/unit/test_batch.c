/* worker/batch.c: which rows a statement is about, and how large a batch is. */

#include "worker/batch.h"

#include "tests/unit/fake_stores.h"
#include "tests/unit/test.h"

enum { JOBS = 40, CLAIMED_MS = 1000000 };
static const int64_t wall_ms = INT64_C(1795671519826);

static struct job jobs[JOBS];
static struct live_time times[ID_SHARDS];
static const char *const no_values[] = {NULL};
static int handed_out, moved_count; /* rows that on_row() got */

static void make_jobs(void) {
  for (int i = 0; i < JOBS; i++) {
    jobs[i] = (struct job){.kind = JOB_ADVANCE, .n = 1};
    snprintf(jobs[i].id, sizeof(jobs[i].id), "01a20472-6b23-7506-9539-4ab0d1e2%02x00", i);
    job_format(&jobs[i]);
    fake.rows[i] = (struct call){.seq = 2};
    memcpy(fake.rows[i].id, jobs[i].id, ID_SIZE);
  }
}

static struct batch batch_of(int count) {
  return (struct batch){
      .jobs = jobs, .count = count, .claimed_ms = CLAIMED_MS, .wall_ms = wall_ms, .time = times};
}

static void on_row(struct worker *w, const struct batch *batch, const struct job *job,
                   const struct call *call, bool moved) {
  CHECK_STR(call->id, job->id);
  handed_out++;
  moved_count += moved;
}

static const struct batch_statement statement = {
    .name = "calls_advance", .values = no_values, .count = 0, .on_row = on_row};

static void begin(struct worker *w, int max) {
  fake_reset();
  make_jobs();
  *w = (struct worker){.max = max, .next_ms = -1, .stripe = ROW_WORKER_STRIPE};
  handed_out = moved_count = 0;
}

/* Counts the ids in the array of the first parameter. */
static int ids_in(const char *const *values) {
  int count = values[0][1] != '}';
  for (const char *at = values[0]; (at = strchr(at, ',')); at++)
    count++;
  return count;
}

/* --- one statement
 * -------------------------------------------------------------------------------- */

static int rows_returned;

static enum pg_outcome return_rows(const char *name, const char *const *values, PGresult **r) {
  *r = fake_rows(rows_returned);
  return PG_DONE;
}

static void test_a_row_goes_to_its_job(void) {
  struct worker w;
  bool seen[JOBS] = {false};
  begin(&w, BATCH_MAX);
  struct batch batch = batch_of(5);
  rows_returned = 3;
  fake.exec = return_rows;
  CHECK(batch_exec(&w, &batch, &statement, seen));
  CHECK_INT(handed_out, 3);
  CHECK_INT(moved_count, 3);
  for (int i = 0; i < 5; i++)
    CHECK_INT(seen[i], i < 3);
}

/* Two jobs of one call, after Redis went back in time: both get the row, one has moved it. */
static void test_two_jobs_of_one_call(void) {
  struct worker w;
  bool seen[JOBS] = {false};
  begin(&w, BATCH_MAX);
  memcpy(jobs[1].id, jobs[0].id, ID_SIZE);
  struct batch batch = batch_of(2);
  rows_returned = 1;
  fake.exec = return_rows;
  CHECK(batch_exec(&w, &batch, &statement, seen));
  CHECK_INT(handed_out, 2);
  CHECK_INT(moved_count, 1);
  CHECK(seen[0] && seen[1]);
}

/* Nobody can do anything with it, but its job is known to have a row. */
static void test_a_row_that_cannot_be_read(void) {
  struct worker w;
  bool seen[JOBS] = {false};
  begin(&w, BATCH_MAX);
  fake.rows[0].seq = 0;
  struct batch batch = batch_of(2);
  rows_returned = 2;
  fake.exec = return_rows;
  CHECK(batch_exec(&w, &batch, &statement, seen));
  CHECK_INT(handed_out, 1);
  CHECK(seen[0] && seen[1]);
}

static char texts_asked[200];

static enum pg_outcome keep_texts(const char *name, const char *const *values, PGresult **r) {
  snprintf(texts_asked, sizeof(texts_asked), "%s %s", values[4], values[5]);
  *r = fake_rows(0);
  return PG_DONE;
}

static void add_number(struct buf *out, const struct worker *w, const struct job *job) {
  buf_printf(out, "%d", job->n);
}

/* A text goes with each job that the statement is about; the statement's own values follow. */
static void test_texts_go_with_their_jobs(void) {
  struct worker w;
  bool seen[JOBS] = {true, false, true, false};
  static const char *const values[] = {"own"};
  const struct batch_statement with_texts = {
      .name = "calls_advance", .add_text = add_number, .values = values, .count = 1};
  begin(&w, BATCH_MAX);
  for (int i = 0; i < 4; i++)
    jobs[i].n = i;
  struct batch batch = batch_of(4);
  fake.exec = keep_texts;
  CHECK(batch_exec(&w, &batch, &with_texts, seen));
  CHECK_STR(texts_asked, "{\"1\",\"3\"} own");
}

/* --- rows that another session has locked -------------------------------------------------------
 */

static enum pg_outcome second_is_locked(const char *name, const char *const *values, PGresult **r) {
  static const char *const names[] = {"id", "free", "stripe"};
  if (strcmp(name, "locks_free") != 0) {
    fake.sqlstate = ids_in(values) == 3 ? "55P03" : "";
    *r = *fake.sqlstate ? NULL : fake_rows(0);
    return *r ? PG_DONE : PG_REFUSED;
  }
  PGresAttDesc columns[3];
  for (int i = 0; i < 3; i++)
    columns[i] = (PGresAttDesc){.name = (char *)names[i], .format = 1, .typlen = -1};
  *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
  CHECK(PQsetResultAttrs(*r, 3, columns));
  for (int row = 0; row < 3; row++) {
    char id[16] = {0}, available = row != 1, stripe[4] = {0, 0, 0, 60};
    for (int i = 0, at = 0; i < 16; at++)
      if (jobs[row].id[at] != '-') {
        unsigned byte;
        sscanf(jobs[row].id + at, "%2x", &byte);
        id[i++] = (char)byte;
        at++;
      }
    CHECK(PQsetvalue(*r, row, 0, id, 16) && PQsetvalue(*r, row, 1, &available, 1) &&
          PQsetvalue(*r, row, 2, stripe, 4));
  }
  return PG_DONE;
}

static void test_a_locked_row_holds_up_no_other(void) {
  struct worker w;
  bool seen[JOBS] = {false};
  begin(&w, BATCH_MAX);
  struct batch batch = batch_of(3);
  fake.exec = second_is_locked;
  CHECK(batch_exec(&w, &batch, &statement, seen));
  CHECK_INT(fake.execs, 3); /* it fails, asks which are locked, and goes on without them */
  CHECK(!seen[0] && seen[1] && !seen[2]);
  CHECK_INT(fake.queued_count, 1);
  CHECK_STR(fake.queued[0].id, jobs[1].id);
  CHECK_STR(fake.queued[0].next, jobs[1].text);
  CHECK_INT(w.stripe, 60); /* one that nobody has locked */

  /* For a while it looks for locks first. */
  memset(seen, 0, sizeof(seen));
  fake.execs = 0;
  CHECK(batch_exec(&w, &batch, &statement, seen));
  CHECK_INT(fake.execs, 2);
  fake.now_ms += 60000;
  fake.execs = 0;
  memset(seen, 0, sizeof(seen));
  CHECK(batch_exec(&w, &batch, &statement, seen));
  CHECK_INT(fake.execs, 3);
}

/* --- the size of a batch ------------------------------------------------------------------------
 */

static int64_t takes_ms;

static enum pg_outcome take_time(const char *name, const char *const *values, PGresult **r) {
  fake.now_ms += takes_ms;
  *r = fake_rows(0);
  return PG_DONE;
}

static enum pg_outcome run_out_of_time(const char *name, const char *const *values, PGresult **r) {
  fake.timed_out = true;
  return PG_UNKNOWN;
}

static void test_the_size_follows_the_database(void) {
  static const struct {
    int64_t takes_ms;
    int max, count, then;
  } rows[] = {
      {1501, 100, 40, 20},      /* too slow: half of what it was asked for */
      {1500, 100, 40, 100},     /* neither slow nor quick */
      {500, 100, 40, 100},      /* the same */
      {499, 100, 40, 200},      /* quick, and with rows enough to tell */
      {499, 4000, 40, 4000},    /* too few to tell */
      {499, 1200, 40, 2400},    /* as many as a shard's share of half a batch */
      {0, BATCH_MAX, 40, 4096}, /* no more than that */
      {2000, 1, 1, 1},          /* no fewer than that */
  };
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    struct worker w;
    bool seen[JOBS] = {false};
    begin(&w, rows[i].max);
    struct batch batch = batch_of(rows[i].count);
    takes_ms = rows[i].takes_ms;
    fake.exec = take_time;
    CHECK(batch_exec(&w, &batch, &statement, seen));
    CHECK_INT(w.max, rows[i].then);
  }
  struct worker w;
  bool seen[JOBS] = {false};
  begin(&w, 100);
  struct batch batch = batch_of(JOBS);
  fake.exec = run_out_of_time;
  CHECK(!batch_exec(&w, &batch, &statement, seen));
  CHECK_INT(w.max, JOBS / 2);
}

/* --- rows that the database refuses
 * --------------------------------------------------------------- */

static int bad_row, handled; /* the job whose row is refused; how many jobs were done */

static bool refuse_one(struct worker *w, const struct batch *batch) {
  for (int i = 0; i < batch->count; i++)
    if (batch->jobs + i == jobs + bad_row) {
      fake.sqlstate = "22003";
      return false;
    }
  handled += batch->count;
  return true;
}

/* By halves, until it is alone; all others are done. */
static void test_a_refused_row_is_found(void) {
  for (bad_row = 0; bad_row < JOBS; bad_row += 13) {
    struct worker w;
    begin(&w, BATCH_MAX);
    struct batch batch = batch_of(JOBS);
    handled = 0;
    CHECK(batch_run(&w, &batch, refuse_one));
    CHECK_INT(handled, JOBS - 1);
    CHECK_INT(fake.queued_count, 1);
    CHECK_STR(fake.queued[0].id, jobs[bad_row].id);
  }
}

/* The older its call, the later it comes again: between two seconds and a minute. */
static void test_a_refused_row_comes_again_later(void) {
  static const struct {
    int64_t age_ms, delay_ms;
  } rows[] = {{0, 2000}, {1999, 2000}, {2001, 2001}, {30000, 30000}, {90000, 60000}, {-5, 2000}};
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    struct worker w;
    begin(&w, BATCH_MAX);
    bad_row = 0;
    struct batch batch = batch_of(1);
    batch.wall_ms = id_created_ms(jobs[0].id) + rows[i].age_ms;
    CHECK(batch_run(&w, &batch, refuse_one));
    CHECK_INT(fake.queued[0].delay_ms, rows[i].delay_ms);
  }
}

static bool refuse_all(struct worker *w, const struct batch *batch) {
  handled++;
  return false;
}

/* What is not about rows is not looked for among them: all are given back, to come again soon. */
static void test_a_database_that_refuses_everything(void) {
  static const char *const states[] = {"", "08006", "25006", "40P01", "53100", "57P01"};
  for (size_t i = 0; i < ARRAY_LEN(states); i++) {
    struct worker w;
    begin(&w, BATCH_MAX);
    struct batch batch = batch_of(JOBS);
    fake.sqlstate = states[i];
    handled = 0;
    CHECK(batch_run(&w, &batch, refuse_all));
    CHECK_INT(handled, 1);
    CHECK_INT(fake.queued_count, JOBS);
  }
}

/* A batch in which every row is refused costs a bounded number of statements. */
static void test_many_refused_rows(void) {
  struct worker w;
  begin(&w, BATCH_MAX);
  struct batch batch = batch_of(JOBS);
  fake.sqlstate = "22003";
  handled = 0;
  CHECK(batch_run(&w, &batch, refuse_all));
  CHECK(handled <= 31 + JOBS / 2);
  CHECK_INT(fake.queued_count, JOBS); /* each is put off or given back */
}

/* --- the lease ----------------------------------------------------------------------------------
 */

static bool take_2_s(struct worker *w, const struct batch *batch) {
  fake.now_ms += 2001;
  handled += batch->count;
  return true;
}

/* What could still be under way when the lease of its jobs is over is not begun. */
static void test_what_does_not_fit_the_lease(void) {
  struct worker w;
  begin(&w, 10);
  struct batch batch = batch_of(JOBS);
  handled = 0;
  CHECK(batch_run(&w, &batch, take_2_s));
  CHECK_INT(handled, 10);
  CHECK_INT(fake.queued_count, JOBS - 10);
  CHECK_INT(fake.queued[0].delay_ms, 0);
}

static void test_redis_is_away(void) {
  struct worker w;
  begin(&w, 10);
  struct batch batch = batch_of(JOBS);
  fake.redis_away = true;
  CHECK(!batch_run(&w, &batch, take_2_s));
}

int main(void) {
  RUN(test_a_row_goes_to_its_job);
  RUN(test_two_jobs_of_one_call);
  RUN(test_a_row_that_cannot_be_read);
  RUN(test_texts_go_with_their_jobs);
  RUN(test_a_locked_row_holds_up_no_other);
  RUN(test_the_size_follows_the_database);
  RUN(test_a_refused_row_is_found);
  RUN(test_a_refused_row_comes_again_later);
  RUN(test_a_database_that_refuses_everything);
  RUN(test_many_refused_rows);
  RUN(test_what_does_not_fit_the_lease);
  RUN(test_redis_is_away);
  return test_done();
}
