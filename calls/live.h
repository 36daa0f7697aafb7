#pragma once

#include "calls/call.h"
#include "calls/job.h"
#include "calls/keys.h"
#include "calls/verdict.h"
#include "common/redis.h"

/*
 * What is live, in Redis: a typed handle for each script of lua/, and nothing that decides by
 * itself. Functions named *_queue only add to the pipeline; live_drain() then sends it and reads
 * as many replies. All of them need a redis_connect() first.
 */

enum {
  LIVE_KEEP_MS = 60000, /* how long the record of a final call stays */
  LIVE_LEASE_MS = 5000, /* how long a claimed job is its claimer's */
  LIVE_ASK_MS = 500,    /* workers that have nothing to do ask this often: see clock.lua */
};

struct live_limits {
  long max_concurrent, max_cps;
};

struct live_admission {
  int64_t epoch;    /* under which it was admitted */
  int64_t retry_ms; /* when refused by a limit: when a place is expected to be free */
  int64_t due_us;   /* when its first job is due; for live_release() */
};

/* Admits a call in its first state, or refuses it; fills in its times from Redis's clock. After
 * VERDICT_REFUSED redis_refusal() says why. */
enum verdict live_admit(struct redis *redis, struct call *call, const struct live_limits *limits,
                        struct live_admission *admission);
/* Takes back an admission whose call was not stored by us, and will not be. False when a worker may
 * be storing it already, or when Redis did not answer: then the first job decides. */
must_check bool live_release(struct redis *redis, const struct call *call,
                             const struct live_admission *admission);
/* The database has ended this epoch: removes the markers that still name it. */
void live_invalidate(struct redis *redis, int64_t epoch);

/* Does what an admission and a transition need, and leaves nothing. False when Redis refused it
 * (see redis_refusal()) or did not answer. */
must_check bool live_probe(struct redis *redis);

enum live_find {
  LIVE_FOUND,
  LIVE_ABSENT, /* or there without its metadata, since a rebuild */
  LIVE_LOST,   /* the live state is not ready: what is there may be old */
  LIVE_DOWN,
};
/* Reads a live record into `call`, which then points into `*reply`, to be freed by the caller. */
must_check enum live_find live_find(struct redis *redis, const char *id, struct call *call,
                                    redisReply **reply);

/* Redis's wall clock, by which calls are created, in ms since 1970; -1 when it did not answer. */
must_check int64_t live_wall_ms(struct redis *redis);

/* True if the live state of every shard is ready. `*down` when Redis did not answer. */
must_check bool live_is_ready(struct redis *redis, bool *down);

/* A shard's time at the end of a claim, µs: whatever follows from the claim is reckoned by it, even
 * if the wall clock is set meanwhile. */
struct live_time {
  int64_t wall_us; /* Redis's wall clock */
  int64_t now_us;  /* the clock by which the shard's calls wait, and jobs are due */
};

struct live_claim {
  struct job *jobs; /* of the claimer's own array of `most` */
  int count, max;
  int64_t epoch;
  int64_t wall_us; /* Redis's wall clock, for all shards */
  int64_t next_ms; /* from the claim until the next job is due; -1 when there is none */
  struct live_time time[KEYS_SHARDS];
  bool ready;
};

/* Claims what is due in all shards, in one round trip. False when Redis did not answer. */
must_check bool live_claim(struct redis *redis, struct live_claim *claim);

/*
 * Wake-ups. Whoever puts a job first into a shard's `due`, earlier than workers ask anyway, says so
 * on a channel. live_listen() makes `redis` a connection that hears all shards' and nothing else;
 * live_heard() says, without blocking, what has come: false when there is nothing (more).
 */
must_check bool live_listen(struct redis *redis);
must_check bool live_heard(struct redis *redis, int *shard, int64_t *due_us);

/* After `done` (a job's text) was done: brings Redis to where `call` stands in the record.
 * `claimed`: the time of the call's shard when the job was claimed. Returns in how many ms after
 * that the call's next job is due; -1 when it has none. */
int64_t live_apply_queue(struct redis *redis, const char *done, const struct call *call,
                         const struct live_time *claimed);
/* Replaces a job by another (or by itself) that is due `delay_ms` after the claim. */
void live_requeue_queue(struct redis *redis, const char *done, const struct job *job,
                        const struct live_time *claimed, int64_t delay_ms);
/* Forgets a job whose call is not in the record, and the slot that its API key (NULL: none known)
 * may hold for it. */
void live_drop_queue(struct redis *redis, const struct job *job, const char *api_key);
/* Puts an open call into the live state; its metadata stays in PostgreSQL. False, and nothing
 * queued, for a call that waits for nothing. */
must_check bool live_restore_queue(struct redis *redis, const struct call *call);
/* Sends the pipeline and reads `count` replies; false when Redis did not answer all. */
must_check bool live_drain(struct redis *redis, int count);

/* A rebuild: sets the token in every shard and removes all that an older live state may have left;
 * at its end marks every shard whole where the token is still there. */
must_check bool live_rebuild_begin(struct redis *redis, const char *token);
must_check bool live_rebuild_end(struct redis *redis, const char *token, int64_t epoch);
