#pragma once

#include "common/config.h"

/*
 * What a program inherits from its caller and must not depend on. Both are for the start of a
 * program, before it has threads.
 */

/* Opens those of descriptors 0 to 2 that are closed on /dev/null. Else the next file or connection
 * would get such a number, and log lines would go into it. Call it first. */
void environment_open_descriptors(void);

/* Removes libpq's variables (PG…), which would add to our settings. For a server that POSTGRES_HOST
 * names, those of libpq.def stay. */
void environment_forget_libpq(const struct config *config);
