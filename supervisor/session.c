/* The processes of a session: all that a component consists of. */

#include "supervisor/session.h"

#include "common/cleanup.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The state stands behind the name, which may contain anything. */
static bool is_alive(pid_t pid) {
  char path[32], text[256];
  snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
  cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
  if (len <= 0)
    return false;
  text[len] = '\0';
  const char *state = strrchr(text, ')');
  return state && state[1] == ' ' && state[2] != 'Z' && state[2] != 'X';
}

int session_signal(pid_t session, int signal) {
  int count = 0;
  DIR *all = opendir("/proc");
  for (struct dirent *entry; all && (entry = readdir(all));) {
    pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
    if (pid <= 0 || (pid != session && getsid(pid) != session) || !is_alive(pid))
      continue;
    count++;
    if (signal)
      kill(pid, signal);
  }
  if (all)
    closedir(all);
  return count;
}
