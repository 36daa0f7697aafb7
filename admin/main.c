/* mcs-admin: an administrator's occasional tasks, one command each. */

#include "admin/commands.h"

#include "common/environment.h"
#include "common/log.h"

#include <stdio.h>
#include <string.h>

static const struct command {
  const char *name;
  const char *usage;
  int (*run)(const struct config *config, int argc, char **argv);
} commands[] = {
    {.name = "config",
     .usage =
         "[--shell|--env-example|--markdown|--mdoc]  check the settings, print them or their table",
     .run = command_config},
    {.name = "migrate",
     .usage = "                                           create or update the database tables",
     .run = command_migrate},
    {.name = "failed",
     .usage =
         "[--retry]                                  list the uploads that failed permanently, "
         "or retry them",
     .run = command_failed},
    {.name = "follow",
     .usage =
         "                                           print the transitions of calls as they happen",
     .run = command_follow},
    {.name = "watch",
     .usage = "CALL_ID|URL                                print the events of a call until it ends",
     .run = command_watch},
    {.name = "events",
     .usage =
         "LOG...                                     print calls that end, refused requests and "
         "warnings of those logs, as they come",
     .run = command_events},
    {.name = "ready",
     .usage = "[SECONDS]                                  wait until a worker has loaded the open "
              "calls into Redis",
     .run = command_ready},
    {.name = "listen",
     .usage =
         "ADDRESS COMMAND...                         become COMMAND, with a socket that listens "
         "there as its "
         "input",
     .run = command_listen},
};

static int usage(FILE *out) {
  fputs("usage: mcs-admin COMMAND\n\n", out);
  for (size_t i = 0; i < ARRAY_LEN(commands); i++)
    fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].usage);
  fputs("\n", out);
  config_print_help(out, FOR_ADMIN);
  return out == stdout ? 0 : 2;
}

int main(int argc, char **argv) {
  environment_open_descriptors();
  if (argc > 1 && strcmp(argv[1], "--help") == 0)
    return usage(stdout);
  if (argc > 1 && strcmp(argv[1], "--version") == 0)
    return printf("mcs-admin %s\n", MCS_VERSION) < 0;
  for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++) {
    if (strcmp(argv[1], commands[i].name) != 0)
      continue;
    struct config config;
    char error[CONFIG_ERROR_SIZE];
    log_init("admin", LOG_WARN);
    int status = 2;
    if (config_load(&config, error)) {
      environment_forget_libpq(&config);
      status = commands[i].run(&config, argc - 1, argv + 1);
    } else
      fprintf(stderr, "mcs-admin: %s\n", error);
    config_done(&config);
    return status;
  }
  return usage(stderr);
}
