/*
 * mcs-responder: answers REST requests, as a pool of FastCGI processes on the listening socket that
 * is descriptor 0, or as a plain CGI program that answers one request.
 */

#include "fcgi/api/routes.h"
#include "fcgi/http/gateway.h"
#include "fcgi/http/pool.h"
#include "fcgi/http/refusals.h"
#include "fcgi/http/router.h"
#include "fcgi/responder.h"

#include "calls/row.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/privileges.h"

#include <stdlib.h>
#include <string.h>

enum { TEND_MS = 300 };

static void answer(struct gateway *gateway, struct responder *responder, struct request *request,
                   struct reply *reply, struct buf *rendered) {
  const struct config *config = responder->config;
  request_read(request, gateway, config->base_path);
  router_answer(&routes_api, config, responder, request, reply);
  bool head = strcmp(request->method, "HEAD") == 0;
  buf_clear(rendered);
  reply_render(reply, head, rendered);
  gateway_reply(gateway, rendered, reply->stream.fill && !head ? &reply->stream : NULL);
  refusals_log(request, reply);
  reply_reset(reply);
}

/* `stripe`: see row_insert(). */
static void serve(struct responder *responder, int stripe, bool cgi) {
  privileges_confine();
  struct gateway *gateway = gateway_new();
  struct request request = {0};
  struct reply reply = {0};
  struct buf rendered = {0};
  reply_reset(&reply);
  responder->store = store_new(responder->config, responder->breaker, stripe, !cgi);
  for (enum gateway_event event;
       (event = gateway_accept(gateway, cgi                                     ? -1
                                        : store_needs_tending(responder->store) ? TEND_MS
                                                                                : -1)) !=
       GATEWAY_STOP;) {
    if (event == GATEWAY_REQUEST)
      answer(gateway, responder, &request, &reply, &rendered);
    if (store_needs_tending(responder->store))
      store_tend(responder->store);
  }
  store_free(responder->store);
  buf_done(&rendered);
  reply_done(&reply);
  buf_done(&request.body);
  gateway_free(gateway);
}

int main(int argc, char **argv) {
  struct config config;
  if (gateway_is_request())
    argc = 1; /* a query without '=' arrives as arguments (RFC 3875 section 4.4) */
  config_start(&config, "responder",
               "Answers REST requests: FastCGI on the listening socket given as descriptor 0, or\n"
               "plain CGI.",
               argc, argv);
  struct responder responder = {
      .started_ms = clock_monotonic_ms(),
      .config = &config,
      .ring = keyring_new(config.api_keys),
      .breaker = breaker_new(),
  };
  privileges_drop();
  unsigned first_stripe = arc4random();
  if (gateway_is_cgi())
    serve(&responder, row_stripe_of_child(first_stripe, 0), true);
  else
    for (int child; (child = pool_run((int)config.responders, argv)) >= 0;) {
      serve(&responder, row_stripe_of_child(first_stripe, child), false);
      if (!pool_succeed())
        break;
    }
  keyring_free(responder.ring);
  config_done(&config);
  return 0;
}
