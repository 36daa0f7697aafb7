/* calls/create.c, before stores that answer as the case says: what a creation's verdict is, and
 * what is taken back. */

#include "calls/create.h"

#include "calls/live/admit.h"
#include "calls/live/rebuild.h"
#include "calls/row.h"
#include "tests/unit/test.h"

static const struct config config = {
    .max_concurrent = 3, .max_cps = 2, .time_scale = 1, .upload_failure_rate = 0};

/* What the stores say, and what was asked of them. */
static struct {
  bool no_postgres, no_redis, refuses, not_released;
  enum verdict admits;
  enum row_insert inserts;
  int admitted, inserted, released, invalidated, postgres_failed, redis_failed;
  char id[ID_SIZE];
} fake;

struct pg *__wrap_store_postgres(struct store *store);
struct pg *__wrap_store_postgres(struct store *store) {
  return fake.no_postgres ? NULL : (struct pg *)&fake;
}

struct redis *__wrap_store_redis(struct store *store);
struct redis *__wrap_store_redis(struct store *store) {
  return fake.no_redis ? NULL : (struct redis *)&fake;
}

const struct config *__wrap_store_config(const struct store *store);
const struct config *__wrap_store_config(const struct store *store) {
  return &config;
}

int __wrap_store_stripe(const struct store *store);
int __wrap_store_stripe(const struct store *store) {
  return 7;
}

void __wrap_store_note_write(struct store *store, enum backend which, bool taken);
void __wrap_store_note_write(struct store *store, enum backend which, bool taken) {
}

void __wrap_store_postgres_failed(struct store *store);
void __wrap_store_postgres_failed(struct store *store) {
  fake.postgres_failed++;
}

void __wrap_store_redis_failed(struct store *store);
void __wrap_store_redis_failed(struct store *store) {
  fake.redis_failed++;
}

bool __wrap_store_add_refusal(const struct store *store, enum backend which, struct buf *out);
bool __wrap_store_add_refusal(const struct store *store, enum backend which, struct buf *out) {
  buf_str(out, which == BACKEND_REDIS ? "Redis (full)" : "PostgreSQL (full)");
  return fake.refuses;
}

enum verdict __wrap_live_admit(struct redis *redis, struct call *call,
                               const struct live_limits *limits, struct live_admission *admission);
enum verdict __wrap_live_admit(struct redis *redis, struct call *call,
                               const struct live_limits *limits, struct live_admission *admission) {
  CHECK(limits->max_concurrent == 3 && limits->max_cps == 2);
  CHECK(call->seq == 1 && call->plan.duration_ms[0] >= 1000);
  CHECK_INT(id_shard(call->id), id_shard_of_owner(call->api_key));
  fake.admitted++;
  snprintf(fake.id, sizeof(fake.id), "%s", call->id);
  *admission = (struct live_admission){.epoch = 5, .retry_ms = 1234};
  return fake.admits;
}

bool __wrap_live_release(struct redis *redis, const struct call *call,
                         const struct live_admission *admission);
bool __wrap_live_release(struct redis *redis, const struct call *call,
                         const struct live_admission *admission) {
  CHECK_STR(call->id, fake.id);
  fake.released++;
  return !fake.not_released;
}

void __wrap_live_invalidate(struct redis *redis, int64_t epoch);
void __wrap_live_invalidate(struct redis *redis, int64_t epoch) {
  CHECK_INT(epoch, 5);
  fake.invalidated++;
}

enum row_insert __wrap_row_insert(struct pg *pg, const struct call *call, int64_t epoch, int stripe,
                                  int64_t deadline_ms);
enum row_insert __wrap_row_insert(struct pg *pg, const struct call *call, int64_t epoch, int stripe,
                                  int64_t deadline_ms) {
  CHECK(epoch == 5 && stripe == 7);
  CHECK_STR(call->id, fake.id);
  fake.inserted++;
  return fake.inserts;
}

static enum verdict create(struct creation *creation) {
  struct call call = {.from = "+1", .to = "+2", .metadata = "{}", .metadata_len = 2};
  return create_call(NULL, "a-key", &call, creation);
}

/* What the limits refuse, or nobody knows, is not inserted. */
static void test_admissions(void) {
  for (int verdict = VERDICT_CREATED; verdict <= VERDICT_UNKNOWN; verdict++) {
    struct creation creation;
    memset(&fake, 0, sizeof(fake));
    fake.admits = (enum verdict)verdict;
    fake.refuses = true;
    CHECK_INT(create(&creation), verdict);
    CHECK_INT(creation.retry_ms, 1234);
    CHECK_INT(fake.inserted, verdict == VERDICT_CREATED);
    CHECK_INT(fake.redis_failed, verdict == VERDICT_UNKNOWN);
    CHECK_STR(creation.refusal, verdict == VERDICT_REFUSED ? "Redis (full)" : "");
  }
}

/* An admission is taken back where the row certainly is not stored, and only there. */
static void test_inserts(void) {
  static const struct {
    enum row_insert inserts;
    bool not_released;
    enum verdict verdict;
    int released, invalidated;
  } cases[] = {
      {ROW_STORED, false, VERDICT_CREATED, 0, 0},      {ROW_REFUSED, false, VERDICT_REFUSED, 1, 0},
      {ROW_REFUSED, true, VERDICT_UNKNOWN, 1, 0},      {ROW_INVALID, false, VERDICT_REFUSED, 1, 0},
      {ROW_OUTDATED, false, VERDICT_REBUILDING, 1, 1}, {ROW_OUTDATED, true, VERDICT_UNKNOWN, 1, 1},
      {ROW_UNKNOWN, false, VERDICT_UNKNOWN, 0, 0},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    struct creation creation;
    memset(&fake, 0, sizeof(fake));
    fake.inserts = cases[i].inserts;
    fake.not_released = cases[i].not_released;
    CHECK_INT(create(&creation), cases[i].verdict);
    CHECK_INT(fake.inserted, 1);
    CHECK_INT(fake.released, cases[i].released);
    CHECK_INT(fake.invalidated, cases[i].invalidated);
  }
}

/* Without one of its databases nothing is admitted. */
static void test_a_database_is_away(void) {
  for (int refuses = 0; refuses < 2; refuses++) {
    struct creation creation;
    memset(&fake, 0, sizeof(fake));
    fake.refuses = refuses;
    fake.no_postgres = true;
    CHECK_INT(create(&creation), VERDICT_REFUSED);
    CHECK_STR(creation.refusal, refuses ? "PostgreSQL (full)" : "");
    fake.no_postgres = false;
    fake.no_redis = true;
    CHECK_INT(create(&creation), VERDICT_REFUSED);
    CHECK_STR(creation.refusal, refuses ? "Redis (full)" : "");
    CHECK_INT(fake.admitted, 0);
  }
}

int main(void) {
  RUN(test_admissions);
  RUN(test_inserts);
  RUN(test_a_database_is_away);
  return test_done();
}
