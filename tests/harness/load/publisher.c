/* Publishes events of calls, as the worker would. */

#include "tests/harness/load/publisher.h"

#include "calls/keys.h"
#include "calls/message.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/redis.h"
#include "tests/harness/load/loop.h"
#include "wsd/frame.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

enum { KEEP_MS = 300000 }; /* Redis forgets the calls by itself */

static struct {
  redisContext *redis;
  bool ready_frames;
  long owed; /* replies */
  struct buf line, text, frame;
} publisher;

struct publisher_errors publisher_errors;

static void queue(int argc, const char **argv, const size_t *lens) {
  if (redisAppendCommandArgv(publisher.redis, argc, argv, lens) != REDIS_OK)
    quit("Redis");
  publisher.owed++;
}

void publisher_send(void) {
  int done = 0;
  while (!done)
    if (redisBufferWrite(publisher.redis, &done) != REDIS_OK)
      quit("Redis");
}

/* The integers are PUBLISH's: how many had subscribed. */
void publisher_take_replies(void) {
  void *reply = NULL;
  if (redisBufferRead(publisher.redis) != REDIS_OK)
    quit("Redis");
  while (redisGetReplyFromReader(publisher.redis, &reply) == REDIS_OK && reply) {
    const redisReply *r = reply;
    publisher_errors.unheard += r->type == REDIS_REPLY_INTEGER && r->integer == 0;
    publisher_errors.redis += r->type == REDIS_REPLY_ERROR;
    publisher.owed--;
    freeReplyObject(reply);
  }
}

void publisher_flush(void) {
  publisher_send();
  while (publisher.owed > 0)
    publisher_take_replies();
}

int publisher_fd(void) {
  return publisher.redis->fd;
}

void publisher_open(const struct config *config, bool ready_frames, int64_t patience_us) {
  const struct timeval patience = {.tv_sec = patience_us / 1000000,
                                   .tv_usec = patience_us % 1000000};
  const char *host = config->resolved_redis_host;
  publisher.ready_frames = ready_frames;
  publisher.redis =
      *host == '/' ? redisConnectUnix(host) : redisConnect(host, (int)config->redis_port);
  if (!publisher.redis || publisher.redis->err ||
      redisSetTimeout(publisher.redis, patience) != REDIS_OK)
    quit("Redis");
  const char *words[REDIS_AUTH_WORDS];
  int count = redis_auth(config, words);
  if (count) {
    queue(count, words, NULL);
    publisher_flush();
  }
}

void publisher_close(void) {
  redisFree(publisher.redis);
  buf_done(&publisher.line);
  buf_done(&publisher.text);
  buf_done(&publisher.frame);
}

void publisher_new_call(struct call *call) {
  *call = (struct call){.seq = 1, .metadata = "{}", .metadata_len = 2};
  id_new(rand() % ID_SHARDS, call->id);
  plan_draw(&call->plan, 1, 0);
  call->entered_ms[0] = call->updated_ms = clock_wall_ms();
  snprintf(call->from, sizeof(call->from), "+1234567890");
  snprintf(call->to, sizeof(call->to), "+0987654321");
  snprintf(call->api_key, sizeof(call->api_key), "bench");
}

void publisher_move_on(struct call *call) {
  call->updated_ms = clock_wall_ms();
  if (call->seq < LIFECYCLE_STATES)
    call->entered_ms[call->seq] = call->updated_ms;
  else
    snprintf(call->recording_url, sizeof(call->recording_url), "https://bench.example/%d.mp3",
             call->seq);
  if (++call->seq == LIFECYCLE_STATES)
    call->upload = UPLOAD_PENDING; /* for ever: a call that is not final keeps its subscribers */
}

/* Leaves in `line` the packed line without the metadata, as it is published. */
void publisher_store(const struct call *call) {
  char key[KEYS_SIZE], keep[16];
  keys_call(call->id, key);
  snprintf(keep, sizeof(keep), "%d", (int)KEEP_MS);
  buf_clear(&publisher.line);
  call_pack(&publisher.line, call);
  size_t packed = publisher.line.len;
  buf_str(&publisher.line, "\n{}");
  const char *argv[] = {"SET", key, publisher.line.data, "PX", keep};
  const size_t lens[] = {3, strlen(key), publisher.line.len, 2, strlen(keep)};
  queue(ARRAY_LEN(argv), argv, lens);
  publisher.line.len = packed;
}

void publisher_announce(const struct call *call) {
  char channel[KEYS_SIZE];
  publisher_store(call);
  keys_events(id_shard(call->id), channel);
  struct buf *body = &publisher.line;
  if (publisher.ready_frames) {
    snprintf(channel, sizeof(channel), "bench:push");
    body = &publisher.frame;
    buf_clear(&publisher.text);
    buf_clear(body);
    buf_str(body, call->id);
    message_event(&publisher.text, call, call->seq);
    frame_text(body, publisher.text.data, publisher.text.len);
  }
  const char *argv[] = {"PUBLISH", channel, body->data};
  const size_t lens[] = {7, strlen(channel), body->len};
  queue(ARRAY_LEN(argv), argv, lens);
}
