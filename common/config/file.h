#pragma once

#include "common/buf.h"
#include "common/cleanup.h"

#include <stdbool.h>

/* The file that MCS_ENV_FILE names: lines NAME=value, and comments after a '#'. */

/* Its text, at most 1 MiB of it, to be freed; NULL, with errno, when it cannot be read. */
must_check char *config_file_read(const char *path);
/* Whether all lines of the text are valid. If not, writes one line (CONFIG_ERROR_SIZE) that names
 * `path` and the line's number. Appends the names that are ignored to `unknown`. */
must_check bool config_file_check(const char *path, const char *text, struct buf *unknown,
                                  char *error);
/* The value of `variable` in the text, to be freed, or NULL. Of several lines the last one counts.
 */
must_check char *config_file_value(const char *text, const char *variable);
