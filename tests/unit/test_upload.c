/* worker/upload.c: the two halves of an upload attempt. */

#include "tests/unit/fake_stores.h"
#include "tests/unit/test.h"
#include "worker/batch.h"

static const int64_t wall_ms = INT64_C(1795671519826);
static const struct config config = {
    .time_scale = 1, .s3_bucket = "recordings", .aws_region = "eu-west-1"};
static const char id[] = "01a20472-6b23-7506-9539-4ab0d1e2f300";
static struct live_time times[ID_SHARDS];
static struct job job;
static bool row_there;

static enum pg_outcome finish(const char *statement, const char *const *values, PGresult **r) {
  CHECK_STR(statement, "uploads_finish");
  CHECK_STR(values[4],
            "{\"https://recordings.s3.eu-west-1.amazonaws.com/recordings/"
            "01a20472-6b23-7506-9539-4ab0d1e2f300.mp3\"}");
  *r = fake_rows(row_there);
  return PG_DONE;
}

static struct batch begin(enum job_kind kind, int attempt) {
  fake_reset();
  fake.exec = finish;
  row_there = true;
  job = (struct job){.kind = kind, .n = attempt, .length_ms = 2500, .number = 17};
  memcpy(job.id, id, ID_SIZE);
  job_format(&job);
  return (struct batch){.jobs = &job, .count = 1, .wall_ms = wall_ms, .time = times};
}

/* The call as the statement left it. */
static void set_row(enum upload_status upload, int failed_attempts, int64_t retry_ms) {
  fake.rows[0] = (struct call){.seq = upload == UPLOAD_PENDING ? 4 : 5,
                               .entered_ms = {1, 2, 3, 4},
                               .updated_ms = wall_ms,
                               .upload = upload,
                               .upload_attempts = failed_attempts,
                               .upload_job = 17,
                               .retry_ms = retry_ms,
                               .api_key = "k"};
  memcpy(fake.rows[0].id, id, ID_SIZE);
}

static struct worker worker(void) {
  return (struct worker){.config = &config, .max = BATCH_MAX, .next_ms = -1};
}

/* Its end is queued; nothing is asked of the database. */
static void test_an_attempt_starts(void) {
  struct batch batch = begin(JOB_UPLOAD, 1);
  struct worker w = worker();
  CHECK(upload_start(&w, &batch));
  CHECK_INT(fake.execs, 0);
  CHECK_INT(fake.queued_count, 1);
  CHECK_STR(fake.queued[0].next, "01a20472-6b23-7506-9539-4ab0d1e2f300 finish 1 2500 17");
  CHECK_INT(fake.queued[0].delay_ms, 2500);
  CHECK_INT(w.next_ms, 2500);
}

/* Whatever is an event is applied, and the call has no other job. */
static void test_an_attempt_ends_the_upload(void) {
  static const enum upload_status ends[] = {UPLOAD_COMPLETED, UPLOAD_FAILED};
  for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
    struct batch batch = begin(JOB_FINISH, 0);
    struct worker w = worker();
    set_row(ends[i], i ? 3 : 0, 0);
    CHECK(upload_finish(&w, &batch));
    CHECK_INT(fake.queued_count, 1);
    CHECK_STR(fake.queued[0].what, "apply");
    CHECK_INT(w.next_ms, -1);
  }
}

/* The next attempt waits for the backoff: as long as the row says, but never longer than the
 * backoff itself, whatever the wall clock was set to meanwhile. */
static void test_an_attempt_fails(void) {
  const int64_t backoff_ms = plan_backoff_ms(1, 1);
  const struct {
    int64_t retry_ms, delay_ms;
  } rows[] = {
      {wall_ms + backoff_ms, backoff_ms},
      {wall_ms + backoff_ms / 2, backoff_ms / 2},
      {wall_ms + 3600000, backoff_ms}, /* the wall clock was set back by an hour */
      {wall_ms - 3600000, 0},          /* and forward */
  };
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    struct batch batch = begin(JOB_FINISH, 0);
    struct worker w = worker();
    set_row(UPLOAD_PENDING, 1, rows[i].retry_ms);
    CHECK(upload_finish(&w, &batch));
    CHECK_INT(fake.queued_count, 1);
    CHECK_STR(fake.queued[0].what, "requeue");
    CHECK_INT(fake.queued[0].delay_ms, rows[i].delay_ms);
    CHECK_INT(w.next_ms, rows[i].delay_ms);
  }
}

static void test_the_row_was_removed(void) {
  struct batch batch = begin(JOB_FINISH, 0);
  struct worker w = worker();
  row_there = false;
  CHECK(upload_finish(&w, &batch));
  CHECK_INT(fake.queued_count, 1);
  CHECK_STR(fake.queued[0].what, "drop");
}

int main(void) {
  RUN(test_an_attempt_starts);
  RUN(test_an_attempt_ends_the_upload);
  RUN(test_an_attempt_fails);
  RUN(test_the_row_was_removed);
  return test_done();
}
