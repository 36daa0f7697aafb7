#pragma once

#include "calls/id.h"
#include "calls/job.h"
#include "common/redis.h"

/*
 * Claiming jobs that are due, and hearing of those that become due early. All functions need a
 * redis_connect() first.
 */

enum {
  LIVE_LEASE_MS = 5000, /* how long a claimed job is its claimer's */
  LIVE_ASK_MS = 500,    /* idle workers claim this often: see lua/clock.lua */
};

/* A shard's time at the end of a claim, in µs. All that follows from the claim is computed from it,
 * even if the wall clock is set meanwhile. */
struct live_time {
  int64_t wall_us; /* Redis's wall clock */
  int64_t now_us;  /* the clock by which the shard's calls wait, and jobs are due */
};

struct live_claim {
  struct job *jobs; /* the claimer's array, of `max` */
  int count, max;
  int64_t epoch;
  int64_t wall_us; /* Redis's wall clock, for all shards */
  int64_t next_ms; /* from the claim until the next job is due; -1 when there is none */
  struct live_time time[ID_SHARDS];
  bool ready; /* the live state is ready; nothing was claimed where it is not */
};

/* Claims what is due in all shards, in one round trip. False when Redis did not answer. */
must_check bool live_claim(struct redis *redis, struct live_claim *claim);

/*
 * Wake-ups. A script that puts a job first into a shard's `due`, due before workers ask anyway,
 * publishes that on a channel. live_listen() makes `redis` a connection that is subscribed to all
 * shards' channels and good for nothing else; live_heard() says, without blocking, what has come:
 * false when there is nothing (more).
 */
must_check bool live_listen(struct redis *redis);
must_check bool live_heard(struct redis *redis, int *shard, int64_t *due_us);
