/* common/redis/async.c, before a server that hangs, refuses and goes away. */

#include "tests/unit/fake_redis.h"
#include "tests/unit/loop.h"
#include "tests/unit/test.h"

#include "common/redis/async.h"

#include <netinet/in.h>

static struct ev_loop *loop;
static struct fake server;
static struct redis_async *client;

/* --- the server ------------------------------------------------------------------------------- */

static struct {
  int commands;                                       /* it replies to so many, */
  bool ends;                                          /* and then ends the connection, or hangs */
  const char *to_auth, *to_ping, *to_role, *to_write; /* NULL: as usual */
  int port;                                           /* that the Sentinel in it names */
} plan;

static const char *reply_of(const redisReply *command) {
  static char master[80];
  if (fake_redis_is(command, "AUTH"))
    return plan.to_auth ? plan.to_auth : "+OK\r\n";
  if (fake_redis_is(command, "PING"))
    return plan.to_ping ? plan.to_ping : "+PONG\r\n";
  if (fake_redis_is(command, "DEL"))
    return plan.to_write ? plan.to_write : ":0\r\n";
  if (fake_redis_is(command, "ROLE"))
    return plan.to_role ? plan.to_role : "*1\r\n$6\r\nmaster\r\n";
  if (!fake_redis_is(command, "SENTINEL"))
    return "+OK\r\n";
  snprintf(master, sizeof(master), "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n%d\r\n", plan.port);
  return master;
}

static void reply(int fd, const redisReply *command) {
  if (plan.commands-- > 0)
    fake_say(fd, reply_of(command));
  else if (plan.ends)
    shutdown(fd, SHUT_RDWR);
}

static void serve(int fd) {
  fake_redis_serve(fd, reply);
}

/* --- the owner -------------------------------------------------------------------------------- */

static int connected, lost, lost_ready, replied, unreplied;

static void on_first_reply(redisAsyncContext *redis, void *reply_, void *arg) {
  const redisReply *r = reply_;
  replied += r != NULL;
  unreplied += r == NULL;
  if (r && redis->data && r->type == REDIS_REPLY_STATUS)
    redis_async_ready(client);
}

static void on_connected(void *arg) {
  connected++;
  redisAsyncCommand(redis_async_context(client), on_first_reply, NULL, "FIRST");
}

static void on_lost(void *arg, bool was_ready) {
  lost++;
  lost_ready += was_ready;
}

static bool is_ready(void) {
  return redis_async_is_ready(client);
}

static bool is_lost(void) {
  return lost > 0;
}

static bool is_lost_when_ready(void) {
  return lost_ready > 0;
}

static bool is_connected_again(void) {
  return connected >= 2 && redis_async_is_ready(client);
}

static bool has_failed_four_times(void) {
  return lost >= 4;
}

static void start_client(const struct config *config) {
  static const struct redis_async_owner owner = {.on_connected = on_connected, .on_lost = on_lost};
  connected = lost = lost_ready = replied = unreplied = 0;
  client = redis_async_new(loop, config, "test", &owner);
  CHECK(!redis_async_context(client));
}

static void start(const char *password) {
  static struct config config;
  config = fake_redis_config(server.path, password);
  fake_start(&server, serve);
  start_client(&config);
}

static void stop(void) {
  redis_async_free(client);
  fake_stop(&server);
  memset(&plan, 0, sizeof(plan));
}

/* --- the tests -------------------------------------------------------------------------------- */

static void test_becomes_ready(void) {
  plan.commands = 2;
  start("secret");
  loop_run_until(loop, is_ready);
  CHECK_INT(connected, 1);
  CHECK_INT(replied, 1);
  CHECK_INT(lost, 0);
  CHECK(redis_async_context(client) != NULL);
  stop();
}

static void test_comes_back(void) {
  plan.commands = 1;
  plan.ends = true; /* at the heartbeat */
  start("");
  loop_run_until(loop, is_lost_when_ready);
  CHECK(!redis_async_is_ready(client));
  CHECK(!redis_async_context(client));
  fake_stop(&server);
  plan.commands = 1000;
  fake_start(&server, serve);
  loop_run_until(loop, is_connected_again);
  stop();
}

/* After 0.1, 0.2 and 0.4 s; the loop's time is a little behind. */
static void test_backs_off(void) {
  static struct config config;
  config = fake_redis_config(server.path, "");
  start_client(&config); /* nobody listens */
  CHECK(loop_run_until(loop, has_failed_four_times) > 600);
  CHECK_INT(connected, 0);
  CHECK_INT(lost_ready, 0);
  redis_async_free(client);
}

static void test_wrong_password(void) {
  plan.commands = 1000;
  plan.to_auth = "-WRONGPASS no\r\n";
  start("wrong");
  loop_run_until(loop, is_lost);
  CHECK_INT(lost_ready, 0);
  stop();
}

static void test_first_command_unanswered(void) {
  plan.commands = 0;
  start("");
  CHECK(loop_run_until(loop, is_lost) > REDIS_ASYNC_READY_S * 1000 - 100);
  CHECK_INT(lost_ready, 0);
  CHECK_INT(unreplied, 1);
  stop();
}

static void test_hangs_when_ready(void) {
  plan.commands = 1;
  start("");
  CHECK(loop_run_until(loop, is_lost) > REDIS_ASYNC_SILENCE_MS);
  CHECK_INT(lost_ready, 1);
  stop();
}

/* An error is a reply: the server does not hang. */
static void test_ping_is_denied(void) {
  plan.commands = 4;
  plan.ends = true;
  plan.to_ping = "-NOPERM no\r\n";
  start("");
  CHECK(loop_run_until(loop, is_lost) > 3000); /* at the fourth heartbeat, not the first */
  CHECK_INT(lost_ready, 1);
  stop();
}

static void test_broken_by_its_owner(void) {
  plan.commands = 1000;
  start("");
  loop_run_until(loop, is_ready);
  redisAsyncCommand(redis_async_context(client), on_first_reply, NULL, "NEXT");
  redis_async_break(client, "a reason");
  CHECK_INT(unreplied, 1);
  CHECK_INT(lost_ready, 1);
  CHECK(!redis_async_is_ready(client));
  redis_async_break(client, "there is nothing to break");
  CHECK_INT(lost, 1);
  loop_run_until(loop, is_connected_again);
  CHECK_INT(lost, 1);
  stop();
}

static void test_freed_with_a_command_under_way(void) {
  plan.commands = 1;
  start("");
  loop_run_until(loop, is_ready);
  redisAsyncCommand(redis_async_context(client), on_first_reply, NULL, "NEXT");
  stop();
  CHECK_INT(unreplied, 1);
  CHECK_INT(lost, 0);
}

/* --- with a Sentinel -------------------------------------------------------------------------- */

/* One server is the Sentinel and the Redis that it names. */
static pid_t start_with_sentinel(void) {
  static char sentinel[40];
  static struct config config;
  struct sockaddr_in address = {0};
  socklen_t len = sizeof(address);
  const char *error;
  int listener = listen_tcp("127.0.0.1:0", &error);
  CHECK(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
  plan.port = ntohs(address.sin_port);
  plan.commands = 1000;
  pid_t process = fake_start_on(listener, serve);
  snprintf(sentinel, sizeof(sentinel), "127.0.0.1:%d", plan.port);
  config = fake_redis_config(server.path, "");
  config.redis_sentinels = sentinel;
  config.redis_master_name = "mymaster";
  start_client(&config);
  return process;
}

static void stop_with_sentinel(pid_t process) {
  redis_async_free(client);
  fake_kill(process);
  memset(&plan, 0, sizeof(plan));
}

static void test_sentinel_names_the_master(void) {
  pid_t process = start_with_sentinel();
  loop_run_until(loop, is_ready);
  CHECK_INT(lost, 0);
  CHECK_INT(connected, 1);
  stop_with_sentinel(process);
}

static void test_named_master_is_a_replica(void) {
  plan.to_role = "*1\r\n$5\r\nslave\r\n";
  pid_t process = start_with_sentinel();
  loop_run_until(loop, has_failed_four_times);
  stop_with_sentinel(process);
}

static void test_master_is_cut_off(void) {
  plan.to_write = "-NOREPLICAS Not enough good replicas to write.\r\n";
  pid_t process = start_with_sentinel();
  loop_run_until(loop, is_lost_when_ready);
  stop_with_sentinel(process);
}

int main(void) {
  loop = ev_default_loop(0);
  signal(SIGPIPE, SIG_IGN);
  fake_init(&server, "redis");
  RUN(test_becomes_ready);
  RUN(test_comes_back);
  RUN(test_wrong_password);
  RUN(test_first_command_unanswered);
  RUN(test_hangs_when_ready);
  RUN(test_ping_is_denied);
  RUN(test_broken_by_its_owner);
  RUN(test_freed_with_a_command_under_way);
  RUN(test_backs_off);
  RUN(test_sentinel_names_the_master);
  RUN(test_named_master_is_a_replica);
  RUN(test_master_is_cut_off);
  fake_done(&server);
  ev_loop_destroy(loop);
  return test_done();
}
