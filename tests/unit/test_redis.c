/* common/redis.c, before a server that forgets scripts and refuses things. */

#include "tests/unit/fake_redis.h"
#include "tests/unit/test.h"

#include "common/redis.h"

static struct fake server;

/* What the server of a test does: its replies to the n-th script, by a letter each. `.` is the
 * script's first argument as a string, `n` NOSCRIPT, `o` OOM, `r` READONLY, `x` ends the server.
 * After the last letter all replies are `.`. */
static const char *plan;
/* It refuses SCRIPT LOAD after the first script ran. */
static bool refuses_to_load;

static void reply_to_script(int fd, const redisReply *command) {
  char text[100];
  const char *argument = command->element[3]->str;
  switch (*plan ? *plan++ : '.') {
  case '.':
    snprintf(text, sizeof(text), "$%zu\r\n%s\r\n", strlen(argument), argument);
    fake_say(fd, text);
    return;
  case 'n':
    fake_say(fd, "-NOSCRIPT No matching script.\r\n");
    return;
  case 'o':
    fake_say(fd, "-OOM command not allowed\r\n");
    return;
  case 'r':
    fake_say(fd, "-READONLY You can't write against a read only replica.\r\n");
    return;
  }
  _exit(0);
}

static void reply(int fd, const redisReply *command) {
  static bool ran;
  if (fake_redis_is(command, "EVALSHA")) {
    ran = true;
    reply_to_script(fd, command);
  } else if (fake_redis_is(command, "SCRIPT") && ran && refuses_to_load) {
    fake_say(fd, "-NOPERM no\r\n");
  } else if (fake_redis_is(command, "SCRIPT")) {
    fake_redis_say_script_name(fd);
  } else if (fake_redis_is(command, "INFO")) {
    fake_redis_say_run_id(fd);
  } else if (fake_redis_is(command, "PING")) {
    fake_say(fd, "+PONG\r\n");
  } else if (fake_redis_is(command, "AUTH")) {
    fake_say(fd, "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
  }
}

static void serve(int fd) {
  fake_redis_serve(fd, reply);
}

static void start_server(const char *its_plan) {
  plan = its_plan;
  fake_start(&server, serve);
}

/* Queues a script for each letter of `text`, with that letter as its argument, and writes what
 * comes back: the letter, `!` for a refusal, `-` for nothing. */
static void run_scripts(struct redis *redis, const char *text, char *out) {
  for (const char *p = text; *p; p++) {
    const char letter[2] = {*p};
    const char *const argv[] = {letter};
    redis_queue_script(redis, "probe", 0, 1, argv, NULL);
  }
  for (; *text; text++) {
    cleanup_reply redisReply *reply = redis_next(redis);
    *out++ = !reply ? '-' : reply->type == REDIS_REPLY_ERROR ? '!' : *reply->str;
  }
  *out = '\0';
}

static const struct config *config_with(const char *password) {
  static struct config config;
  config = fake_redis_config(server.path, password);
  return &config;
}

static void check_pipeline(const char *its_plan, const char *text, const char *expected,
                           const char *refusal) {
  char got[40];
  start_server(its_plan);
  struct redis *redis = redis_new(config_with(""));
  CHECK(redis_connect(redis));
  CHECK(!redis_refusal(redis));
  run_scripts(redis, text, got);
  CHECK_STR(got, expected);
  CHECK_STR(redis_refusal(redis) ? redis_refusal(redis)->code : NULL, refusal);
  redis_free(redis);
  fake_stop(&server);
}

/* Each is repeated on its own, and the replies come in the order of the queue. */
static void test_forgotten_scripts(void) {
  check_pipeline("n", "a", "a", NULL);
  check_pipeline("..n..", "abcde", "abcde", NULL);
  check_pipeline(".n.nn", "abcde", "abcde", NULL);
  check_pipeline("nnnnn", "abcde", "abcde", NULL);
  check_pipeline("..nnn" /* again: */ ".n." /* and again: */ ".", "abcde", "abcde", NULL);
}

static void test_scripts_forgotten_at_once(void) {
  check_pipeline("nnn", "a", "!", "NOSCRIPT");
  check_pipeline("n", "a", "a", NULL);
  refuses_to_load = true;
  check_pipeline(".n.", "abc", "a!c", "NOSCRIPT");
  refuses_to_load = false;
}

static void test_other_commands_beside_forgotten_scripts(void) {
  start_server("n");
  struct redis *redis = redis_new(config_with(""));
  const char *const ping[] = {"PING"}, *const argv[] = {"a"};
  CHECK(redis_connect(redis));
  redis_queue(redis, 1, ping, NULL);
  redis_queue_script(redis, "probe", 0, 1, argv, NULL);
  redis_queue(redis, 1, ping, NULL);
  const char *const expected[] = {"PONG", "a", "PONG"};
  for (int i = 0; i < 3; i++) {
    cleanup_reply redisReply *reply = redis_next(redis);
    CHECK_STR(reply ? reply->str : NULL, expected[i]);
  }
  redis_free(redis);
  fake_stop(&server);
}

static void test_refusals(void) {
  check_pipeline("o.", "ab", "!b", "OOM");
  /* Another connection may be to another server: what was queued behind it is not known. */
  check_pipeline("r.", "ab", "!-", "READONLY");
  check_pipeline("no", "ab", "a!", "OOM");
  check_pipeline("x", "a", "-", NULL);
  check_pipeline("nx", "ab", "--", NULL);
}

static void test_refused_connection(void) {
  start_server("");
  struct redis *redis = redis_new(config_with("wrong"));
  CHECK(!redis_connect(redis));
  CHECK_STR(redis_refusal(redis) ? redis_refusal(redis)->code : NULL, "WRONGPASS");
  redis_free(redis);
  fake_stop(&server);
}

static void test_codes(void) {
  static const struct {
    const char *error, *code;
  } cases[] = {
      {"OOM command not allowed when used memory > 'maxmemory'.", "OOM"},
      {"OOM", "OOM"},
      {"OOMPH", ""},
      {"", ""},
      {"LOADING Redis is loading the dataset in memory", "LOADING"},
      {"BUSY Redis is busy running a script.", "BUSY"},
      {"ERR unknown command", "ERR"},
      {"ERR The user executing the script can't publish to the channel", "NOPERM"},
      {"UNHEARD of", ""},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++)
    CHECK_STR(refusal_by_redis(cases[i].error)->code, cases[i].code);
  CHECK_STR(refusal_by_postgres("25006")->meaning, "it is read-only");
  CHECK_STR(refusal_by_postgres("XX000")->meaning, "see the log");
}

int main(void) {
  fake_init(&server, "redis");
  RUN(test_codes);
  RUN(test_forgotten_scripts);
  RUN(test_scripts_forgotten_at_once);
  RUN(test_other_commands_beside_forgotten_scripts);
  RUN(test_refusals);
  RUN(test_refused_connection);
  fake_done(&server);
  return test_done();
}
