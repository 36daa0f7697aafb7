/* Finding a call of an account. */

#include "calls/find.h"

#include "calls/id.h"
#include "calls/live/query.h"
#include "calls/row.h"
#include "common/clock.h"

#include <string.h>

/*
 * Asks Redis, and once more over a new connection when the old one turns out to be closed. Not
 * PostgreSQL at once: it may be ahead of Redis, and a client that was told its state would be told
 * an older one by Redis the next time.
 */
static enum live_find find_live(struct store *store, const char *id, struct call *call,
                                struct find_held *held) {
  enum live_find found = LIVE_DOWN;
  for (int tries = 0; found == LIVE_DOWN && tries < 2; tries++) {
    struct redis *redis = store_redis_for_reading(store);
    if (!redis)
      return LIVE_DOWN;
    find_done(held);
    found = live_find(redis, id, call, &held->reply);
    if (found == LIVE_DOWN)
      store_redis_failed(store);
  }
  return found;
}

static enum found find(struct store *store, const char *id, struct call *call,
                       struct find_held *held) {
  if (find_live(store, id, call, held) == LIVE_FOUND) /* the row is read if that fails */
    return FIND_FOUND;
  struct pg *pg = store_postgres(store);
  if (!pg)
    return FIND_DOWN;
  int64_t deadline_ms = clock_monotonic_ms() + ROW_READ_MS;
  if (row_find(pg, id, deadline_ms, call, &held->result) == PG_DONE)
    return held->result ? FIND_FOUND : FIND_ABSENT;
  store_postgres_failed(store);
  return FIND_DOWN;
}

/* Ids that we made carry their account's shard: those of another need not be looked up. */
static bool may_own(const char *api_key, const char *id) {
  return !id_is_ours(id) || id_shard(id) == id_shard_of_owner(api_key);
}

enum found find_call(struct store *store, const char *api_key, const char *id, struct call *call,
                     struct find_held *held) {
  *held = (struct find_held){0};
  if (!may_own(api_key, id))
    return FIND_ABSENT;
  enum found found = find(store, id, call, held);
  bool is_theirs = found == FIND_FOUND && strcmp(call->api_key, api_key) == 0 && call->metadata;
  return found == FIND_FOUND && !is_theirs ? FIND_ABSENT : found;
}

void find_done(struct find_held *held) {
  if (held->reply)
    freeReplyObject(held->reply);
  PQclear(held->result);
  *held = (struct find_held){0};
}
