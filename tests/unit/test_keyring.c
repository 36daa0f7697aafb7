/* The API keys (calls/keyring.c): which list makes which keys, and what finds them. */

#include "calls/keyring.h"

#include "common/buf.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static void cleanup_ring(struct keyring **ring) {
  keyring_free(*ring);
}
#define cleanup_ring __attribute__((cleanup(cleanup_ring)))

/* Looks up a token in memory of just its size, so that a read beyond it is seen. */
static const char *find(const struct keyring *ring, const char *token) {
  size_t len = strlen(token);
  cleanup_free char *exact = malloc(len ? len : 1);
  memcpy(exact, token, len);
  return keyring_find(ring, exact, len);
}

static void test_lists(void) {
  static const struct {
    const char *list;
    const char *keys; /* what the ring holds, each with a ';' behind it */
  } cases[] = {
      {"", ""},
      {" , ,", ""},
      {"one", "one;"},
      {"one,two,three", "one;two;three;"},
      {" one , two ", "one;two;"},
      {",one,,two,", "one;two;"},
      {"one two", "one;two;"},
      {"one,two,one", "one;two;"},
      {"a,A,aa", "a;A;aa;"},
      {"a.b-c_d~e+f/g=", "a.b-c_d~e+f/g=;"},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    cleanup_ring struct keyring *ring = keyring_new(cases[i].list);
    cleanup_buf struct buf all = {0};
    for (size_t k = 0; k < keyring_count(ring); k++)
      buf_printf(&all, "%s;", keyring_key(ring, k));
    CHECK_STR(buf_text(&all), cases[i].keys);
  }
}

static void test_find(void) {
  cleanup_ring struct keyring *ring = keyring_new("test-api-key-1,test-api-key-2,demo-key");
  CHECK_INT(keyring_count(ring), 3);
  for (size_t i = 0; i < keyring_count(ring); i++)
    CHECK(find(ring, keyring_key(ring, i)) == keyring_key(ring, i));
}

static void test_strangers(void) {
  cleanup_ring struct keyring *ring = keyring_new("test-api-key-1,demo-key");
  static const char *const strangers[] = {
      "",
      "test-api-key-2",
      "test-api-key-",
      "test-api-key-11",
      "Demo-key",
      "demo-key ",
      " demo-key",
      "demo-key,",
      "d",
      "demo-kez",
      "-",
      ",",
  };
  for (size_t i = 0; i < ARRAY_LEN(strangers); i++)
    CHECK_STR(find(ring, strangers[i]), NULL);
  CHECK(!keyring_find(ring, "demo-key\0x", 10));
  CHECK_STR(keyring_find(ring, "demo-key and more", 8), "demo-key");
}

static void test_long_token(void) {
  cleanup_ring struct keyring *ring = keyring_new("demo-key");
  enum { LEN = 1 << 20 };
  cleanup_free char *token = malloc(LEN);
  memset(token, 'k', LEN);
  CHECK(!keyring_find(ring, token, LEN));
}

static void test_many(void) {
  cleanup_buf struct buf list = {0};
  for (int i = 0; i < 1000; i++)
    buf_printf(&list, "%skey-%d", i ? "," : "", i);
  cleanup_ring struct keyring *ring = keyring_new(buf_text(&list));
  CHECK_INT(keyring_count(ring), 1000);
  CHECK_STR(find(ring, "key-0"), "key-0");
  CHECK_STR(find(ring, "key-999"), "key-999");
  CHECK_STR(find(ring, "key-1000"), NULL);
}

int main(void) {
  RUN(test_lists);
  RUN(test_find);
  RUN(test_strangers);
  RUN(test_long_token);
  RUN(test_many);
  keyring_free(NULL);
  return test_done();
}
