/*
 * Now and then: whatever the record says should have moved on long ago gets its job again, should
 * that be gone from Redis although the live state is ready (somebody deleted it, Redis evicted it,
 * or Redis failed between a commit of `failed --retry` and the queueing). A job that is still there
 * stays as it is; one that runs once too often changes nothing.
 */

#include "worker/worker.h"

#include "common/clock.h"
#include "common/log.h"

#include <string.h>

enum { PAUSE_MS = 20000 };
static const char overdue_ms[] = "10000"; /* longer than a job's lease */

/* A Redis that throws keys away when it is full breaks the limits: slots and windows are keys. */
static void check_eviction(struct worker *w) {
  static bool warned;
  const char *const argv[] = {"INFO", "memory"};
  redis_queue(w->redis, 2, argv, NULL);
  cleanup_reply redisReply *info = redis_next(w->redis);
  if (!info || info->type != REDIS_REPLY_STRING)
    return;
  bool evicts = strstr(info->str, "maxmemory_policy:") &&
                !strstr(info->str, "maxmemory_policy:noeviction") &&
                !strstr(info->str, "maxmemory:0\r\n");
  if (evicts && !warned)
    log_warn("redis.evicts",
             "msg=\"Redis may evict rate-limit counters: set its "
             "maxmemory-policy to noeviction\"");
  warned = evicts;
}

bool audit_run(struct worker *w) {
  static int64_t next_ms;
  static struct reconcile_walk walk;
  static bool under_way;
  static long found;
  int64_t now_ms = clock_monotonic_ms();
  if (!under_way) {
    if (now_ms < next_ms)
      return false;
    next_ms = now_ms + PAUSE_MS;
    walk = (struct reconcile_walk){0};
    under_way = true;
    found = 0;
    check_eviction(w);
  }
  long restored = reconcile_page(w, overdue_ms, &walk);
  found += restored > 0 ? restored : 0;
  if (restored >= 0 && !walk.done)
    return true;
  under_way = false;
  if (found)
    log_info("calls.overdue", "found=%ld msg=\"missing jobs were restored\"", found);
  return false;
}
