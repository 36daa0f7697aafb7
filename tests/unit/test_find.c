/* calls/find.c, before stores that answer as the case says: whose call is found, and where. */

#include "calls/find.h"

#include "calls/id.h"
#include "calls/live/query.h"
#include "calls/row.h"
#include "tests/unit/test.h"

static struct {
  bool no_postgres, no_redis, has_row, no_metadata;
  enum live_find live[2]; /* of the first try, and of the second */
  enum pg_outcome row;
  int live_asked, row_asked;
} fake;

struct pg *__wrap_store_postgres(struct store *store);
struct pg *__wrap_store_postgres(struct store *store) {
  return fake.no_postgres ? NULL : (struct pg *)&fake;
}

struct redis *__wrap_store_redis_for_reading(struct store *store);
struct redis *__wrap_store_redis_for_reading(struct store *store) {
  return fake.no_redis ? NULL : (struct redis *)&fake;
}

void __wrap_store_postgres_failed(struct store *store);
void __wrap_store_postgres_failed(struct store *store) {
}

void __wrap_store_redis_failed(struct store *store);
void __wrap_store_redis_failed(struct store *store) {
}

static void fill(struct call *call, const char *id) {
  *call = (struct call){.seq = 1, .api_key = "a-key", .metadata = "{}", .metadata_len = 2};
  memcpy(call->id, id, ID_SIZE);
  if (fake.no_metadata)
    call->metadata = NULL;
}

enum live_find __wrap_live_find(struct redis *redis, const char *id, struct call *call,
                                redisReply **reply);
enum live_find __wrap_live_find(struct redis *redis, const char *id, struct call *call,
                                redisReply **reply) {
  *reply = NULL;
  fill(call, id);
  return fake.live[fake.live_asked++ > 0];
}

enum pg_outcome __wrap_row_find(struct pg *pg, const char *id, int64_t deadline_ms,
                                struct call *call, PGresult **result);
enum pg_outcome __wrap_row_find(struct pg *pg, const char *id, int64_t deadline_ms,
                                struct call *call, PGresult **result) {
  *result = fake.has_row ? PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK) : NULL;
  fake.row_asked++;
  fill(call, id);
  return fake.row;
}

static enum found find_as(const char *api_key, const char *id) {
  struct call call;
  struct find_held held;
  enum found found = find_call(NULL, api_key, id, &call, &held);
  find_done(&held);
  return found;
}

static void new_id(char id[ID_SIZE]) {
  id_new(id_shard_of_owner("a-key"), id);
}

static void test_where(void) {
  static const struct {
    bool no_redis, no_postgres, has_row;
    enum live_find live[2];
    enum pg_outcome row;
    enum found found;
    int live_asked, row_asked;
  } cases[] = {
      {.live = {LIVE_FOUND}, .found = FIND_FOUND, .live_asked = 1},
      {.live = {LIVE_FOUND}, .no_postgres = true, .found = FIND_FOUND, .live_asked = 1},
      {.live = {LIVE_DOWN, LIVE_FOUND}, .found = FIND_FOUND, .live_asked = 2},
      {.live = {LIVE_ABSENT},
       .has_row = true,
       .found = FIND_FOUND,
       .live_asked = 1,
       .row_asked = 1},
      {.live = {LIVE_ABSENT}, .found = FIND_ABSENT, .live_asked = 1, .row_asked = 1},
      {.live = {LIVE_LOST}, .has_row = true, .found = FIND_FOUND, .live_asked = 1, .row_asked = 1},
      {.live = {LIVE_DOWN, LIVE_DOWN}, .has_row = true, .live_asked = 2, .row_asked = 1},
      {.no_redis = true, .has_row = true, .found = FIND_FOUND, .row_asked = 1},
      {.no_redis = true, .no_postgres = true, .found = FIND_DOWN},
      {.live = {LIVE_ABSENT},
       .row = PG_REFUSED,
       .found = FIND_DOWN,
       .live_asked = 1,
       .row_asked = 1},
      {.live = {LIVE_ABSENT},
       .row = PG_UNKNOWN,
       .found = FIND_DOWN,
       .live_asked = 1,
       .row_asked = 1},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    char id[ID_SIZE];
    new_id(id);
    memset(&fake, 0, sizeof(fake));
    fake.no_redis = cases[i].no_redis;
    fake.no_postgres = cases[i].no_postgres;
    fake.has_row = cases[i].has_row;
    memcpy(fake.live, cases[i].live, sizeof(fake.live));
    fake.row = cases[i].row;
    CHECK_INT(find_as("a-key", id), cases[i].found);
    CHECK_INT(fake.live_asked, cases[i].live_asked);
    CHECK_INT(fake.row_asked, cases[i].row_asked);
  }
}

/* Of another account's call is told what would be told of none, and an id of another shard is not
 * looked up at all. */
static void test_whose(void) {
  char id[ID_SIZE], foreign[ID_SIZE];
  static const char other_version[] = "550e8400-e29b-41d4-a716-446655440000";
  new_id(id);
  id_new((id_shard_of_owner("a-key") + 1) % ID_SHARDS, foreign);
  memset(&fake, 0, sizeof(fake));
  CHECK_INT(find_as("a-key", foreign), FIND_ABSENT);
  CHECK_INT(fake.live_asked, 0);
  CHECK_INT(find_as("a-key", other_version), FIND_FOUND);
  CHECK_INT(find_as("a-key", id), FIND_FOUND);
  CHECK_INT(find_as("another-key", id), FIND_ABSENT);
  CHECK_INT(find_as("another-key", other_version), FIND_ABSENT);
  fake.no_metadata = true;
  CHECK_INT(find_as("a-key", id), FIND_ABSENT);
}

int main(void) {
  RUN(test_where);
  RUN(test_whose);
  return test_done();
}
