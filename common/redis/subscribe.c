/* Redis: a connection that listens to channels. */

#include "common/redis.h"

#include "common/redis/parts.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

bool redis_subscribe(struct redis *redis, int count, const char *const *channels) {
  const char *words[REDIS_ARGS_MAX + 1] = {"SUBSCRIBE"};
  assert(count <= REDIS_ARGS_MAX);
  memcpy(words + 1, channels, (size_t)count * sizeof(*channels));
  redis_disconnect(redis);
  if (!redis_connect_for_reading(redis))
    return false;
  if (redis->context->connection_type == REDIS_CONN_TCP)
    redisEnableKeepAlive(redis->context); /* notices a host that vanished */
  redis_queue(redis, count + 1, words, NULL);
  while (count-- > 0) { /* each channel is confirmed; an error is one reply for all */
    cleanup_reply redisReply *reply = redis_next(redis);
    if (!reply || reply->type == REDIS_REPLY_ERROR) {
      redis_disconnect(redis);
      return false;
    }
  }
  return true;
}

redisReply *redis_pushed(struct redis *redis) {
  void *reply = NULL;
  while (redis->context) {
    struct pollfd p = {.fd = redis->context->fd, .events = POLLIN};
    errno = 0;
    if (redisGetReplyFromReader(redis->context, &reply) != REDIS_OK ||
        (!reply && poll(&p, 1, 0) > 0 && redisBufferRead(redis->context) != REDIS_OK))
      redis_fail(redis, "listen");
    else if (reply || !p.revents)
      return reply;
  }
  return NULL;
}

int redis_fd(const struct redis *redis) {
  return redis->context ? redis->context->fd : -1;
}
