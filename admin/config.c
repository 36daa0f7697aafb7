/* `mcs-admin config`: the settings, checked, and their table in several forms. */

#include "admin/commands.h"

#include <stdio.h>
#include <string.h>

int command_config(const struct config *config, int argc, char **argv) {
  const char *form = argc > 1 ? argv[1] : "";
  if (strcmp(form, "--env-example") == 0)
    config_print_env_example(stdout);
  else if (strcmp(form, "--markdown") == 0)
    config_print_markdown(stdout);
  else if (strcmp(form, "--mdoc") == 0)
    config_print_mdoc(stdout);
  else if (!*form || strcmp(form, "--shell") == 0)
    config_print_shell(config, stdout);
  else {
    fprintf(stderr, "mcs-admin config: unknown option %s\n", form);
    return 2;
  }
  return 0;
}
