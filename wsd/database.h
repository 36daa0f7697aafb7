#pragma once

#include "common/cleanup.h"
#include "common/config.h"
#include "wsd/lookup_result.h"

#include <ev.h>
#include <stdbool.h>

/*
 * Looks calls up in PostgreSQL: those that Redis no longer has, and all while Redis is away. One
 * statement is under way at a time, so the lookups that come meanwhile share the next one.
 */
struct database;

enum { DATABASE_QUEUE_MAX = 10000, DATABASE_BATCH_MAX = 256, DATABASE_DEADLINE_MS = 2000 };

/* Begins to connect. `config` must outlive it. */
struct database *database_new(struct ev_loop *loop, const struct config *config,
                              struct lookup_owner owner);
/* Lookups under way get no result any more. */
void database_free(struct database *database);

/* Looks up the call with that id. The result comes later and within DATABASE_DEADLINE_MS. False
 * when too many lookups wait already. */
must_check bool database_look_up(struct database *database, const char *id, uint32_t ticket);
