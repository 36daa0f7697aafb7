#pragma once

#include "calls/store.h"

/*
 * Adds the names of what the creation of a call needs and does not have now, separated by ", ", and
 * what is known of the reasons; nothing when a call can be created. Writes are tried once a second
 * at most. Blocks for a few seconds at most.
 */
void readiness_missing(struct store *store, struct buf *names);
