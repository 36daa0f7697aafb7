/* What a failpoint does in builds that have them. */

#include "common/failpoint.h"

#include "common/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void failpoint(const char *name) {
  char path[256], how[8] = "";
  const char *folder = getenv("MCS_VAR");
  snprintf(path, sizeof(path), "%s/run/failpoint.%s", folder ? folder : "var", name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return;
  ssize_t len = read(fd, how, sizeof(how) - 1);
  close(fd);
  if (unlink(path) != 0)
    return; /* another process was faster */
  log_warn("failpoint.hit", "name=%s how=%s", name, len > 0 ? how : "kill");
  log_batch_end(); /* writes what the log still holds */
  raise(strncmp(how, "stop", 4) == 0 ? SIGSTOP : SIGKILL);
}
