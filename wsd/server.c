/* Connects the modules: connections, hub, lookups, feed; time-outs; the orderly end. */

#include "wsd/server.h"

#include "common/clock.h"
#include "common/log.h"
#include "wsd/conn.h"
#include "wsd/feed.h"
#include "wsd/hub.h"
#include "wsd/lookup.h"

#include <stdlib.h>

static bool on_look_up(void *arg, const char *id, uint32_t ticket) {
  struct server *server = arg;
  return lookup_start(server->lookup, id, ticket);
}

static void on_lookup_done(void *arg, const struct lookup_result *result) {
  struct server *server = arg;
  hub_lookup_done(server->hub, result);
}

static void on_event(void *arg, const char *line, size_t len) {
  struct server *server = arg;
  hub_event(server->hub, line, len);
}

static void on_subscribed(void *arg) {
  struct server *server = arg;
  hub_recheck(server->hub);
}

static void drop_all(struct server *server) {
  struct roster_entry *entry;
  for (int queue = 0; queue < ROSTER__MAX; queue++)
    while ((entry = roster_first(&server->roster, (enum roster_queue)queue)))
      conn_drop(conn_of(entry), "stop");
}

/* An event can be lost for good: the worker that committed a call's last event may lose Redis
 * before it publishes the event, and a rebuild brings back only open calls. */
enum { RECHECK_TICKS = 30 };

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events) {
  struct server *server = timer->data;
  if (server->stopping) {
    log_warn("wsd.impatient", "left=%ld", server->connections);
    drop_all(server);
    return;
  }
  if (++server->ticks % RECHECK_TICKS == 0)
    hub_recheck(server->hub);
  int64_t now = clock_monotonic_ms();
  struct roster_entry *entry;
  for (int queue = 0; queue < ROSTER__MAX; queue++)
    while ((entry = roster_due(&server->roster, (enum roster_queue)queue, now)))
      conn_expire(conn_of(entry));
}

static void free_dead(struct server *server) {
  while (server->dead)
    conn_free_next_dead(server);
}

static void on_reap(struct ev_loop *loop, ev_prepare *prepare, int events) {
  struct server *server = prepare->data;
  free_dead(server);
  if (server->stopping && server->connections == 0)
    ev_break(loop, EVBREAK_ALL);
}

struct server *server_new(struct ev_loop *loop, const struct config *config, long connections_max) {
  struct server *server = calloc(1, sizeof(*server));
  if (!server)
    log_oom();
  server->loop = loop;
  server->config = config;
  server->connections_max = connections_max;
  const struct hub_owner hub_owner = {conn_on_events, conn_on_refused, on_look_up, server};
  server->hub = hub_new(loop, &hub_owner);
  server->lookup = lookup_new(loop, config, (struct lookup_owner){on_lookup_done, server});
  const struct feed_owner feed_owner = {on_event, on_subscribed, server};
  server->feed = feed_new(loop, config, &feed_owner);
  ev_timer_init(&server->tick, on_tick, 1., 1.);
  ev_prepare_init(&server->reap, on_reap);
  server->tick.data = server->reap.data = server;
  ev_timer_start(loop, &server->tick);
  ev_prepare_start(loop, &server->reap);
  return server;
}

void server_stop(struct server *server) {
  if (server->stopping)
    return;
  server->stopping = true;
  ev_timer_stop(server->loop, &server->tick);
  ev_timer_set(&server->tick, SERVER_STOP_MS / 1000., 0.);
  ev_timer_start(server->loop, &server->tick);
  struct roster_entry *entry;
  while ((entry = roster_first(&server->roster, ROSTER_REQUEST)) ||
         (entry = roster_first(&server->roster, ROSTER_OPEN)))
    conn_stop(conn_of(entry));
}

void server_free(struct server *server) {
  drop_all(server);
  free_dead(server);
  ev_timer_stop(server->loop, &server->tick);
  ev_prepare_stop(server->loop, &server->reap);
  feed_free(server->feed);
  lookup_free(server->lookup);
  hub_free(server->hub);
  free(server);
}
