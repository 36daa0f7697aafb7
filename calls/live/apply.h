#pragma once

#include "calls/call.h"
#include "calls/job.h"
#include "calls/live/claim.h"
#include "common/redis.h"

/*
 * What follows in Redis from a job that was done. Functions named *_queue only add to the pipeline;
 * live_drain() then sends it and reads as many replies. All of them need a redis_connect() first.
 */

/* Applies a committed transition: brings Redis to where `call` stands in its row, what comes next
 * (calls/next.h) included, and removes `done` (a job's text). Nothing older replaces anything
 * newer. `claimed`: the time of the call's shard when the job was claimed. Returns in how many ms
 * after that the call's next job is due; -1 when it has none. */
int64_t live_apply_queue(struct redis *redis, const char *done, const struct call *call,
                         const struct live_time *claimed);

/* Replaces a job by another (or by itself) that is due `delay_ms` after the claim. */
void live_requeue_queue(struct redis *redis, const char *done, const struct job *job,
                        const struct live_time *claimed, int64_t delay_ms);

/* Removes a job whose call has no row, and the slot that its API key (NULL: not known) may hold for
 * it. */
void live_drop_queue(struct redis *redis, const struct job *job, const char *api_key);

/* Sends the pipeline and reads `count` replies; false when Redis did not answer all, or refused
 * one. Blocks for one round trip. */
must_check bool live_drain(struct redis *redis, int count);
