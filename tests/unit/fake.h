/*
 * A server for unit tests, in a process of its own: it serves one connection after the other, each
 * until it ends, and keeps its variables from one to the next. It starts as a copy of the test, so
 * what it is to do is set in variables before it starts.
 */
#pragma once

#include "tests/unit/test.h"

#include "common/listen.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct fake {
  char folder[40], path[80]; /* of a unix socket */
  pid_t process;
};

/* Makes a folder for a unix socket of that name; the server starts later, or never. */
static inline void fake_init(struct fake *fake, const char *name) {
  snprintf(fake->folder, sizeof(fake->folder), "/tmp/mcs-test.XXXXXX");
  CHECK(mkdtemp(fake->folder) != NULL);
  snprintf(fake->path, sizeof(fake->path), "%s/%s", fake->folder, name);
}

/* Starts a server that hands each connection of `listener` (which it takes) to `serve`. */
static inline pid_t fake_start_on(int listener, void (*serve)(int fd)) {
  CHECK(listener >= 0 && fcntl(listener, F_SETFL, 0) == 0);
  pid_t process = fork();
  if (process == 0)
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that is killed leaves nothing behind */
  for (int fd; process == 0 && (fd = accept(listener, NULL, NULL)) >= 0; close(fd))
    serve(fd);
  if (process == 0)
    _exit(1);
  close(listener);
  return process;
}

static inline void fake_start(struct fake *fake, void (*serve)(int fd)) {
  struct stat made;
  const char *error;
  fake->process = fake_start_on(listen_unix(fake->path, &made, &error), serve);
}

static inline void fake_kill(pid_t process) {
  kill(process, SIGKILL);
  waitpid(process, NULL, 0);
}

static inline void fake_stop(struct fake *fake) {
  fake_kill(fake->process);
}

static inline void fake_done(struct fake *fake) {
  unlink(fake->path);
  rmdir(fake->folder);
}

/* For the server: sends all of it, or ends. */
static inline void fake_send(int fd, const char *data, size_t len) {
  if (write(fd, data, len) != (ssize_t)len)
    _exit(1);
}

static inline void fake_say(int fd, const char *text) {
  fake_send(fd, text, strlen(text));
}
