#pragma once

#include "common/config.h"

/*
 * What a program inherits from its caller and must not depend on. Both are for the start of a
 * program, before it has threads.
 */

/* Opens descriptors 0 to 2, those that are closed, on /dev/null: whatever is opened next would get
 * their numbers, and log lines would go into a connection. To be called first. */
void environment_open_descriptors(void);

/* Removes libpq's variables (PG…), which would add to our settings, but for a server that
 * POSTGRES_HOST names those of libpq.def. */
void environment_forget_libpq(const struct config *config);
