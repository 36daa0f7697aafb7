#pragma once

#include "common/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;

/* What this worker knows of instances that share its database but not its Redis. Zeroed at the
 * start. Times are of the monotonic clock. */
struct rival {
  char said[48];          /* the run id that our session holds a lock for; "" for none */
  unsigned session;       /* the session of the database that holds it: pg_session() */
  int64_t say_at_ms;      /* when it is said again */
  int64_t seen_ms;        /* since when a rival has been there; 0: there is none */
  int64_t gone_ms;        /* when a rival that is not there any more counts as gone */
  int64_t quiet_until_ms; /* until then nothing is logged about it */
};

/* Says to all sessions of the database that the connected Redis holds the ready live state. Paces
 * itself: costs a round trip each three seconds, and when the session or the Redis is another. */
void rival_warn_off(struct worker *w);
/* Takes that back: that Redis does not answer any more. */
void rival_give_way(struct worker *w);
/* The same; and true when a worker says so of another Redis (which is logged, unless it may still
 * be a worker of this instance that has not noticed a loss of Redis), or did so shortly
 * before this one has been ready for the first time, or when the database does not answer. */
must_check bool rival_is_there(struct worker *w);
