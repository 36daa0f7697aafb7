#pragma once

#include "supervisor/folder.h"
#include "supervisor/table.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * An instance while it runs. Two processes share the work: this one starts components, waits for
 * them and stops them; the director, a child (bash: tools/mcs-director.sh), knows what the
 * components are, prepares them, and asks for each start. See control.h for what it may ask.
 */
struct supervisor {
  struct folder folder;
  struct table table;
  struct surroundings around;
  char bin[FOLDER_PATH_SIZE];    /* around.folder */
  char status[FOLDER_PATH_SIZE]; /* where table_write() writes */
  pid_t director;                /* 0: it has ended */
  int control_fd;                /* connected to the director; -1: closed */
  char request[256];             /* what has been read of it */
  size_t request_len;
  bool is_up;   /* the director has said that the instance is ready: from then on, what dies is
                   revived */
  bool is_idle; /* the director waits for something to do */
  bool is_ending;
  int exit_status;
  int signal_fd;
  int64_t look_ms; /* when to look around next */
};

/*
 * Blocks the signals that supervisor_run() reads, and starts the director. `folder` and `director`
 * are kept, not copied; of the sockets (-1: none) this takes over the ownership. False with errno.
 */
must_check bool supervisor_init(struct supervisor *s, const char *folder, char *const *director,
                                const int sockets[2]);

/* Runs until a signal (TERM, INT, HUP), the director's end or the loss of the folder, then stops
 * all components. Returns the exit status. */
int supervisor_run(struct supervisor *s);

/* Writes the file that ./mcs status reads. */
void supervisor_write_status(const struct supervisor *s);
