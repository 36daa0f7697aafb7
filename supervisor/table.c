/* The table of components: read from what ./mcs writes, written for ./mcs status. */

#include "supervisor/table.h"

#include "common/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum field { NAME, STEP, STOP_SIGNAL, STOP_SECONDS, DEATH_SIGNAL, LOG, SOCKET, SOCKETS, COMMAND };
enum { MAX_FIELDS = 64 };

static int signal_number(const char *name) {
  for (int i = 1; i < NSIG; i++) {
    const char *abbreviation = sigabbrev_np(i);
    if (abbreviation && strcmp(abbreviation, name) == 0)
      return i;
  }
  return 0;
}

static bool parse_number(const char *text, int max, int *number) {
  char *end;
  long value = strtol(text, &end, 10);
  *number = (int)value;
  return end != text && !*end && value >= 0 && value <= max;
}

static const char *none_or(const char *text) {
  return strcmp(text, "-") == 0 ? NULL : text;
}

/* Takes `line`, which it cuts into pieces. */
static bool parse(char *line, struct definition *is) {
  char *fields[MAX_FIELDS + 1] = {0};
  size_t count = 0;
  int seconds = 0;
  for (char *rest = line; rest && count < MAX_FIELDS; count++)
    fields[count] = strsep(&rest, "\t");
  if (count <= COMMAND || count == MAX_FIELDS)
    return false;
  *is = (struct definition){.line = line,
                            .name = fields[NAME],
                            .stop_signal = signal_number(fields[STOP_SIGNAL]),
                            .death_signal = signal_number(fields[DEATH_SIGNAL]),
                            .log = none_or(fields[LOG]),
                            .socket = none_or(fields[SOCKET]),
                            .has_sockets = none_or(fields[SOCKETS]) != NULL};
  if (!*is->name || !is->stop_signal || !is->death_signal ||
      !parse_number(fields[STEP], 9, &is->stop_step) ||
      !parse_number(fields[STOP_SECONDS], 3600, &seconds))
    return false;
  is->stop_ms = seconds * INT64_C(1000);
  is->words = calloc(count - COMMAND + 1, sizeof(*is->words));
  if (!is->words)
    log_oom();
  memcpy(is->words, fields + COMMAND, (count - COMMAND) * sizeof(*is->words));
  return true;
}

static void definition_done(struct definition *is) {
  free(is->line);
  free(is->words);
}

static bool add(struct table *table, const char *text) {
  struct definition is;
  char *line = strndup(text, strcspn(text, "\n"));
  if (!line)
    log_oom();
  if (!parse(line, &is)) {
    free(line);
    return false;
  }
  struct component *row = table_find(table, is.name);
  if (!row && table->count == TABLE_MAX) {
    definition_done(&is);
    return false;
  }
  if (!row)
    row = &table->rows[table->count++];
  definition_done(&row->is);
  row->is = is;
  return true;
}

bool table_read(struct table *table, const char *path, char error[TABLE_ERROR_SIZE]) {
  FILE *file = fopen(path, "re");
  cleanup_free char *text = NULL;
  size_t size = 0;
  int number = 0;
  bool good = file != NULL;
  snprintf(error, TABLE_ERROR_SIZE, "cannot read %s", path);
  while (good && getline(&text, &size, file) > 0) {
    good = add(table, text);
    snprintf(error, TABLE_ERROR_SIZE, "%s: line %d is wrong", path, ++number);
  }
  if (file)
    fclose(file);
  return good;
}

struct component *table_find(struct table *table, const char *name) {
  for (size_t i = 0; i < table->count; i++)
    if (strcmp(table->rows[i].is.name, name) == 0)
      return &table->rows[i];
  return NULL;
}

void table_write(const struct table *table, const char *path) {
  char new[4096];
  snprintf(new, sizeof(new), "%s.new", path);
  int fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return;
  for (size_t i = 0; i < table->count; i++) {
    const struct component *c = &table->rows[i];
    if (c->pid && c->is.log && c->state != COMPONENT_ABSENT)
      dprintf(fd, "%s %d %lld\n", c->is.name, (int)c->pid, (long long)c->started_at);
  }
  close(fd);
  (void)!rename(new, path);
}

void table_done(struct table *table) {
  for (size_t i = 0; i < table->count; i++)
    definition_done(&table->rows[i].is);
  table->count = 0;
}
