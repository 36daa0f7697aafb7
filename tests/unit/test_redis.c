/* common/redis.c, before a server that forgets scripts and refuses things. */

#include "tests/unit/test.h"

#include "common/redis.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/mcs-test-redis.XXXXXX", path[sizeof(folder) + 8];

/* What the server of a test does: its replies to the n-th script, by a letter each. `.` is the
 * script's first argument as a string, `n` NOSCRIPT, `o` OOM, `r` READONLY, `x` ends it. Behind the
 * last letter all is `.`. */
static const char *plan;
/* How it answers SCRIPT LOAD behind the first round. */
static bool refuses_to_load;

static void answer(int fd, const char *text) {
  if (write(fd, text, strlen(text)) < 0)
    _exit(1);
}

static void answer_script(int fd, const redisReply *command) {
  char text[100];
  const char *argument = command->element[3]->str;
  switch (*plan ? *plan++ : '.') {
  case '.':
    snprintf(text, sizeof(text), "$%zu\r\n%s\r\n", strlen(argument), argument);
    answer(fd, text);
    return;
  case 'n':
    answer(fd, "-NOSCRIPT No matching script.\r\n");
    return;
  case 'o':
    answer(fd, "-OOM command not allowed\r\n");
    return;
  case 'r':
    answer(fd, "-READONLY You can't write against a read only replica.\r\n");
    return;
  }
  _exit(0);
}

static void answer_command(int fd, const redisReply *command) {
  static bool ran;
  const char *name = command->element[0]->str;
  if (strcmp(name, "EVALSHA") == 0) {
    ran = true;
    answer_script(fd, command);
  } else if (strcmp(name, "SCRIPT") == 0) {
    answer(fd, ran && refuses_to_load ? "-NOPERM no\r\n"
                                      : "$40\r\n0123456789012345678901234567890123456789\r\n");
  } else if (strcmp(name, "INFO") == 0) {
    answer(fd, "$11\r\nrun_id:abcd\r\n");
  } else if (strcmp(name, "PING") == 0) {
    answer(fd, "+PONG\r\n");
  } else if (strcmp(name, "AUTH") == 0) {
    answer(fd, "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
  }
}

/* One connection, in a process of its own. A command is an array of strings, as a reply may be. */
static void serve(int listener) {
  char buffer[65536];
  ssize_t got;
  int fd = accept(listener, NULL, NULL);
  redisReader *reader = redisReaderCreate();
  while ((got = read(fd, buffer, sizeof(buffer))) > 0) {
    void *command = NULL;
    redisReaderFeed(reader, buffer, (size_t)got);
    while (redisReaderGetReply(reader, &command) == REDIS_OK && command) {
      answer_command(fd, command);
      freeReplyObject(command);
    }
  }
  redisReaderFree(reader);
  _exit(0);
}

static pid_t start_server(const char *its_plan) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  plan = its_plan;
  snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  unlink(path);
  CHECK(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
  CHECK(listen(listener, 1) == 0);
  pid_t child = fork();
  if (child == 0)
    serve(listener);
  close(listener);
  return child;
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
  config = (struct config){.redis_host = path,
                           .resolved_redis_host = path,
                           .redis_username = "",
                           .redis_password = password,
                           .redis_sentinels = ""};
  return &config;
}

static void check_pipeline(const char *its_plan, const char *text, const char *expected,
                           const char *refusal) {
  char got[40];
  pid_t child = start_server(its_plan);
  struct redis *redis = redis_new(config_with(""));
  CHECK(redis_connect(redis));
  CHECK(!redis_refusal(redis));
  run_scripts(redis, text, got);
  CHECK_STR(got, expected);
  CHECK_STR(redis_refusal(redis) ? redis_refusal(redis)->code : NULL, refusal);
  redis_free(redis);
  waitpid(child, NULL, 0);
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
  pid_t child = start_server("n");
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
  waitpid(child, NULL, 0);
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
  pid_t child = start_server("");
  struct redis *redis = redis_new(config_with("wrong"));
  CHECK(!redis_connect(redis));
  CHECK_STR(redis_refusal(redis) ? redis_refusal(redis)->code : NULL, "WRONGPASS");
  redis_free(redis);
  waitpid(child, NULL, 0);
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
  if (!mkdtemp(folder))
    return 1;
  snprintf(path, sizeof(path), "%s/redis", folder);
  RUN(test_codes);
  RUN(test_forgotten_scripts);
  RUN(test_scripts_forgotten_at_once);
  RUN(test_other_commands_beside_forgotten_scripts);
  RUN(test_refusals);
  RUN(test_refused_connection);
  unlink(path);
  rmdir(folder);
  return test_done();
}
