#pragma once

#include "common/cleanup.h"
#include "common/config.h"
#include "wsd/lookup_result.h"

#include <ev.h>
#include <stdbool.h>

/*
 * Finds out how a call stands: from Redis, if its live state is ready and it answers in time, else
 * from PostgreSQL (database.h).
 */
struct lookup;

enum { LOOKUP_REDIS_MS = 1000 };

/* Begins to connect. `config` must outlive it. */
struct lookup *lookup_new(struct ev_loop *loop, const struct config *config,
                          struct lookup_owner owner);
/* Lookups under way get no result any more. */
void lookup_free(struct lookup *lookup);

/* Looks a call up. The result comes later, within LOOKUP_REDIS_MS + DATABASE_DEADLINE_MS. False
 * when too many wait already. */
must_check bool lookup_start(struct lookup *lookup, const char *id, uint32_t ticket);
