/*
 * load: many clients in one process with one clock, for the tests and the bench. Each command is a
 * kind of load. For a single client there is wscat.
 */

#include "tests/harness/load/commands.h"
#include "tests/harness/load/loop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
  const char *name, *usage;
  int (*run)(int argc, char **argv);
} commands[] = {
    {"traffic", "HOST PORT LOG SECONDS CALLS_A_SECOND SUBSCRIBERS GRACE_SECONDS KEY...",
     command_traffic},
    {"crowd", "KIND COUNT SECONDS URL", command_crowd},
    {"late", "COUNT SECONDS URL...", command_late},
    {"idle", "SERVER URL PIDS SOCKETS CALLS SECONDS", command_idle},
    {"events", "SERVER URL PIDS SOCKETS CALLS ROUNDS EVENTS RATE", command_events},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

int main(int argc, char **argv) {
  int status = 64;
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  loop_open();
  for (int i = 0; i < COMMANDS && argc > 1; i++)
    if (strcmp(argv[1], commands[i].name) == 0)
      status = commands[i].run(argc - 2, argv + 2);
  for (int i = 0; i < COMMANDS && status == 64; i++)
    fprintf(stderr, "%s load %s %s\n", i ? "      " : "usage:", commands[i].name,
            commands[i].usage);
  return status;
}
