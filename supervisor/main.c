/*
 * mcs-supervisor: what ./mcs run becomes. It keeps the components of an instance alive, holds the
 * web server's sockets, and stops everything in order; see supervisor.h. When it is killed, the
 * kernel tells all that it started.
 */

#include "supervisor/supervisor.h"

#include "common/environment.h"
#include "common/log.h"

#include "supervisor/launch.h"
#include "supervisor/say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SECOND_FILENO = 4 }; /* see admin/listen.c */

/* A socket gets a number that no child expects something else at. */
static int move_socket(int fd) {
  struct stat what;
  bool is_socket = fstat(fd, &what) == 0 && S_ISSOCK(what.st_mode);
  return is_socket ? fcntl(fd, F_DUPFD_CLOEXEC, LAUNCH_FDS) : -1;
}

/* Takes the sockets, and closes what else the caller left open: a lock, or a pipe that somebody
 * reads to its end. */
static bool take_descriptors(int sockets[2]) {
  close_range(LAUNCH_FDS, ~0U, 0);
  sockets[0] = move_socket(STDIN_FILENO);
  sockets[1] = move_socket(SECOND_FILENO);
  close_range(STDERR_FILENO + 1, SECOND_FILENO, 0);
  cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return null >= 0 && dup2(null, STDIN_FILENO) == STDIN_FILENO;
}

int main(int argc, char **argv) {
  static struct supervisor supervisor;
  int sockets[2];
  environment_open_descriptors();
  log_init("supervisor", LOG_WARN);
  if (argc < 3) {
    fputs("usage: mcs-supervisor FOLDER COMMAND...\n", stderr);
    return 2;
  }
  if (!take_descriptors(sockets) || !supervisor_init(&supervisor, argv[1], argv + 2, sockets)) {
    say("cannot start the supervisor: %s", strerror(errno));
    return 1;
  }
  return supervisor_run(&supervisor);
}
