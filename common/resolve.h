#pragma once

#include "common/cleanup.h"
#include "common/config.h"

#include <stdint.h>

/*
 * The addresses of a host, without blocking for a name server that is slow or away. The C library's
 * resolver has no deadline, so a thread for each name asks it, and the caller waits for as long as
 * it likes. For one thread of the program only; it may fork.
 *
 * A result holds for RESOLVE_FRESH_MS, so the next connection follows a name that moved. The last
 * good result serves while the resolver is slow or away. After a failure all callers fail at once
 * until there is a better result.
 */
enum {
  RESOLVE_ADDRESSES_MAX = 8, /* of one name; the rest is left out */
  RESOLVE_FRESH_MS = 500,
  RESOLVE_PATIENCE_MS = 1000,      /* after that a lookup under way counts as failed */
  RESOLVE_STALE_PATIENCE_MS = 250, /* the same where there is an older result */
  RESOLVE_FAILED_MS = 5000,        /* an error holds so long before the name is looked up anew */
  RESOLVE_SHARE_MS = 700,          /* enough for TLS and a password over a slow network */
};

#define RESOLVE_POLL_S 0.02 /* after which one that may not block asks again */

/* In the order to try them: the resolver's (RFC 6724), but those to which a connection failed last.
 */
struct resolved {
  int count;
  char address[RESOLVE_ADDRESSES_MAX][CONFIG_ITEM_SIZE]; /* numeric; a socket's path as it was */
};

enum resolve_status {
  RESOLVE_FOUND,   /* `resolved` has one address at least */
  RESOLVE_PENDING, /* ask again soon */
  RESOLVE_FAILED,
};

/* Finds the addresses of a name, of a numeric address or of a unix socket's path (both are their
 * own). Never blocks. `*why` is set when it failed, a text that stays. */
must_check enum resolve_status resolve_poll(const char *host, struct resolved *resolved,
                                            const char **why);
/* The same, but blocks until it is known, or `deadline_ms` (monotonic) at most. Pending then means
 * that the deadline passed, and `*why` is set. */
must_check enum resolve_status resolve_wait(const char *host, int64_t deadline_ms,
                                            struct resolved *resolved, const char **why);
/* How much of `left_ms` one of the `count` addresses that are left may take: an equal share, but at
 * least RESOLVE_SHARE_MS, for the later ones come first the next time. */
int64_t resolve_share_ms(int64_t left_ms, int count);
/* A connection to that address of the host failed: the others come first from now on. */
void resolve_avoid(const char *host, const char *address);
