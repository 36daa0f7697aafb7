#pragma once

#include "common/cleanup.h"

#include <stdbool.h>
#include <sys/stat.h>

enum { LISTEN_BACKLOG = 1024 };

/*
 * Listens on "host:port", "[v6]:port", or ":port" for every address; "[::]" is every address, too.
 * Of a name that has both, an IPv4 address, which is what web servers connect to. Returns a socket
 * (non-blocking, close-on-exec), the caller's to close. On failure -1, with errno as the failed
 * call left it (EINVAL where no call did) and in `*error` why, a text that stays. Blocks while a
 * host's name is resolved.
 */
must_check int listen_tcp(const char *where, const char **error);

/*
 * Listens on a unix socket of that path, mode 0660, and replaces what was there: it binds another
 * name and renames that, so that a process listens at the path at any time.
 * Returns a socket as listen_tcp() does; `*made` is what the path names then. On failure -1 and
 * why.
 */
must_check int listen_unix(const char *path, struct stat *made, const char **error);

/* Whether an address names a unix socket by its path; else it is one for listen_tcp(). */
bool listen_is_unix(const char *where);
