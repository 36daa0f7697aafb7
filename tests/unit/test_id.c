/* Call ids (calls/id.c): UUIDs of version 7 that name their shard. */

#include "calls/id.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "tests/unit/test.h"

#include <stdlib.h>

#define GOOD "0199c0de-1234-7abc-8def-0123456789ab"

/* RFC 9562 section 5.7: 48 bits of time, version 7, variant 10. */
static void test_new_is_version_7(void) {
  for (int i = 0; i < 16 * ID_SHARDS; i++) {
    char id[ID_SIZE], again[ID_SIZE];
    int64_t before = clock_wall_ms();
    id_new(i % ID_SHARDS, id);
    CHECK(id_parse(id, again));
    CHECK_STR(again, id);
    CHECK(id[14] == '7');
    CHECK(strchr("89ab", id[19]));
    CHECK(id_created_ms(id) >= before && id_created_ms(id) <= clock_wall_ms());
    CHECK_INT(id_shard(id), i % ID_SHARDS);
  }
}

static void test_tells_its_time(void) {
  CHECK_INT(id_created_ms(GOOD), 0x0199c0de1234);
  CHECK_INT(id_created_ms("ffffffff-ffff-7abc-8def-0123456789ab"), 0xffffffffffff);
}

static int compare(const void *a, const void *b) {
  return memcmp(a, b, ID_SIZE);
}

static void test_new_is_unique(void) {
  enum { COUNT = 20000 };
  cleanup_free char(*ids)[ID_SIZE] = calloc(COUNT, ID_SIZE);
  for (int i = 0; i < COUNT; i++)
    id_new(7, ids[i]);
  qsort(ids, COUNT, ID_SIZE, compare);
  int equal = 0;
  for (int i = 1; i < COUNT; i++)
    equal += strcmp(ids[i - 1], ids[i]) == 0;
  CHECK_INT(equal, 0);
}

/* Each random bit is set about half the time; 70 of them vary. Off by chance: < 1e-9 in all. */
static void test_new_is_random(void) {
  enum { COUNT = 4000 };
  int set[128] = {0}, varying = 0;
  for (int i = 0; i < COUNT; i++) {
    char id[ID_SIZE];
    id_new(0, id);
    for (int c = 0, bit = 0; id[c]; c++)
      for (int b = 3; id[c] != '-' && b >= 0; b--, bit++)
        set[bit] += strtol((const char[]){id[c], '\0'}, NULL, 16) >> b & 1;
  }
  for (int bit = 52; bit < 124; bit++)
    varying += set[bit] > COUNT / 2 - 230 && set[bit] < COUNT / 2 + 230; /* 7 sigma */
  CHECK_INT(varying, 70);
}

static void test_parse_good(void) {
  static const struct {
    const char *text, *id;
  } cases[] = {
      {GOOD, GOOD},
      {"0199C0DE-1234-7ABC-8DEF-0123456789AB", GOOD},
      {"0199c0DE-1234-7aBc-8dEf-0123456789aB", GOOD},
      {"550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000"},
      {"00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000"},
      {"FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "ffffffff-ffff-ffff-ffff-ffffffffffff"},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    char id[ID_SIZE] = "";
    CHECK(id_parse(cases[i].text, id));
    CHECK_STR(id, cases[i].id);
  }
}

static void test_parse_bad(void) {
  static const char *const cases[] = {
      "",
      "x",
      "0199c0de12347abc8def0123456789ab",
      "{" GOOD "}",
      " " GOOD,
      GOOD " ",
      GOOD "0",
      GOOD "/",
      "urn:uuid:" GOOD,
      "0199c0de-1234-7abc-8def-0123456789ag",
      "0199c0de-1234-7abc-8def_0123456789ab",
      "0199c0de1-234-7abc-8def-0123456789ab",
      "g199c0de-1234-7abc-8def-0123456789ab",
      "0199c0de-1234-7abc-8def-01234567-9ab",
      "0199c0de-1234-7abc-8def-\xc3\xa9 234567890",
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    char id[ID_SIZE];
    CHECK(!id_parse(cases[i], id));
  }
}

/* Each truncation, in memory of just its size. */
static void test_parse_truncated(void) {
  for (size_t len = 0; len < strlen(GOOD); len++) {
    cleanup_free char *text = strndup(GOOD, len);
    char id[ID_SIZE];
    CHECK(!id_parse(text, id));
  }
}

/* Every byte in every place: only hexadecimal digits and the dashes pass. */
static void test_parse_every_byte(void) {
  for (int at = 0; at < ID_SIZE - 1; at++)
    for (int c = 1; c < 256; c++) {
      char text[ID_SIZE] = GOOD, id[ID_SIZE];
      bool dash = text[at] == '-';
      bool good = dash ? c == '-' : c < 128 && strchr("0123456789abcdefABCDEF", c);
      text[at] = (char)c;
      if (id_parse(text, id) != good)
        test_error(__FILE__, __LINE__, "byte %d at %d", c, at);
    }
}

static void test_shard(void) {
  CHECK_INT(id_shard(GOOD), 0xb);
  CHECK_INT(id_shard("0199c0de-1234-7abc-8def-0123456789a0"), 0);
  CHECK_INT(id_shard("0199c0de-1234-7abc-8def-0123456789FF"), 0xf);
  /* ids in databases depend on this hash: it must stay what it is */
  CHECK_INT(id_shard_of_owner(""), (0x811c9dc5u ^ 0x811c9d ^ 0x811c ^ 0x81) & 0xf);
  CHECK_INT(id_shard_of_owner("a"), (0xe40c292cu ^ 0xe40c29 ^ 0xe40c ^ 0xe4) & 0xf);
  CHECK_INT(id_shard_of_owner("foobar"), (0xbf9cf968u ^ 0xbf9cf9 ^ 0xbf9c ^ 0xbf) & 0xf);
}

/* An id alone leads to the shard of the key that the call belongs to. */
static void test_shards_agree(void) {
  bool used[ID_SHARDS] = {false};
  int shards = 0;
  for (int i = 0; i < 500; i++) {
    char key[24], id[ID_SIZE];
    snprintf(key, sizeof(key), "key-%d", i);
    id_new(id_shard_of_owner(key), id);
    int shard = id_shard_of_owner(key);
    CHECK_INT(id_shard(id), shard);
    if (shard < 0 || shard >= ID_SHARDS)
      test_error(__FILE__, __LINE__, "shard %d of %s", shard, key);
    else
      used[shard] = true;
  }
  for (int i = 0; i < ID_SHARDS; i++)
    shards += used[i];
  CHECK_INT(shards, ID_SHARDS);
}

int main(void) {
  RUN(test_new_is_version_7);
  RUN(test_tells_its_time);
  RUN(test_new_is_unique);
  RUN(test_new_is_random);
  RUN(test_parse_good);
  RUN(test_parse_bad);
  RUN(test_parse_truncated);
  RUN(test_parse_every_byte);
  RUN(test_shard);
  RUN(test_shards_agree);
  return test_done();
}
