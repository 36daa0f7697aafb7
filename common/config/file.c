/* The environment file: its lines, and what is wrong with them. */

#include "common/config/file.h"

#include "common/config/table.h"
#include "common/log.h"
#include "common/nearest.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Cuts quotes, surrounding blanks, and a comment after a blank off the value of a line. */
static char *trim_value(char *value) {
  value += strspn(value, " \t");
  if (*value == '"' || *value == '\'') {
    char *end = strchr(value + 1, *value);
    if (end) {
      *end = '\0';
      return value + 1;
    }
  }
  for (char *p = value; *p; p++)
    if (*p == '#' && (p == value || isblank((unsigned char)p[-1]))) {
      *p = '\0';
      break;
    }
  size_t len = strlen(value);
  while (len && isspace((unsigned char)value[len - 1]))
    value[--len] = '\0';
  return value;
}

char *config_file_value(const char *text, const char *variable) {
  char *found = NULL;
  size_t name_len = strlen(variable);
  for (const char *line = text; line && *line; line = strchr(line, '\n')) {
    line += strspn(line, " \t\r\n");
    if (strncmp(line, "export ", 7) == 0)
      line += 7 + strspn(line + 7, " \t");
    if (strncmp(line, variable, name_len) != 0)
      continue;
    const char *p = line + name_len;
    p += strspn(p, " \t");
    if (*p++ != '=')
      continue;
    cleanup_free char *value = strndup(p, strcspn(p, "\r\n"));
    free(found); /* the last one counts */
    found = strdup(trim_value(value));
  }
  return found;
}

/* False for a blank line and for a comment. Else `*name` is what comes before the '=', of
 * `*name_len` characters, 0 where the line is not NAME=value. */
static bool read_line(const char *line, const char **name, int *name_len) {
  const char *p = line + strspn(line, " \t\r");
  if (strncmp(p, "export ", 7) == 0)
    p += 7 + strspn(p + 7, " \t");
  *name = p;
  while (isalnum((unsigned char)*p) || *p == '_')
    p++;
  *name_len = (int)(p - *name);
  p += strspn(p, " \t");
  if (*p != '=')
    *name_len = 0;
  return **name && **name != '\n' && **name != '#';
}

/* What docker-compose.yml and docker compose itself take from the same .env. */
static bool is_of_compose(const char *name) {
  return strncmp(name, "COMPOSE_", 8) == 0 || strncmp(name, "DOCKER_", 7) == 0 ||
         strcmp(name, "POSTGRES_PUBLISH") == 0 || strcmp(name, "REDIS_PUBLISH") == 0 ||
         strcmp(name, "CONTAINER_PREFIX") == 0;
}

/* Adds a name that is no setting to the list of those that are ignored. */
static void note_unknown(struct buf *unknown, const char *name) {
  const char *whole = nearest_whole(name, config_variables, config_setting_count);
  buf_printf(unknown, "%s%s", unknown->len ? ", " : "", name);
  if (whole)
    buf_printf(unknown, " (did you mean %s?)", whole);
}

/* Whether a line's name (of `len` characters, 0 if it has none) is allowed; one that is ignored
 * goes to `unknown`. */
static bool check_name(const char *at, int len, struct buf *unknown, struct buf *error) {
  if (!len) {
    buf_str(error, "is not NAME=value");
    return false;
  }
  cleanup_free char *name = strndup(at, (size_t)len);
  if (!name)
    log_oom();
  if (config_is_setting(name) || is_of_compose(name))
    return true;
  const char *meant = nearest_typo(name, config_variables, config_setting_count);
  if (meant)
    buf_printf(error, "there is no setting %.40s; did you mean %s?", name, meant);
  else
    note_unknown(unknown, name);
  return !meant;
}

bool config_file_check(const char *path, const char *text, struct buf *unknown, char *error) {
  cleanup_buf struct buf wrong = {0};
  int number = 1;
  for (const char *line = text; *line; number++) {
    const char *name;
    int len;
    if (read_line(line, &name, &len) && !check_name(name, len, unknown, &wrong)) {
      snprintf(error, CONFIG_ERROR_SIZE, "MCS_ENV_FILE=%.120s: line %d%s%s", path, number,
               len ? ": " : " ", buf_text(&wrong));
      return false;
    }
    line += strcspn(line, "\n");
    line += *line == '\n';
  }
  return true;
}

char *config_file_read(const char *path) {
  FILE *f = fopen(path, "re");
  if (!f)
    return NULL;
  enum { FILE_MAX = 1 << 20 };
  char *text = calloc(1, FILE_MAX + 1);
  if (text)
    text[fread(text, 1, FILE_MAX, f)] = '\0';
  fclose(f);
  return text;
}
