#pragma once

#include "common/config.h"
#include "fcgi/http/request.h"

/*
 * The URLs that replies contain. A client sees the service's "/" below PUBLIC_URL (or the host of
 * its own request) and BASE_PATH, whatever a proxy in front of the web server cut off.
 */

/* Appends the path of `resource`, which begins with '/', as the client has to ask for it. */
void url_add_path(struct buf *out, const struct config *config, const char *resource);

/* Appends the absolute URL of the WebSocket of the call `id`, for the client that sent `request`.
 */
void url_add_websocket(struct buf *out, const struct config *config, const struct request *request,
                       const char *id);
