#pragma once

#include "common/cleanup.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/*
 * Connecting to a service by TCP or at a unix socket, for clients; for the databases there is
 * common/resolve.h. An address `where` is "host:port", "[v6]:port", ":port" for this host, or the
 * path of a socket (listen_is_unix()).
 */

struct dial_address {
  socklen_t len;
  union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
  };
};

/* Writes the addresses that `where` has, `max` of them at most, and returns how many; 0 when there
 * is none, and in `*error` why, a text that stays. Blocks while a host's name is resolved. */
must_check int dial_find(const char *where, struct dial_address *found, int max,
                         const char **error);

/* Connects to the first of the addresses that lets it, and waits `timeout_ms` at most for each.
 * Returns a socket (blocking, close-on-exec), the caller's to close; or -1, and in `*error` why. */
must_check int dial(const char *where, int timeout_ms, const char **error);
