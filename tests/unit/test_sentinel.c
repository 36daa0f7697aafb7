/* Redis Sentinel's questions and answers: common/sentinel.c. */

#include "common/sentinel.h"

#include "tests/unit/test.h"

#include <string.h>

static void test_addresses(void) {
  static const struct {
    const char *host;
    int n, port;
  } cases[] = {
      {"10.0.0.1", 0, 26379}, {"::1", 1, 1}, {"c.example", 2, 65535},
      {"10.0.0.1", 3, 26379}, {"::1", 4, 1},
  };
  const struct config config = {.redis_sentinels = "10.0.0.1:26379,[::1]:1,c.example:65535"};
  CHECK_INT(sentinel_count(&config), 3);
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    struct redis_address at;
    sentinel_at(&config, cases[i].n, &at);
    CHECK_STR(at.host, cases[i].host);
    CHECK_INT(at.port, cases[i].port);
  }
  const struct config none = {.redis_sentinels = ""};
  CHECK_INT(sentinel_count(&none), 0);
}

static void test_question(void) {
  const struct config config = {.redis_master_name = "calls"};
  const char *words[SENTINEL_WORDS];
  sentinel_question(&config, words);
  CHECK_STR(words[0], "SENTINEL");
  CHECK_STR(words[1], "get-master-addr-by-name");
  CHECK_STR(words[2], "calls");
}

/* A reply as hiredis reads it from these bytes; NULL while it is not whole. */
static redisReply *reply_of(redisReader *reader, const char *bytes) {
  void *reply = NULL;
  CHECK_INT(redisReaderFeed(reader, bytes, strlen(bytes)), REDIS_OK);
  CHECK_INT(redisReaderGetReply(reader, &reply), REDIS_OK);
  return reply;
}

static void test_master(void) {
  static const struct {
    const char *bytes, *host;
    int port; /* 0: nobody */
  } cases[] = {
      {"*2\r\n$8\r\n10.0.0.1\r\n$4\r\n6379\r\n", "10.0.0.1", 6379},
      {"*2\r\n$3\r\n::1\r\n$5\r\n65535\r\n", "::1", 65535},
      {"*-1\r\n", "", 0}, /* no master of that name */
      {"$-1\r\n", "", 0},
      {"-ERR unknown command\r\n", "", 0},
      {"-IDONTKNOW I have not enough information\r\n", "", 0},
      {":1\r\n", "", 0},
      {"*0\r\n", "", 0},
      {"*1\r\n$1\r\na\r\n", "", 0},
      {"*3\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\n2\r\n", "", 0},
      {"*2\r\n$0\r\n\r\n$4\r\n6379\r\n", "", 0},
      {"*2\r\n$1\r\na\r\n$1\r\n0\r\n", "", 0},
      {"*2\r\n$1\r\na\r\n$5\r\n65536\r\n", "", 0},
      {"*2\r\n$1\r\na\r\n$1\r\nx\r\n", "", 0},
      {"*2\r\n$1\r\na\r\n:6379\r\n", "", 0},
      {"*2\r\n$-1\r\n$4\r\n6379\r\n", "", 0},
  };
  redisReader *reader = redisReaderCreate();
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    redisReply *reply = reply_of(reader, cases[i].bytes);
    struct redis_address master = {0};
    CHECK(sentinel_read(reply, &master) == (cases[i].port != 0));
    CHECK_STR(master.host, cases[i].host);
    CHECK_INT(master.port, cases[i].port);
    freeReplyObject(reply);
  }
  struct redis_address master;
  CHECK(!sentinel_read(NULL, &master));
  redisReaderFree(reader);
}

static void test_role(void) {
  static const struct {
    const char *bytes;
    bool is_master;
  } cases[] = {
      {"*3\r\n$6\r\nmaster\r\n:10\r\n*0\r\n", true},
      {"*5\r\n$5\r\nslave\r\n$1\r\na\r\n:1\r\n$9\r\nconnected\r\n:1\r\n", false},
      {"*2\r\n$8\r\nsentinel\r\n*0\r\n", false},
      {"*0\r\n", false},
      {"*1\r\n:1\r\n", false},
      {"$6\r\nmaster\r\n", false},
      {"-NOAUTH Authentication required.\r\n", false},
  };
  redisReader *reader = redisReaderCreate();
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    redisReply *reply = reply_of(reader, cases[i].bytes);
    CHECK(sentinel_is_master(reply) == cases[i].is_master);
    freeReplyObject(reply);
  }
  CHECK(!sentinel_is_master(NULL));
  redisReaderFree(reader);
}

int main(void) {
  RUN(test_addresses);
  RUN(test_question);
  RUN(test_master);
  RUN(test_role);
  return test_done();
}
