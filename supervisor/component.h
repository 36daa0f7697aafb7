#pragma once

#include "common/cleanup.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

/* What a component is; a line of the table, see table.h. */
struct definition {
  char *line; /* of the table: all strings below point into it */
  const char *name;
  int stop_step; /* those of one step stop together, after those of the step before */
  int stop_signal;
  int64_t stop_ms; /* after that it is killed */
  int death_signal;
  const char *log;    /* NULL: a helper, see component_tick() */
  const char *socket; /* the file without which it is of no use; NULL: none */
  bool has_sockets;   /* it gets the sockets that the supervisor holds */
  char **words;       /* the command; NULL at its end */
};

enum component_state {
  COMPONENT_ABSENT,   /* no process */
  COMPONENT_RUNNING,  /* `pid` lives */
  COMPONENT_DEAD,     /* `pid` has ended by itself; its session may go on */
  COMPONENT_REVIVING, /* what is left of the session is ending; then the component starts again */
  COMPONENT_STOPPING, /* the same; then it is absent */
  COMPONENT_STATE__MAX
};

/* Only component_*() change what follows the definition. */
struct component {
  struct definition is;
  enum component_state state;
  pid_t pid;
  int status;          /* of DEAD and REVIVING: what waitpid() said */
  int failures;        /* how often it has died young, up to the longest pause */
  int64_t started_ms;  /* monotonic */
  time_t started_at;   /* for people */
  int64_t deadline_ms; /* of REVIVING and STOPPING: when the session is killed */
  bool was_killed;     /* of the same: that has happened */
  /* The process that this one replaces; 0: none. */
  pid_t old_pid;
  int64_t old_deadline_ms; /* when it is told to stop at the latest, then when it is killed */
  bool old_told;
  struct stat old_socket;
};

/* What all components have in common. */
struct surroundings {
  const char *folder; /* where they start */
  int sockets[2];     /* what the supervisor holds; -1: none */
};

/* Starts it, for the first time or once it is absent or dead. False with errno when there can be no
 * process. */
must_check bool component_start(struct component *c, const struct surroundings *around);

/*
 * Starts a second process beside the running one. The old one is told to stop as soon as the new
 * one has put a socket of its own at the path (at once where there is none; after 10 s in any
 * case), and is killed when its time is over. Until `old_pid` is 0 again both may live.
 */
must_check bool component_replace(struct component *c, const struct surroundings *around);

/* Tells it to stop, unless it is absent; it is STOPPING until its whole session has ended. */
void component_stop(struct component *c);

/* Takes note that a process has ended. True when it was this component's. */
bool component_reap(struct component *c, pid_t pid, int status);

/*
 * Goes on with what is under way: kills what does not end in time, says so, and, if `may_revive`,
 * starts again what died, after a pause that grows while it keeps dying young. A helper is not
 * started again: it is absent once its session has ended. True when a process was started.
 */
bool component_tick(struct component *c, const struct surroundings *around, bool may_revive);

/* Whether component_tick() has something to wait for. */
bool component_is_busy(const struct component *c);

/* If its socket file is gone, says so and makes the component die. One that started less than 10 s
 * ago may be about to create the socket. */
void component_check_socket(struct component *c);
