#pragma once

#include "supervisor/component.h"

#include <stdbool.h>
#include <stddef.h>

enum { TABLE_MAX = 16 };

/* The components of an instance. */
struct table {
  struct component rows[TABLE_MAX];
  size_t count;
};

/*
 * Reads definitions from a file that only its owner writes: a line a component, its fields
 * separated by tabs, "-" for none: name  stop_step  stop_signal  stop_seconds  death_signal  log
 * socket  sockets|-  command... A component that is known already gets the new definition; its
 * process goes on. False, with a text in `error`, when the file cannot be read or a line is wrong;
 * the lines before that one hold.
 */
#define TABLE_ERROR_SIZE 256
must_check bool table_read(struct table *table, const char *path, char error[TABLE_ERROR_SIZE]);

/* NULL when there is none of that name. */
struct component *table_find(struct table *table, const char *name);

/* Writes a line "name process started_at" for each component that was started and is no helper, in
 * the place of the file of that name. */
void table_write(const struct table *table, const char *path);

void table_done(struct table *table);
