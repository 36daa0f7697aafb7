/* URLs: what precedes our paths, as clients see them. */

#include "fcgi/http/url.h"

#include <string.h>

/* What follows the host in PUBLIC_URL: "" or a path. */
static const char *public_path(const struct config *config) {
  const char *host = strstr(config->public_url, "://");
  return host ? host + 3 + strcspn(host + 3, "/") : "";
}

/* An invalid Host is not repeated. */
static void add_websocket_origin(struct buf *out, const struct config *config,
                                 const struct request *request) {
  const char *secure = request->https ? "s" : "";
  if (*config->public_url) {
    const char *rest = config->public_url + strlen("http"); /* https gives wss */
    buf_str(out, "ws");
    buf_add(out, rest, (size_t)(public_path(config) - rest));
  } else if (request_host_valid(request->host)) {
    buf_printf(out, "ws%s://%s", secure, request->host);
  } else {
    buf_printf(out, "ws%s://localhost:%ld", secure, config->port);
  }
}

void url_add_path(struct buf *out, const struct config *config, const char *resource) {
  buf_str(out, public_path(config));
  buf_str(out, config->base_path);
  buf_str(out, resource);
}

void url_add_websocket(struct buf *out, const struct config *config, const struct request *request,
                       const char *id) {
  add_websocket_origin(out, config, request);
  url_add_path(out, config, "/ws?call_id=");
  buf_str(out, id);
}
