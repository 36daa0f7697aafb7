/*
 * A rival is an instance with the same database but another Redis. Two such instances would end
 * each other's epochs for ever, for each rebuild makes the inserts of the other invalid. So the
 * workers of an instance whose live state is ready say which Redis holds it, by an advisory lock of
 * their sessions (sql/queries/redis_use.sql). A worker loads the open calls into another Redis only
 * when no such session is left. After a loss of Redis those sessions are of its own instance, whose
 * workers release their locks as soon as they notice the loss.
 *
 * Behind a transaction pooler there are no sessions, and a rival goes unnoticed.
 */

#include "worker/rival.h"

#include "common/clock.h"
#include "common/log.h"
#include "worker/worker.h"

#include <stdio.h>
#include <string.h>

enum {
  SAY_MS = 3000, /* less than the time after which redis_use.sql takes a worker for stopped */
  STEP_MS = 2000,
  QUIET_MS = 10000,
  OWN_MS =
      5000, /* until then it may be a worker of this instance that is in the middle of a batch */
  ABSENCE_MS = 10000, /* a rival that restarts its database is not gone */
};

static bool has_sessions(const struct worker *w) {
  return strcmp(w->config->postgres_pool_mode, "transaction") != 0;
}

/* Says whether the Redis that is connected is ready; the result tells of a rival. */
static bool say(struct worker *w, bool ready, PGresult **r) {
  const char *run_id = redis_run_id(w->redis);
  const char *const values[] = {run_id, ready ? "true" : "false"};
  if (pg_exec(w->pg, "redis_use", 2, values, clock_monotonic_ms() + STEP_MS, r) != PG_DONE)
    return false;
  snprintf(w->rival.said, sizeof(w->rival.said), "%s", ready ? run_id : "");
  return true;
}

void rival_warn_off(struct worker *w) {
  struct rival *rival = &w->rival;
  cleanup_pgresult PGresult *r = NULL;
  int64_t now_ms = clock_monotonic_ms();
  rival->seen_ms = 0;
  bool known =
      rival->session == pg_session(w->pg) && strcmp(rival->said, redis_run_id(w->redis)) == 0;
  if (!has_sessions(w) || (known && now_ms < rival->say_at_ms))
    return;
  rival->say_at_ms = now_ms + SAY_MS;
  if (say(w, true, &r))
    rival->session = pg_session(w->pg);
}

void rival_give_way(struct worker *w) {
  cleanup_pgresult PGresult *r = NULL;
  if (*w->rival.said && !say(w, false, &r))
    pg_disconnect(w->pg); /* which takes it back as well */
  w->rival.said[0] = '\0';
}

static void log_rival(struct rival *rival, const char *who, int64_t now_ms) {
  char quoted[160];
  if (now_ms - rival->seen_ms < OWN_MS || now_ms < rival->quiet_until_ms)
    return;
  rival->quiet_until_ms = now_ms + QUIET_MS;
  log_warn("live.rival",
           "session=\"%s\" msg=\"a worker with another Redis uses this database: stop its "
           "instance, or give this one a database of its own\"",
           log_quote(who, quoted, sizeof(quoted)));
}

bool rival_is_there(struct worker *w) {
  struct rival *rival = &w->rival;
  cleanup_pgresult PGresult *r = NULL;
  if (!has_sessions(w))
    return false;
  if (!say(w, false, &r))
    return true;
  int64_t now_ms = clock_monotonic_ms();
  if (!PQgetisnull(r, 0, 0)) {
    if (rival->seen_ms == 0)
      rival->seen_ms = now_ms;
    log_rival(rival, PQgetvalue(r, 0, 0), now_ms);
    rival->gone_ms = now_ms + ABSENCE_MS;
    return true;
  }
  rival->seen_ms = 0;
  return !w->was_ready && now_ms < rival->gone_ms;
}
