/*
 * `mcs-admin listen ADDRESS[,ADDRESS] COMMAND…`: listens, and becomes COMMAND with the socket as
 * its standard input, and the second one as descriptor 4. So a pool of responders gets the socket
 * that its web server connects to. ./mcs run holds the web server's port in this way: clients that
 * connect while the web server restarts wait, and the web server needs no right to a port below
 * 1024.
 */

#include "admin/commands.h"

#include "common/clock.h"
#include "common/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 2000, PAUSE_MS = 50, SECOND_FILENO = 4 };

static int listen_at(const char *where, const char **error) {
  struct stat made;
  return listen_is_unix(where) ? listen_unix(where, &made, error) : listen_tcp(where, error);
}

/* A web server that has just been killed may hold the port for a moment. */
static int listen_patiently(const char *where, const char **error) {
  int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
  int fd;
  while ((fd = listen_at(where, error)) < 0 && errno == EADDRINUSE &&
         clock_monotonic_ms() < deadline_ms)
    clock_pause_ms(PAUSE_MS);
  return fd;
}

static void complain(const struct config *config, const char *where, const char *error) {
  char port[8];
  snprintf(port, sizeof(port), ":%ld", config->port);
  const char *colon = strrchr(where, ':');
  bool web = colon && strcmp(colon, port) == 0;
  if (web && errno == EADDRINUSE)
    fprintf(stderr, "mcs: port %ld is taken on %.*s; choose another one: PORT=%ld ./mcs run\n",
            config->port, (int)(colon - where), where,
            config->port < 65535 ? config->port + 1 : 3000);
  else if (web && errno == EACCES)
    fprintf(stderr, "mcs: PORT=%ld: ports below 1024 need root; choose 1024 or higher\n",
            config->port);
  else
    fprintf(stderr, "mcs: cannot listen on %s: %s\n", where, error);
}

/* Shells keep nothing at descriptor 4. */
static bool hold(const char *where, int descriptor, const char **error) {
  int fd = listen_patiently(where, error);
  if (fd < 0)
    return false;
  bool good = fd == descriptor ? fcntl(fd, F_SETFD, 0) == 0 : dup2(fd, descriptor) == descriptor;
  if (!good)
    *error = strerror(errno);
  if (fd != descriptor)
    close(fd);
  return good;
}

int command_listen(const struct config *config, int argc, char **argv) {
  const char *error;
  if (argc < 3) {
    fputs("usage: mcs-admin listen ADDRESS COMMAND...\n", stderr);
    return 2;
  }
  char *first = argv[1], *second = listen_is_unix(first) ? NULL : strchr(first, ',');
  if (second)
    *second++ = '\0';
  close(SECOND_FILENO);
  const char *where = first;
  if (!hold(first, STDIN_FILENO, &error) ||
      (second && !hold(where = second, SECOND_FILENO, &error))) {
    complain(config, where, error);
    return 1;
  }
  execvp(argv[2], argv + 2);
  fprintf(stderr, "mcs: cannot start %s: %s\n", argv[2], strerror(errno));
  return 1;
}
