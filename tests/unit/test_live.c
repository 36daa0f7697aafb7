/* calls/live/, before a Redis that says what time it is: when the next job of a call is due. */

#include "tests/unit/fake_redis.h"
#include "tests/unit/test.h"

#include "calls/live/apply.h"
#include "calls/live/claim.h"

#include <inttypes.h>

enum { STATE_MS = 2000 };
static const int64_t HOUR_US = INT64_C(3600000000);

/* What it says at the claim of each shard. */
static struct live_time clocks[ID_SHARDS];
static struct fake server;

/* Of scripts the first are the claims of all shards, in order; those after them apply transitions,
 * and the sixth argument behind three keys is the due time: it is the reply. */
static void reply_to_script(int fd, const redisReply *command) {
  static int scripts;
  char text[100];
  if (scripts++ < ID_SHARDS)
    snprintf(text, sizeof(text), "*5\r\n:1\r\n:7\r\n:%" PRId64 "\r\n:%" PRId64 "\r\n:-1\r\n",
             clocks[scripts - 1].wall_us, clocks[scripts - 1].now_us);
  else
    snprintf(text, sizeof(text), ":%s\r\n", command->element[3 + 3 + 5]->str);
  fake_say(fd, text);
}

static void reply(int fd, const redisReply *command) {
  if (fake_redis_is(command, "INFO"))
    fake_redis_say_run_id(fd);
  else if (fake_redis_is(command, "EVALSHA"))
    reply_to_script(fd, command);
  else
    fake_redis_say_script_name(fd);
}

static void serve(int fd) {
  fake_redis_serve(fd, reply);
}

/* Claims, and for each shard applies the transition of a call whose row says that it has entered a
 * state at that time. */
static void check_due(void (*check)(const struct live_claim *claim, int shard, int64_t due_us)) {
  fake_start(&server, serve);
  const struct config config = fake_redis_config(server.path, "");
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
    call.plan.duration_ms[1] = STATE_MS;
    live_apply_queue(redis, "done", &call, &claim.time[shard]);
    cleanup_reply redisReply *due = redis_next(redis);
    check(&claim, shard, redis_int(due, -1));
  }
  redis_free(redis);
  fake_stop(&server);
}

/* By the wall clock the state has its length to the microsecond, whichever shard the call is in. */
static void check_exact(const struct live_claim *claim, int shard, int64_t due_us) {
  int64_t skew_us = clocks[shard].wall_us - clocks[shard].now_us;
  CHECK_INT(due_us + skew_us, (claim->wall_us / 1000 + STATE_MS) * 1000);
}

static void test_shards_asked_one_after_the_other(void) {
  for (int shard = 0; shard < ID_SHARDS; shard++) {
    clocks[shard].wall_us = INT64_C(1795671519826123) + shard * 700;
    clocks[shard].now_us = clocks[shard].wall_us - shard * INT64_C(1000000000);
  }
  check_due(check_exact);
}

/* The wall clock says nothing then; by the shard's own the state has its length, but for what the
 * row has rounded. */
static void check_by_own_clock(const struct live_claim *claim, int shard, int64_t due_us) {
  int64_t length_us = due_us - clocks[shard].now_us;
  CHECK(length_us > (STATE_MS - 1) * 1000 && length_us <= STATE_MS * 1000 + ID_SHARDS * 700);
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
  fake_init(&server, "redis");
  RUN(test_shards_asked_one_after_the_other);
  RUN(test_clock_set_forward_meanwhile);
  RUN(test_clock_set_back_meanwhile);
  fake_done(&server);
  return test_done();
}
