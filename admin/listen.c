/*
 * `mcs-admin listen COMMAND…`: listens on BIND and PORT and becomes COMMAND, with the socket as its
 * standard input. So ./mcs run holds the port itself: who comes while the web server is started
 * again waits, and only what runs it needs the right to a port below 1024.
 */

#include "admin/commands.h"

#include "common/clock.h"
#include "common/listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PATIENCE_MS = 2000, PAUSE_MS = 50 };

/* A moment's patience is for a web server that has just been killed. */
static int listen_patiently(const char *where, const char **fault) {
  const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
  int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
  int fd;
  while ((fd = listen_tcp(where, fault)) < 0 && errno == EADDRINUSE &&
         clock_monotonic_ms() < deadline_ms)
    nanosleep(&pause, NULL);
  return fd;
}

static void complain(const struct config *config, const char *fault) {
  long port = config->port;
  if (errno == EADDRINUSE)
    fprintf(stderr, "mcs: port %ld is taken on %s; choose another one: PORT=%ld ./mcs run\n", port,
            config->bind, port < 65535 ? port + 1 : 3000);
  else if (errno == EACCES)
    fprintf(stderr, "mcs: PORT=%ld: this port is for root\n", port);
  else
    fprintf(stderr, "mcs: cannot listen on %s, port %ld: %s\n", config->bind, port, fault);
}

int command_listen(const struct config *config, int argc, char **argv) {
  char where[80];
  const char *fault = NULL;
  bool bare_v6 = strchr(config->bind, ':') && *config->bind != '[';
  if (argc < 2) {
    fputs("usage: mcs-admin listen COMMAND...\n", stderr);
    return 2;
  }
  snprintf(where, sizeof(where), bare_v6 ? "[%s]:%ld" : "%s:%ld", config->bind, config->port);
  int fd = listen_patiently(where, &fault);
  if (fd < 0) {
    complain(config, fault);
    return 1;
  }
  if (dup2(fd, STDIN_FILENO) == STDIN_FILENO)
    execvp(argv[1], argv + 1);
  fprintf(stderr, "mcs: cannot start %s: %s\n", argv[1], strerror(errno));
  return 1;
}
