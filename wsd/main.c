/* mcs-wsd: the WebSocket daemon. Options, configuration, limits, signals, the loop, the end. */

#include "common/config.h"
#include "common/log.h"
#include "common/privileges.h"
#include "wsd/listener.h"
#include "wsd/server.h"

#include <ev.h>
#include <signal.h>
#include <sys/resource.h>

enum {
  DESCRIPTORS_MAX = 20000,
  DESCRIPTORS_KEPT = 64, /* for all that is not a client */
};

struct daemon {
  struct server *server;
  struct listener *listener; /* NULL once stopping */
  ev_signal term, interrupt, hangup;
};

/* Returns how many descriptors there may be. */
static long raise_descriptors(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return 1024;
  rlim_t want = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
  if (limit.rlim_cur < want) {
    limit.rlim_cur = want;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
      getrlimit(RLIMIT_NOFILE, &limit);
  }
  return limit.rlim_cur < DESCRIPTORS_MAX ? (long)limit.rlim_cur : DESCRIPTORS_MAX;
}

static long connections_max(const struct config *config) {
  long max = raise_descriptors() - DESCRIPTORS_KEPT;
  if (max < 1)
    max = 1;
  if (max >= config->wsd_max_connections)
    return config->wsd_max_connections;
  log_warn("wsd.limited", "connections=%ld msg=\"the limit of open files allows no more\"", max);
  return max;
}

static void on_signal(struct ev_loop *loop, ev_signal *signal, int events) {
  struct daemon *daemon = signal->data;
  if (!daemon->listener)
    return;
  log_info("wsd.stop", "signal=%d connections=%ld", signal->signum, daemon->server->connections);
  listener_free(daemon->listener);
  daemon->listener = NULL;
  server_stop(daemon->server);
}

static void on_hangup(struct ev_loop *loop, ev_signal *signal, int events) {
  log_info("wsd.hangup", "msg=\"settings are read at the start: restart to change them\"");
}

static void watch_signals(struct ev_loop *loop, struct daemon *daemon) {
  signal(SIGPIPE, SIG_IGN);
  ev_signal_init(&daemon->term, on_signal, SIGTERM);
  ev_signal_init(&daemon->interrupt, on_signal, SIGINT);
  ev_signal_init(&daemon->hangup, on_hangup, SIGHUP);
  daemon->term.data = daemon->interrupt.data = daemon;
  ev_signal_start(loop, &daemon->term);
  ev_signal_start(loop, &daemon->interrupt);
  ev_signal_start(loop, &daemon->hangup);
}

static void unwatch_signals(struct ev_loop *loop, struct daemon *daemon) {
  ev_signal_stop(loop, &daemon->term);
  ev_signal_stop(loop, &daemon->interrupt);
  ev_signal_stop(loop, &daemon->hangup);
}

int main(int argc, char **argv) {
  struct config config;
  config_start(&config, "wsd",
               "The WebSocket daemon: sends the events of calls to their subscribers.", argc, argv);
  struct daemon daemon = {0};
  struct ev_loop *loop = ev_default_loop(0);
  if (!loop)
    log_oom();
  watch_signals(loop, &daemon);
  daemon.server = server_new(loop, &config, connections_max(&config));
  daemon.listener = listener_new(daemon.server, config.resolved_wsd_listen);
  bool listening = daemon.listener != NULL;
  if (listening) {
    privileges_drop(); /* the limit of open files and the address may have been for root only */
    privileges_confine();
    log_info("wsd.start", "listen=%s connections_max=%ld", config.resolved_wsd_listen,
             daemon.server->connections_max);
    ev_run(loop, 0);
    log_info("wsd.stopped", "connections=%ld", daemon.server->connections);
  }
  server_free(daemon.server);
  unwatch_signals(loop, &daemon);
  ev_loop_destroy(loop);
  config_done(&config);
  return listening ? 0 : 1;
}
