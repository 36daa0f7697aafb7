#pragma once

#include "common/cleanup.h"

enum { LISTEN_BACKLOG = 1024 };

/*
 * Listens on "host:port", "[v6]:port", or ":port" for every address. Returns a socket
 * (non-blocking, close-on-exec), the caller's to close. On failure -1, with errno as the failed
 * call left it (EINVAL where no call did) and in `*fault` why, a text that stays. Blocks while a
 * host's name is resolved.
 */
must_check int listen_tcp(const char *where, const char **fault);
