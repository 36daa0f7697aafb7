#pragma once

#include "common/config.h"

/* The commands of mcs-admin. Each gets its own arguments (argv[0] is the command's name), prints to
 * standard output, says what went wrong in one line on standard error, and returns the program's
 * exit status. */
int command_config(const struct config *config, int argc, char **argv);
int command_migrate(const struct config *config, int argc, char **argv);
int command_failed(const struct config *config, int argc, char **argv);
int command_follow(const struct config *config, int argc, char **argv);
int command_watch(const struct config *config, int argc, char **argv);
int command_events(const struct config *config, int argc, char **argv);
int command_ready(const struct config *config, int argc, char **argv);
int command_listen(const struct config *config, int argc, char **argv);
