/*
 * `mcs-admin events LOG…`: what ./mcs run shows of the logs: a line for each call that ended, each
 * request that was refused and each warning. It follows the files from their present ends, also
 * after mcs has truncated them. It is for people: under load it shows some lines a second and says
 * how many it left out.
 */

#include "admin/commands.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/privileges.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FILES_MAX = 4, CHUNK = 65536, ROUND_MS = 250, PER_SECOND = 20, FIELD_SIZE = 200 };

struct follower {
  int fd;
  off_t at;
};

/* --- what a line says ------------------------------------------------------------------------- */

/* The value of NAME=value or NAME="value" in a log line; false, and "", where there is none. */
static bool field(const char *line, const char *name, char out[FIELD_SIZE]) {
  const char *at = strstr(line, name);
  *out = '\0';
  if (!at)
    return false;
  at += strlen(name);
  bool quoted = *at == '"';
  at += quoted;
  snprintf(out, FIELD_SIZE, "%.*s", (int)strcspn(at, quoted ? "\"" : " "), at);
  return true;
}

/* The head of a line: TIME LEVEL PROGRAM EVENT, then `rest`. */
struct entry {
  char time[32], level[8], program[16], event[32];
  const char *rest;
};

static bool read_entry(const char *line, struct entry *entry) {
  int used = 0;
  if (sscanf(line, "%31s %7s %15s %31s %n", entry->time, entry->level, entry->program, entry->event,
             &used) != 4)
    return false;
  entry->rest = line + used;
  return used > 0;
}

/* msg="Call ID: UNANSWERED -> COMPLETED" */
static bool tell_end(const struct entry *entry, char *out, size_t size) {
  char id[FIELD_SIZE];
  const char *arrow = strstr(entry->rest, " -> COMPLETED\"");
  const char *from = arrow ? memrchr(entry->rest, ' ', (size_t)(arrow - entry->rest)) : NULL;
  if (!from || !field(entry->rest, "id=", id))
    return false;
  int len = snprintf(out, size, "%s  call %s ended, ", entry->time, id);
  for (from++; from < arrow && len < (int)size - 1; from++)
    out[len++] = (char)tolower((unsigned char)*from);
  out[len] = '\0';
  return true;
}

static bool tell_refusal(const struct entry *entry, char *out, size_t size) {
  char method[FIELD_SIZE], path[FIELD_SIZE], status[FIELD_SIZE], reason[FIELD_SIZE];
  if (!field(entry->rest, "method=", method) || !field(entry->rest, "path=", path) ||
      !field(entry->rest, "status=", status))
    return false;
  field(entry->rest, "reason=", reason);
  snprintf(out, size, "%s  %s %s refused, %s: %s", entry->time, method, path, status, reason);
  return true;
}

/* Writes what is shown of a line; false when that is nothing. */
static bool retell(const char *line, char *out, size_t size) {
  struct entry entry;
  if (!read_entry(line, &entry))
    return false;
  if (strcmp(entry.event, "call.advance") == 0)
    return tell_end(&entry, out, size);
  if (strcmp(entry.event, "request.refused") == 0)
    return tell_refusal(&entry, out, size);
  if (strcmp(entry.level, "warn") != 0 && strcmp(entry.level, "error") != 0)
    return false;
  snprintf(out, size, "%s  %s %s %s %s", entry.time, entry.level, entry.program, entry.event,
           entry.rest);
  return true;
}

/* Prints the line unless there were too many in this second; replaces control characters. NULL only
 * prints how many were left out. */
static void show(const char *line) {
  static int64_t second;
  static long shown, left_out;
  char text[1200];
  if (line && !retell(line, text, sizeof(text)))
    return;
  if (clock_monotonic_ms() / 1000 != second) {
    if (left_out)
      printf("  … and %ld more\n", left_out);
    second = clock_monotonic_ms() / 1000;
    shown = left_out = 0;
  }
  if (!line)
    return;
  if (shown++ >= PER_SECOND) {
    left_out++;
    return;
  }
  for (char *p = text; *p; p++)
    *p = (char)(isprint((unsigned char)*p) ? *p : '?');
  puts(text);
}

/* --- the files -------------------------------------------------------------------------------- */

/* Shows the complete lines that were added; of more than a chunk only the end. */
static void read_on(struct follower *file) {
  static char chunk[CHUNK];
  struct stat st;
  if (fstat(file->fd, &st) != 0)
    return;
  if (st.st_size == file->at)
    return;
  if (st.st_size < file->at)
    file->at = 0; /* it was truncated */
  if (st.st_size - file->at > CHUNK)
    file->at = st.st_size - CHUNK;
  ssize_t got = pread(file->fd, chunk, CHUNK, file->at);
  if (got <= 0)
    return;
  char *line = chunk, *end;
  while ((end = memchr(line, '\n', (size_t)(chunk + got - line)))) {
    *end = '\0';
    show(line);
    line = end + 1;
  }
  file->at += line > chunk ? line - chunk : got == CHUNK ? CHUNK : 0;
}

int command_events(const struct config *config, int argc, char **argv) {
  struct follower files[FILES_MAX];
  int count = argc - 1;
  if (count < 1 || count > FILES_MAX) {
    fputs("usage: mcs-admin events LOG...\n", stderr);
    return 2;
  }
  privileges_drop();
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 0; i < count; i++) {
    files[i].fd = open(argv[i + 1], O_RDONLY | O_CLOEXEC);
    files[i].at = files[i].fd < 0 ? 0 : lseek(files[i].fd, 0, SEEK_END);
    if (files[i].fd < 0) {
      fprintf(stderr, "mcs: cannot read %s\n", argv[i + 1]);
      return 1;
    }
  }
  while (!ferror(stdout)) {
    for (int i = 0; i < count; i++)
      read_on(&files[i]);
    show(NULL);
    clock_pause_ms(ROUND_MS);
  }
  return 1;
}
