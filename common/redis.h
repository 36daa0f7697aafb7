#pragma once

#include "common/cleanup.h"
#include "common/config.h"
#include "common/refusal.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>

/*
 * A connection to Redis that makes itself again when it broke. It knows the run id of the server it
 * is connected to and has all of lua/ loaded there. Commands are queued and sent together; every
 * read and write has a time-out, after which the connection is closed, never reused. Needs Redis 7.
 */
struct redis;

enum { REDIS_TIMEOUT_MS = 1000, REDIS_SENTINEL_TIMEOUT_MS = 300 };

/* `config` must outlive it. Does not connect yet. */
struct redis *redis_new(const struct config *config);
void redis_free(struct redis *redis);

/* Connects if it is not connected (it notices a connection that the server closed meanwhile),
 * authenticates, learns the run id, loads the scripts. Where there are Sentinels it asks one of
 * them for the master, and refuses a server that is no master. Blocks for a few REDIS_TIMEOUT_MS at
 * most.
 */
must_check bool redis_connect(struct redis *redis);
/* The same without the check whether the server closed the connection meanwhile (a system call):
 * for reads, which can be repeated when they fail. */
must_check bool redis_connect_for_reading(struct redis *redis);
/* The run id of the server; "" while not connected. */
const char *redis_run_id(const struct redis *redis);

/*
 * Queues a command, or a script of lua/ by its name; arguments are NUL-terminated except where
 * `lens` says otherwise (NULL: all are). Only after a successful redis_connect().
 */
void redis_queue(struct redis *redis, int argc, const char *const *argv, const size_t *lens);
void redis_queue_script(struct redis *redis, const char *script, int keys, int argc,
                        const char *const *argv, const size_t *lens);

/*
 * Sends what is queued and returns the next reply in order, to be freed (cleanup_reply). NULL: the
 * connection broke or timed out, and is closed; whatever was queued may or may not have been done.
 * A script that the server has forgotten (SCRIPT FLUSH) is loaded and run again, after all that is
 * queued. An error reply is logged and returned: a definite refusal. One that another connection
 * might not get (a replica's) closes the connection: the replies after it are NULL.
 */
must_check redisReply *redis_next(struct redis *redis);
/* Why the server refused a command or the connection; NULL when it has refused nothing since the
 * last redis_connect() began. */
const struct refusal *redis_refusal(const struct redis *redis);
/* True when the last failure was a time-out (so the server hangs, rather than being gone). */
bool redis_timed_out(const struct redis *redis);

/*
 * Subscribes, over a connection made anew, to `count` channels; from then on it takes no commands
 * but PING, and redis_pushed() returns what has arrived, to be freed, without blocking: NULL when
 * nothing has, or the connection broke and is closed. redis_fd() is what to wait on for more; -1
 * while not connected.
 */
must_check bool redis_subscribe(struct redis *redis, int count, const char *const *channels);
must_check redisReply *redis_pushed(struct redis *redis);
int redis_fd(const struct redis *redis);

/* The words of the command that authenticates: how many, 0 when none is needed. They point into
 * `config`. */
enum { REDIS_AUTH_WORDS = 3 };
int redis_auth(const struct config *config, const char *words[REDIS_AUTH_WORDS]);

/* An integer reply's value, or an integer element's; `otherwise` for anything else. */
long long redis_int(const redisReply *reply, long long otherwise);

static inline void cleanup_reply_(redisReply **reply) {
  if (*reply)
    freeReplyObject(*reply);
}
#define cleanup_reply __attribute__((cleanup(cleanup_reply_)))
