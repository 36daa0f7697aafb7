#pragma once

#include "calls/call.h"
#include "common/redis.h"

/*
 * The live state's loss and return. A worker begins a rebuild, restores all open calls, and ends
 * it; the order that makes this safe is in worker/reconcile.c. All functions need a redis_connect()
 * first; all but live_restore_queue() block until Redis has answered.
 */

/* Sets the token in every shard, removes the markers, and then all that an older live state may
 * have left. False when Redis did not answer. */
must_check bool live_rebuild_begin(struct redis *redis, const char *token);

/* Adds to the pipeline: puts an open call into the live state; its metadata stays in PostgreSQL.
 * What is there already and newer stays. False, and nothing added, for a call that is final. */
must_check bool live_restore_queue(struct redis *redis, const struct call *call);

/* Marks every shard as ready where the token is still there. False when one was not marked. */
must_check bool live_rebuild_end(struct redis *redis, const char *token, int64_t epoch);

/* The database has ended this epoch: removes the markers that still name it. */
void live_invalidate(struct redis *redis, int64_t epoch);
