/* `mcs-admin config`: the settings, checked, and their table in several forms. */

#include "admin/commands.h"

#include "common/nearest.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* An ignored name may be a mistake: a warning says so. */
static void warn_of_file(const struct config *config) {
  if (*config->unknown)
    fprintf(stderr, "mcs-admin: %s: ignored, not settings: %s\n", getenv("MCS_ENV_FILE"),
            config->unknown);
}

/* The environment has many other names: only one that looks like a setting is worth a warning. */
static void warn_of_environment(void) {
  for (char **entry = environ; *entry; entry++) {
    cleanup_free char *name = strndup(*entry, strcspn(*entry, "="));
    const char *meant =
        name && strlen(name) > 5 && !config_is_setting(name) ? config_meant(name) : NULL;
    if (meant && nearest_distance(name, meant) <= 1)
      fprintf(stderr, "mcs-admin: there is no setting %s (in the environment); did you mean %s?\n",
              name, meant);
  }
}

/* For scripts: whether there is such a setting; if not, it names the one that was meant. */
static int check_name(const char *name) {
  if (config_is_setting(name))
    return 0;
  const char *meant = config_meant(name);
  fprintf(stderr, "mcs-admin: there is no setting %.60s%s%s%s\n", name,
          meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
  return 1;
}

int command_config(const struct config *config, int argc, char **argv) {
  const char *form = argc > 1 ? argv[1] : "--shell";
  if (strcmp(form, "--env-example") == 0)
    config_print_env_example(stdout);
  else if (strcmp(form, "--markdown") == 0)
    config_print_markdown(stdout);
  else if (strcmp(form, "--mdoc") == 0)
    config_print_mdoc(stdout);
  else if (strcmp(form, "--check-name") == 0 && argc == 3)
    return check_name(argv[2]);
  else if (strcmp(form, "--shell") == 0) {
    warn_of_file(config);
    warn_of_environment();
    config_print_shell(config, stdout);
  } else {
    fprintf(stderr, "mcs-admin config: unknown option %s\n", form);
    return 2;
  }
  return 0;
}
