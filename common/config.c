/* Settings: loading what the table of config.def names, and the start of a program with them. */

#include "common/config.h"

#include "common/buf.h"
#include "common/config/file.h"
#include "common/config/table.h"
#include "common/environment.h"
#include "common/log.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- lists ------------------------------------------------------------------------------------ */

int config_list_count(const char *list) {
  int count = *list != '\0';
  for (; *list; list++)
    count += *list == ',';
  return count;
}

bool config_list_item(const char *list, int n, char item[CONFIG_ITEM_SIZE]) {
  for (; n > 0 && *list; n--) {
    list += strcspn(list, ",");
    list += *list == ',';
  }
  size_t len = strcspn(list, ",");
  if (len >= CONFIG_ITEM_SIZE)
    len = 0;
  memcpy(item, list, len);
  item[len] = '\0';
  return len > 0;
}

/* --- loading ---------------------------------------------------------------------------------- */

static bool parse_number(const struct config_setting *s, const char *text, double *number) {
  char *end;
  errno = 0;
  *number = s->kind == CONFIG_KIND_INT ? (double)strtol(text, &end, 10) : strtod(text, &end);
  return end != text && !*end && !errno && isfinite(*number) && !isspace((unsigned char)*text) &&
         *number >= s->min && *number <= s->max;
}

static bool store(const struct config *config, const struct config_setting *s, char *text,
                  char *error) {
  if (s->kind == CONFIG_KIND_STR) {
    *(char **)config_field(config, s) = text;
    const char *wrong = s->rule(text);
    if (!wrong && strlen(text) <= (size_t)s->max)
      return true;
    if (wrong)
      snprintf(error, CONFIG_ERROR_SIZE, "%s %s", s->variable, wrong);
    else
      snprintf(error, CONFIG_ERROR_SIZE, "%s is longer than %d characters", s->variable,
               (int)s->max);
    return false;
  }
  double number;
  bool good = parse_number(s, text, &number);
  if (!good)
    snprintf(error, CONFIG_ERROR_SIZE, "%s=%.40s must be %s from %g to %.12g", s->variable, text,
             s->kind == CONFIG_KIND_INT ? "a whole number" : "a number", s->min, s->max);
  else if (s->kind == CONFIG_KIND_INT)
    *(long *)config_field(config, s) = (long)number;
  else
    *(double *)config_field(config, s) = number;
  free(text);
  return good;
}

static const char *under_var(const struct config *config, const char *set, const char *name) {
  char *path = NULL;
  int len = *set ? asprintf(&path, "%s", set) : asprintf(&path, "%s/run%s", config->var, name);
  if (len < 0)
    log_oom();
  return path;
}

bool config_load(struct config *config, char error[CONFIG_ERROR_SIZE]) {
  *config = (struct config){0};
  const char *path = getenv("MCS_ENV_FILE");
  cleanup_free char *file = path && *path ? config_file_read(path) : NULL;
  if (path && *path && !file) {
    snprintf(error, CONFIG_ERROR_SIZE, "MCS_ENV_FILE=%.180s cannot be read: %s", path,
             strerror(errno));
    return false;
  }
  cleanup_buf struct buf unknown = {0};
  if (file && !config_file_check(path, file, &unknown, error))
    return false;
  for (size_t i = 0; i < config_setting_count; i++) {
    const struct config_setting *s = &config_settings[i];
    const char *from_env = getenv(s->variable);
    bool empty_is_unset = s->kind != CONFIG_KIND_STR || !*s->fallback;
    if (from_env && !*from_env && empty_is_unset)
      from_env = NULL;
    char *text = from_env ? strdup(from_env) : file ? config_file_value(file, s->variable) : NULL;
    if (!text || (!*text && empty_is_unset)) {
      free(text);
      text = strdup(s->fallback);
    }
    if (!text)
      log_oom();
    if (!store(config, s, text, error))
      return false;
  }
  if (!(config->unknown = strdup(buf_text(&unknown))))
    log_oom();
  config->resolved_wsd_listen = under_var(config, config->wsd_listen, "/wsd.sock");
  config->resolved_postgres_host = under_var(config, config->postgres_host, "");
  config->resolved_redis_host = under_var(config, config->redis_host, "/redis.sock");
  return true;
}

void config_done(struct config *config) {
  for (size_t i = 0; i < config_setting_count; i++)
    if (config_settings[i].kind == CONFIG_KIND_STR)
      free(*(char **)config_field(config, &config_settings[i]));
  free((char *)config->unknown);
  free((char *)config->resolved_wsd_listen);
  free((char *)config->resolved_postgres_host);
  free((char *)config->resolved_redis_host);
  *config = (struct config){0};
}

static unsigned program_flag(const char *program) {
  static const struct {
    const char *name;
    unsigned flag;
  } programs[] = {
      {.name = "responder", .flag = FOR_RESPONDER},
      {.name = "wsd", .flag = FOR_WSD},
      {.name = "worker", .flag = FOR_WORKER},
  };
  for (size_t i = 0; i < ARRAY_LEN(programs); i++)
    if (strcmp(program, programs[i].name) == 0)
      return programs[i].flag;
  return FOR_ALL;
}

void config_start(struct config *config, const char *program, const char *purpose, int argc,
                  char **argv) {
  environment_open_descriptors();
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0) {
      printf("usage: mcs-%s\n%s\n\n", program, purpose);
      config_print_help(stdout, program_flag(program));
      exit(0);
    }
    if (strcmp(argv[i], "--version") == 0) {
      printf("mcs-%s %s\n", program, MCS_VERSION);
      exit(0);
    }
    fprintf(stderr, "mcs-%s: unknown option %s; try --help\n", program, argv[i]);
    exit(2);
  }
  char error[CONFIG_ERROR_SIZE];
  if (!config_load(config, error)) {
    fprintf(stderr, "mcs-%s: %s\n", program, error);
    exit(2);
  }
  environment_forget_libpq(config);
  /* The C library resolves names without a deadline of ours: shorten its own. */
  setenv("RES_OPTIONS", "timeout:1 attempts:1", 0);
  enum log_level level = LOG_INFO;
  log_level_parse(config->log_level, &level);
  log_init(program, level);
  if (*config->unknown)
    log_warn("config.unknown", "msg=\"ignored, not settings: %s\"", config->unknown);
}
