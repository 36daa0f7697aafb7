/* What a program inherits: descriptors and environment variables. */

#include "common/environment.h"

#include "common/cleanup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kept_variables[] = {
#define LIBPQ_VARIABLE(name) #name,
#include "common/libpq.def"
#undef LIBPQ_VARIABLE
};

void environment_open_descriptors(void) {
  int fd;
  while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
    continue;
  if (fd > STDERR_FILENO)
    close(fd);
}

/* `variable` is NAME=value. */
static bool is_kept(const char *variable) {
  size_t len = strcspn(variable, "=");
  for (size_t i = 0; i < ARRAY_LEN(kept_variables); i++)
    if (strlen(kept_variables[i]) == len && strncmp(kept_variables[i], variable, len) == 0)
      return true;
  return false;
}

/* ./mcs run may also name the folder of the private server's socket. */
static bool is_private(const struct config *config) {
  char folder[CONFIG_ITEM_SIZE];
  snprintf(folder, sizeof(folder), "%s/run", config->var);
  return !*config->postgres_host || strcmp(config->postgres_host, folder) == 0;
}

void environment_forget_libpq(const struct config *config) {
  bool private = is_private(config);
  if (!environ)
    return;
  for (char **variable = environ; *variable;) {
    if (strncmp(*variable, "PG", 2) != 0 || (!private && is_kept(*variable))) {
      variable++;
      continue;
    }
    cleanup_free char *name = strndup(*variable, strcspn(*variable, "="));
    if (!name || unsetenv(name) != 0) /* else the following ones have moved here */
      variable++;
  }
}
