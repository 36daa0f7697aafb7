#pragma once

#include "common/cleanup.h"
#include "common/config.h"
#include "wsd/lookup_result.h"

#include <ev.h>
#include <stdbool.h>

/*
 * Asks the record itself, PostgreSQL, for calls that Redis no longer has or while Redis is away.
 * One connection, never blocking; everybody who waits is asked for in the next statement together.
 */
struct cold;

enum { COLD_QUEUE_MAX = 10000, COLD_BATCH_MAX = 256, COLD_DEADLINE_MS = 2000 };

/* Begins to connect. `config` must outlive it. */
struct cold *cold_new(struct ev_loop *loop, const struct config *config, struct lookup_owner owner);
/* What was asked for is not answered any more. */
void cold_free(struct cold *cold);

/* Asks for the call of that id. The answer comes later and within COLD_DEADLINE_MS. False when too
 * many wait already. */
must_check bool cold_ask(struct cold *cold, const char *id, uint32_t ticket);
