/* calls/live/, before a Redis that says what time it is: when the next job of a call is due. */

#include "tests/unit/test.h"

#include "calls/live/apply.h"
#include "calls/live/claim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STAGE_MS = 2000 };
static const int64_t HOUR_US = INT64_C(3600000000);

/* What it says at the claim of each shard. */
static struct live_time clocks[ID_SHARDS];
static char folder[] = "/tmp/mcs-test-live.XXXXXX", path[sizeof(folder) + 8];

static void answer(int fd, const char *text) {
  if (write(fd, text, strlen(text)) < 0)
    _exit(1);
}

/* The reply to a command. Of scripts the first are the claims of all shards, in order; those behind
 * are settlements, whose sixth argument behind three keys is the due time: it is the reply. */
static void answer_command(int fd, const redisReply *command) {
  static int scripts;
  char text[100] = "$40\r\n0123456789012345678901234567890123456789\r\n"; /* a script's name */
  if (strcmp(command->element[0]->str, "INFO") == 0)
    snprintf(text, sizeof(text), "$11\r\nrun_id:abcd\r\n");
  else if (strcmp(command->element[0]->str, "EVALSHA") == 0 && scripts++ < ID_SHARDS)
    snprintf(text, sizeof(text), "*5\r\n:1\r\n:7\r\n:%" PRId64 "\r\n:%" PRId64 "\r\n:-1\r\n",
             clocks[scripts - 1].wall_us, clocks[scripts - 1].now_us);
  else if (strcmp(command->element[0]->str, "EVALSHA") == 0)
    snprintf(text, sizeof(text), ":%s\r\n", command->element[3 + 3 + 5]->str);
  answer(fd, text);
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

static pid_t start_server(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
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

/* Claims, and for each shard settles a call that the record says has entered a state at that time.
 */
static void check_due(void (*check)(const struct live_claim *claim, int shard, int64_t due_us)) {
  pid_t child = start_server();
  const struct config config = {.redis_host = path,
                                .resolved_redis_host = path,
                                .redis_username = "",
                                .redis_password = "",
                                .redis_sentinels = ""};
  struct redis *redis = redis_new(&config);
  struct job jobs[ID_SHARDS];
  struct live_claim claim = {.jobs = jobs, .max = ID_SHARDS};
  CHECK(redis_connect(redis));
  CHECK(live_claim(redis, &claim));
  CHECK(claim.ready && claim.epoch == 7 && claim.next_ms == -1 && claim.count == 0);
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    struct call call = {.seq = 2, .api_key = "k", .from = "+1", .to = "+2"};
    snprintf(call.id, sizeof(call.id), "01a20472-6b23-7506-9539-4ab0d1e2f3a%x", shard);
    CHECK_INT(id_shard(call.id), shard);
    call.entered_ms[0] = call.entered_ms[1] = call.updated_ms = claim.wall_us / 1000;
    call.plan.duration_ms[1] = STAGE_MS;
    live_apply_queue(redis, "done", &call, &claim.time[shard]);
    cleanup_reply redisReply *due = redis_next(redis);
    check(&claim, shard, redis_int(due, -1));
  }
  redis_free(redis);
  waitpid(child, NULL, 0);
}

/* By the wall clock the state has its length to the microsecond, whichever shard the call is in. */
static void check_exact(const struct live_claim *claim, int shard, int64_t due_us) {
  int64_t skew_us = clocks[shard].wall_us - clocks[shard].now_us;
  CHECK_INT(due_us + skew_us, (claim->wall_us / 1000 + STAGE_MS) * 1000);
}

static void test_shards_asked_one_after_the_other(void) {
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    clocks[shard].wall_us = INT64_C(1795671519826123) + shard * 700;
    clocks[shard].now_us = clocks[shard].wall_us - shard * INT64_C(1000000000);
  }
  check_due(check_exact);
}

/* The wall clock says nothing then; by the shard's own the state has its length, but for what the
 * record has rounded. */
static void check_by_own_clock(const struct live_claim *claim, int shard, int64_t due_us) {
  int64_t length_us = due_us - clocks[shard].now_us;
  CHECK(length_us > (STAGE_MS - 1) * 1000 && length_us <= STAGE_MS * 1000 + ID_SHARDS * 700);
}

static void set_clock_in_the_middle(int64_t by_us) {
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    clocks[shard].wall_us = INT64_C(1795671519826123) + shard * 700 + (shard < 8 ? 0 : by_us);
    clocks[shard].now_us = INT64_C(1795671519826123) + shard * 700;
  }
  check_due(check_by_own_clock);
}

static void test_clock_set_forward_meanwhile(void) {
  set_clock_in_the_middle(HOUR_US);
}

static void test_clock_set_back_meanwhile(void) {
  set_clock_in_the_middle(-HOUR_US);
}

int main(void) {
  if (!mkdtemp(folder))
    return 1;
  snprintf(path, sizeof(path), "%s/redis", folder);
  RUN(test_shards_asked_one_after_the_other);
  RUN(test_clock_set_forward_meanwhile);
  RUN(test_clock_set_back_meanwhile);
  unlink(path);
  rmdir(folder);
  return test_done();
}
