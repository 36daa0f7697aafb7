/* Bounds the logs. */

#include "supervisor/logs.h"

#include "common/cleanup.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

static bool copy_end(int from, off_t begin, int folder, const char *name) {
  cleanup_fd int to =
      openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (to < 0)
    return false;
  ssize_t copied;
  for (ssize_t left = LOGS_KEPT_BYTES; left > 0; left -= copied)
    if ((copied = sendfile(to, from, &begin, (size_t)left)) <= 0)
      return false;
  return true;
}

static void bound(int folder, const char *name) {
  char old[NAME_MAX + 3];
  struct stat now;
  if (fstatat(folder, name, &now, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(now.st_mode) ||
      now.st_size <= LOGS_KEPT_BYTES)
    return;
  cleanup_fd int fd = openat(folder, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return;
  snprintf(old, sizeof(old), "%s.1", name);
  if (!copy_end(fd, now.st_size - LOGS_KEPT_BYTES, folder, old))
    unlinkat(folder, old, 0); /* a full disk needs the space most */
  (void)!ftruncate(fd, 0);
}

void logs_bound(const char *folder) {
  DIR *all = opendir(folder);
  for (struct dirent *entry; all && (entry = readdir(all));) {
    size_t len = strlen(entry->d_name);
    if (len > 4 && strcmp(entry->d_name + len - 4, ".log") == 0)
      bound(dirfd(all), entry->d_name);
  }
  if (all)
    closedir(all);
}
