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
#define CONFIG_STR(field, variable, fallback, most, rule, help) const char *field;
#define CONFIG_INT(field, variable, fallback, least, most, help) long field;
#define CONFIG_REAL(field, variable, fallback, least, most, help) double field;
#include "common/config.def"
#undef CONFIG_STR
#undef CONFIG_INT
#undef CONFIG_REAL
  const char *resolved_wsd_listen; /* with the default under MCS_VAR put in */
  const char *resolved_postgres_host;
  const char *resolved_redis_host;
};

enum { CONFIG_FAULT_SIZE = 256 };

/*
 * Reads and checks everything. On failure writes one line that names the variable into `fault` and
 * returns false. Strings live until config_done(). An empty variable counts as unset where the
 * default is empty too or the variable is a number.
 */
must_check bool config_load(struct config *config, char fault[CONFIG_FAULT_SIZE]);
void config_done(struct config *config);

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
void config_print_help(FILE *out);
void config_print_env_example(FILE *out);
void config_print_markdown(FILE *out);
/* The items of a list in mdoc(7), for mcs.env(5). */
void config_print_mdoc(FILE *out);
/* NAME='value' lines for a shell. */
void config_print_shell(const struct config *config, FILE *out);
