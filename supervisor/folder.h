#pragma once

#include "common/cleanup.h"

#include <stdbool.h>

/* The folder of an instance (MCS_VAR), which at most one process has. */
struct folder {
  const char *path;
  int lock_fd; /* of the file `lock` in it; -1: not taken */
  int self_fd; /* of the folder itself */
};

enum folder_result { FOLDER_TAKEN, FOLDER_BUSY, FOLDER_FAILED };

/* `path` is kept, not copied. */
void folder_init(struct folder *folder, const char *path);

/*
 * Takes a folder that exists: locks it until we end, and writes our process id into `mcs.pid`. The
 * folder itself is locked too, which tells systemd-tmpfiles to leave it alone. FOLDER_BUSY: another
 * process has it. Waits up to 0.3 s for the lock, which commands about an instance hold for a
 * moment.
 */
must_check enum folder_result folder_take(struct folder *folder);

/*
 * Whether the folder that was taken is still there, and not another one in its place. When only the
 * file `lock` was removed, by a cleaner or by mistake, makes and locks another one.
 */
bool folder_is_ours(struct folder *folder);

/* Removes what describes a running instance: its sockets, mcs.pid, components, restarted, ready.
 * Does nothing when the folder is not ours any more. */
void folder_clean(struct folder *folder);

/* Writes "FOLDER/name" into `out`. Returns `out`. */
#define FOLDER_PATH_SIZE 4096
const char *folder_path(const struct folder *folder, const char *name, char out[FOLDER_PATH_SIZE]);
