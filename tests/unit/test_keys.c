/* The names of everything in Redis (calls/keys.c): they are a contract with data that is there. */

#include "calls/keys.h"

#include "common/cleanup.h"
#include "tests/unit/test.h"

/* An id whose owner's hash is the last two digits. */
#define ID_OF(hash) "0199c0de-0000-7000-8000-0000000000" hash

static void test_shard_names(void) {
  static const struct {
    void (*name)(int shard, char out[KEYS_SIZE]);
    int shard;
    const char *text;
  } cases[] = {
      {keys_ready, 0, "mcs:2:{0}:ready"},   {keys_clock, 9, "mcs:2:{9}:clock"},
      {keys_due, 10, "mcs:2:{a}:due"},      {keys_rebuild, 15, "mcs:2:{f}:rebuild"},
      {keys_events, 3, "mcs:2:{3}:events"},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    char key[KEYS_SIZE];
    cases[i].name(cases[i].shard, key);
    CHECK_STR(key, cases[i].text);
  }
}

static void test_names_of_a_call(void) {
  char key[KEYS_SIZE], expected[KEYS_SIZE];
  int shard = id_shard_of_owner("demo-key");
  keys_call(ID_OF("a7"), key);
  CHECK_STR(key, "mcs:2:{7}:call:" ID_OF("a7"));
  keys_slots("demo-key", key);
  snprintf(expected, sizeof(expected), "mcs:2:{%x}:slots:demo-key", (unsigned)shard);
  CHECK_STR(key, expected);
  keys_window("demo-key", key);
  snprintf(expected, sizeof(expected), "mcs:2:{%x}:window:demo-key", (unsigned)shard);
  CHECK_STR(key, expected);
}

static void test_longest_api_key(void) {
  char api_key[101], key[KEYS_SIZE];
  memset(api_key, 'k', 100);
  api_key[100] = '\0';
  keys_window(api_key, key);
  CHECK_STR(strrchr(key, ':') + 1, api_key);
  keys_slots(api_key, key);
  CHECK_STR(strrchr(key, ':') + 1, api_key);
}

static void test_marker(void) {
  static const struct {
    const char *marker, *run_id;
    bool is_ready;
  } cases[] = {
      {"abc 7", "abc", true},   {"abc 123456", "abc", true}, {"abc 7", "abd", false},
      {"abc", "abc", false},    {"abcd 7", "abc", false},    {"ab 7", "abc", false},
      {"", "abc", false},       {" 7", "", false},           {"", "", false},
      {"abc\t7", "abc", false},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    size_t len = strlen(cases[i].marker);
    cleanup_free char *exact = malloc(len ? len : 1);
    memcpy(exact, cases[i].marker, len);
    CHECK_INT(keys_marker_is(exact, len, cases[i].run_id), cases[i].is_ready);
  }
}

int main(void) {
  RUN(test_shard_names);
  RUN(test_names_of_a_call);
  RUN(test_longest_api_key);
  RUN(test_marker);
  return test_done();
}
