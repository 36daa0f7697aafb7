#pragma once

#include "common/cleanup.h"

#include <stddef.h>

/*
 * Typing errors in names such as TIMESCALE for TIME_SCALE. Case and underscores do not count.
 */

/* How many characters must be inserted, removed or replaced to make one name of the other. */
must_check int nearest_distance(const char *a, const char *b);

/* Of `count` known names the one nearest to `name`, if it is so near that `name` can only be a
 * typing error; else NULL. */
const char *nearest_typo(const char *name, const char *const *known, size_t count);

/* The first known name of which `name` is a part, as API_KEYS is of VALID_API_KEYS; else NULL. */
const char *nearest_whole(const char *name, const char *const *known, size_t count);
