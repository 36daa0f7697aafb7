/* The folder of an instance: which process has it, whether it is still there, and its cleaning. */

#include "supervisor/folder.h"

#include "common/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

enum { PATIENCE_MS = 300, PAUSE_MS = 20 };

void folder_init(struct folder *folder, const char *path) {
  *folder = (struct folder){.path = path, .lock_fd = -1, .self_fd = -1};
}

const char *folder_path(const struct folder *folder, const char *name, char out[FOLDER_PATH_SIZE]) {
  snprintf(out, FOLDER_PATH_SIZE, "%s/%s", folder->path, name);
  return out;
}

static int open_lock(const struct folder *folder) {
  char path[FOLDER_PATH_SIZE];
  return open(folder_path(folder, "lock", path), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static bool lock_patiently(int fd) {
  const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
  int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (clock_monotonic_ms() > deadline_ms)
      return false;
    nanosleep(&pause, NULL);
  }
  return true;
}

static bool write_pid(const struct folder *folder) {
  char path[FOLDER_PATH_SIZE];
  cleanup_fd int fd = open(folder_path(folder, "mcs.pid", path),
                           O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  return fd >= 0 && dprintf(fd, "%d\n", (int)getpid()) > 0;
}

enum folder_result folder_take(struct folder *folder) {
  char path[FOLDER_PATH_SIZE];
  int fd = open_lock(folder);
  if (fd < 0)
    return FOLDER_FAILED;
  bool locked = lock_patiently(fd);
  if (!locked || !write_pid(folder)) {
    close(fd);
    return locked ? FOLDER_FAILED : FOLDER_BUSY;
  }
  unlink(folder_path(folder, "ready", path));
  folder->lock_fd = fd;
  folder->self_fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  (void)!flock(folder->self_fd, LOCK_EX | LOCK_NB);
  return FOLDER_TAKEN;
}

static bool is_same_file(const char *path, int fd) {
  struct stat named, open;
  return stat(path, &named) == 0 && fstat(fd, &open) == 0 && named.st_dev == open.st_dev &&
         named.st_ino == open.st_ino;
}

static bool has_lock(const struct folder *folder) {
  char path[FOLDER_PATH_SIZE];
  return folder->lock_fd >= 0 && is_same_file(folder_path(folder, "lock", path), folder->lock_fd);
}

bool folder_is_ours(struct folder *folder) {
  char path[FOLDER_PATH_SIZE];
  if (has_lock(folder))
    return true;
  if (access(folder_path(folder, "lock", path), F_OK) == 0 ||
      access(folder_path(folder, "bin/mcs-admin", path), X_OK) != 0)
    return false;
  int fd = open_lock(folder);
  if (fd < 0)
    return false;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) { /* another process has just taken the folder */
    close(fd);
    return false;
  }
  close(folder->lock_fd);
  folder->lock_fd = fd;
  return true;
}

/* Removes the files of a folder whose names contain `part`. The folder may be the service's: its
 * names are not followed. */
static void remove_files(const struct folder *folder, const char *name, const char *part) {
  char path[FOLDER_PATH_SIZE];
  int fd = open(folder_path(folder, name, path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *all = fd < 0 ? NULL : fdopendir(fd);
  for (struct dirent *entry; all && (entry = readdir(all));)
    if (*entry->d_name != '.' && strstr(entry->d_name, part))
      unlinkat(fd, entry->d_name, 0);
  if (all)
    closedir(all);
}

void folder_clean(struct folder *folder) {
  static const char *const files[] = {"components", "mcs.pid", "restarted", "ready"};
  char path[FOLDER_PATH_SIZE];
  if (!has_lock(folder))
    return;
  remove_files(folder, "run", ".sock");
  remove_files(folder, "run/fcgid", "");
  rmdir(folder_path(folder, "run/fcgid", path));
  for (size_t i = 0; i < ARRAY_LEN(files); i++)
    unlink(folder_path(folder, files[i], path));
}
