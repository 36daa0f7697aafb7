#pragma once

#include "common/cleanup.h"
#include "wsd/server.h"

#include <stdbool.h>

/* The listening socket: where the web server's proxy, or a client, connects. */
struct listener;

/* Listens at `where`, a socket's path (mode 0660; what is there is replaced) or host:port. NULL
 * when that fails, which was logged. */
must_check struct listener *listener_new(struct server *server, const char *where);
/* Stops accepting, and removes the socket's path if it is still ours. */
void listener_free(struct listener *listener);
