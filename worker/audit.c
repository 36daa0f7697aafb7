/*
 * The audit restores missing jobs. A key can vanish from Redis although the live state is ready:
 * somebody deletes it, Redis evicts it, or Redis fails after the commit of `failed --retry`. So the
 * audit walks through the open rows, and a call that should have moved on long ago gets its job
 * again. A job that is there stays as it is, and a job that runs twice changes nothing.
 */

#include "worker/audit.h"

#include "common/clock.h"
#include "common/log.h"
#include "worker/worker.h"

#include <string.h>

static const char overdue_ms[] = "10000"; /* longer than a job's lease */

/* A Redis that evicts keys breaks the limits: slots and windows are keys. */
static void check_eviction(struct worker *w) {
  const char *const argv[] = {"INFO", "memory"};
  redis_queue(w->redis, 2, argv, NULL);
  cleanup_reply redisReply *info = redis_next(w->redis);
  if (!info || info->type != REDIS_REPLY_STRING)
    return;
  bool evicts = strstr(info->str, "maxmemory_policy:") &&
                !strstr(info->str, "maxmemory_policy:noeviction") &&
                !strstr(info->str, "maxmemory:0\r\n");
  if (evicts && !w->audit.evicts_said)
    log_warn("redis.evicts",
             "msg=\"Redis may evict rate-limit counters: set its "
             "maxmemory-policy to noeviction\"");
  w->audit.evicts_said = evicts;
}

static void begin(struct worker *w, int64_t now_ms) {
  struct audit *audit = &w->audit;
  audit->next_ms = now_ms + AUDIT_PAUSE_MS;
  audit->walk = (struct reconcile_walk){0};
  audit->found = 0;
  audit->under_way = true;
  check_eviction(w);
}

bool audit_run(struct worker *w) {
  struct audit *audit = &w->audit;
  int64_t now_ms = clock_monotonic_ms();
  if (!audit->under_way && now_ms < audit->next_ms)
    return false;
  if (!audit->under_way)
    begin(w, now_ms);
  long restored = reconcile_page(w, overdue_ms, &audit->walk);
  if (restored > 0)
    audit->found += restored;
  audit->under_way = restored >= 0 && !audit->walk.done;
  if (!audit->under_way && audit->found)
    log_info("calls.overdue", "found=%ld msg=\"missing jobs were restored\"", audit->found);
  return audit->under_way;
}
