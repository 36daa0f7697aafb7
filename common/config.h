#pragma once

#include "common/cleanup.h"

#include <stdbool.h>
#include <stdio.h>

/*
 * The settings, from the environment and, for what it leaves unset, from the file that
 * MCS_ENV_FILE names. The table is common/config.def; a field is a `const char *` (never NULL),
 * a long or a double.
 */
struct config {
#define CONFIG_STR(field, ...) const char *field;
#define CONFIG_INT(field, ...) long field;
#define CONFIG_REAL(field, ...) double field;
#include "common/config.def"
#undef CONFIG_STR
#undef CONFIG_INT
#undef CONFIG_REAL
  const char *resolved_wsd_listen; /* with the default under MCS_VAR put in */
  const char *resolved_postgres_host;
  const char *resolved_redis_host;
  const char *unknown; /* a list of the names in the file that are ignored, for a warning; or "" */
};

/* The programs that use a setting: a set. */
enum config_programs {
  FOR_RESPONDER = 1,
  FOR_WSD = 2,
  FOR_WORKER = 4,
  FOR_ADMIN = 8,
  FOR_MCS = 16, /* ./mcs itself */
  FOR_ALL = 31,
};

enum { CONFIG_ERROR_SIZE = 256 };

/*
 * Reads and checks everything. On failure writes one line that names the variable into `error`
 * and returns false. Strings live until config_done(). An empty variable counts as unset where the
 * default is empty too or the variable is a number. A name in the file that is no setting fails
 * where it is a typing error of one, and is ignored otherwise.
 */
must_check bool config_load(struct config *config, char error[CONFIG_ERROR_SIZE]);
void config_done(struct config *config);

bool config_is_setting(const char *name);
/* The setting that a mistyped name probably stands for; NULL where none is similar. */
const char *config_meant(const char *name);

/* The elements of a setting that is a list separated by commas: how many there are, and the n-th of
 * them, from 0. False, and "", where that is empty or there is none. */
enum { CONFIG_ITEM_SIZE = 256 };
int config_list_count(const char *list);
bool config_list_item(const char *list, int n, char item[CONFIG_ITEM_SIZE]);

/* For a program's main: handles --help and --version, loads, sets up the log. Exits with 0 after
 * those options, with 2 and a line on standard error for an unknown option or a bad value. */
void config_start(struct config *config, const char *program, const char *purpose, int argc,
                  char **argv);

/* The table in other forms. */
/* The settings of those programs (FOR_…), a line each. */
void config_print_help(FILE *out, unsigned programs);
void config_print_env_example(FILE *out);
void config_print_markdown(FILE *out);
/* The items of a list in mdoc(7), for mcs.env(5). */
void config_print_mdoc(FILE *out);
/* NAME='value' lines for a shell. */
void config_print_shell(const struct config *config, FILE *out);
