#pragma once

#include "common/cleanup.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { LAUNCH_FDS = 5 };

struct launch {
  char *const *words; /* the command, as execvp() takes it */
  const char *folder; /* where it starts; NULL: here */
  const char *log;    /* takes its output, appended; NULL: it has our output */
  /* What it has as descriptors 0, 3 and 4; -1: /dev/null as 0, nothing as the others. A descriptor
   * must not be below the number that it becomes. */
  int fds[LAUNCH_FDS];
  int64_t delay_ms; /* the process is there at once, the command starts later */
  int death_signal; /* what it gets when we end, in whatever way */
  bool drop;        /* gives up privileges: see privileges_drop() */
};

/*
 * Starts a command as a child in a session of its own, without a terminal, with the default
 * handling of all signals and no other descriptors of ours. Its process id is the command's.
 * Returns -1 with errno when there can be no process; what fails later the child writes to its log,
 * and ends.
 */
must_check pid_t launch(const struct launch *what);
