/* Reads what processes cost from /proc. */

#include "tests/harness/load/processes.h"

#include "common/config.h"
#include "tests/harness/load/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Adds up what `read_one` makes of /proc/PID/FILE, for all the processes. */
static int64_t sum(const char *pids, const char *file, const char *name,
                   int64_t (*read_one)(FILE *in, const char *name)) {
  int64_t total = 0;
  char item[CONFIG_ITEM_SIZE], path[CONFIG_ITEM_SIZE + 40];
  for (int i = 0; config_list_item(pids, i, item); i++) {
    snprintf(path, sizeof(path), "/proc/%s/%s", item, file);
    FILE *in = fopen(path, "re");
    if (!in)
      quit(path);
    total += read_one(in, name);
    fclose(in);
  }
  return total;
}

static int64_t read_first(FILE *in, const char *name) {
  char line[80] = "";
  return fgets(line, sizeof(line), in) ? strtoll(line, NULL, 10) : 0;
}

static int64_t read_bytes(FILE *in, const char *name) {
  char line[200];
  int64_t bytes = 0;
  while (fgets(line, sizeof(line), in))
    if (strncmp(line, name, strlen(name)) == 0)
      bytes += strtoll(line + strcspn(line, ":") + 1, NULL, 10) * 1024;
  return bytes;
}

int64_t processes_cpu_ns(const char *pids) {
  return sum(pids, "schedstat", NULL, read_first);
}

int64_t processes_private_bytes(const char *pids) {
  return sum(pids, "smaps_rollup", "Private_", read_bytes);
}

int64_t processes_pss_bytes(const char *pids) {
  return sum(pids, "smaps_rollup", "Pss:", read_bytes);
}
