/* Settings: reading, checking and documenting the table in config.def. */

#include "common/config.h"

#include "common/buf.h"
#include "common/environment.h"
#include "common/log.h"
#include "common/nearest.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
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

/* --- rules: what a string must satisfy -------------------------------------------------------- */

static bool made_of(const char *s, const char *more) {
  for (; *s; s++)
    if (!isalnum((unsigned char)*s) && !strchr(more, *s))
      return false;
  return true;
}

static const char *rule_any(const char *s) {
  for (; *s; s++)
    if ((unsigned char)*s < 0x20)
      return "must not contain control characters";
  return NULL;
}

static const char *rule_some(const char *s) {
  return *s ? rule_any(s) : "must not be empty";
}

static const char *rule_path(const char *s) {
  return rule_some(s);
}

static const char *rule_pool_mode(const char *s) {
  return strcmp(s, "session") == 0 || strcmp(s, "transaction") == 0
             ? NULL
             : "must be session or transaction";
}

static const char *rule_word(const char *s) {
  for (; *s; s++)
    if ((unsigned char)*s <= 0x20 || *s == '\'' || *s == '"' || *s == '\\')
      return "must not contain blanks, quotes or backslashes";
  return NULL;
}

static const char *rule_name(const char *s) {
  return *s && made_of(s, "-._") ? NULL : "must be letters, digits, '-', '.' or '_'";
}

/* Libpq would take an element that is empty for a server on this host. */
static const char *rule_hosts(const char *s) {
  size_t len = strlen(s);
  if (len && (*s == ',' || s[len - 1] == ',' || strstr(s, ",,")))
    return "must not have an empty name between its commas";
  return rule_word(s);
}

/* An address that can be listened on: IPv4, IPv6 with or without brackets, or both loopbacks. */
static const char *rule_address(const char *s) {
  if (strcmp(s, "localhost") == 0)
    return NULL;
  unsigned char bytes[16];
  size_t len = strlen(s);
  char bare[64];
  bool brackets = len > 2 && len < sizeof(bare) && s[0] == '[' && s[len - 1] == ']';
  snprintf(bare, sizeof(bare), "%.*s", (int)(brackets ? len - 2 : len), brackets ? s + 1 : s);
  if ((!brackets && inet_pton(AF_INET, bare, bytes) == 1) || inet_pton(AF_INET6, bare, bytes) == 1)
    return NULL;
  return "must be localhost, or an IPv4 or IPv6 address such as 127.0.0.1, 0.0.0.0 or ::";
}

static bool is_port(const char *s) {
  size_t digits = strspn(s, "0123456789");
  return digits && digits <= 5 && !s[digits] && atoi(s) > 0 && atoi(s) <= 65535;
}

/* A name or an IPv4 address; IPv6 needs brackets, for web servers read what is before the first
 * colon. */
static bool is_host(const char *s, size_t len) {
  char host[CONFIG_ITEM_SIZE];
  snprintf(host, sizeof(host), "%.*s", (int)len, s);
  return len > 0 && len < sizeof(host) &&
         (*s == '[' ? s[len - 1] == ']' && !rule_address(host) : !strpbrk(host, ":[]/"));
}

static const char *rule_listen(const char *s) {
  const char *colon = strrchr(s, ':');
  if (!*s || (*s == '/' && rule_word(s) == NULL))
    return NULL;
  if (colon && is_host(s, (size_t)(colon - s)) && is_port(colon + 1) && rule_word(s) == NULL)
    return NULL;
  return "must be a socket's path, which starts with '/', or host:port, or [IPv6]:port";
}

static const char *rule_sentinels(const char *s) {
  char item[CONFIG_ITEM_SIZE];
  for (int i = 0, count = config_list_count(s); i < count; i++)
    if (!config_list_item(s, i, item) || !*item || *item == '/' || rule_listen(item))
      return "must be host:port of each Sentinel, separated by commas";
  return NULL;
}

static const char *rule_parts(const char *s) {
  char item[CONFIG_ITEM_SIZE];
  for (int i = 0, count = config_list_count(s); i == 0 || i < count; i++)
    if (!config_list_item(s, i, item) ||
        (strcmp(item, "wsd") != 0 && strcmp(item, "worker") != 0 && strcmp(item, "api") != 0))
      return "must be of wsd, worker and api, separated by commas";
  return NULL;
}

/* The origins of RFC 6454 section 6.2: scheme, host, perhaps a port. */
static const char *rule_origins(const char *s) {
  const char *error = "must be *, or origins such as https://app.example.com, separated by commas";
  if (strcmp(s, "*") == 0)
    return NULL;
  while (*s) {
    s += strspn(s, ", ");
    size_t len = strcspn(s, ", ");
    const char *host = len ? strstr(s, "://") : NULL;
    if (len && (!host || host == s || host + 3 >= s + len ||
                memchr(host + 3, '/', len - (size_t)(host + 3 - s))))
      return error;
    s += len;
  }
  return NULL;
}

static const char *rule_log_level(const char *s) {
  enum log_level level;
  return log_level_parse(s, &level) ? NULL : "must be debug, info, warn or error";
}

static const char *rule_api_keys(const char *s) {
  const char *error = "must be keys of 1 to 100 of A-Z a-z 0-9 - . _ ~ + / =, separated by commas";
  if (!made_of(s, "-._~+/=, "))
    return error;
  bool any = false;
  while (*s) {
    s += strspn(s, " ");
    size_t len = strcspn(s, ", ");
    any |= len > 0;
    s += len;
    s += strspn(s, " ");
    if (len > 100 || (*s && *s != ','))
      return error;
    s += *s == ',';
  }
  return any ? NULL : "must name at least one key";
}

static const char *rule_base_path(const char *s) {
  if (!*s)
    return NULL;
  if (*s != '/' || s[strlen(s) - 1] == '/' || strstr(s, "//") || strstr(s, "/.") ||
      !made_of(s, "/-._~"))
    return "must be empty, or like /mock: letters, digits, '-', '.', '_', '~' behind each '/', and "
           "no '/' at its end";
  return NULL;
}

static const char *rule_public_url(const char *s) {
  if (!*s)
    return NULL;
  size_t scheme = strncmp(s, "http://", 7) == 0 ? 7 : strncmp(s, "https://", 8) == 0 ? 8 : 0;
  if (!scheme || !s[scheme] || !made_of(s, ":/-._~[]") || s[strlen(s) - 1] == '/')
    return "must be like https://calls.example.com or http://host:8080, without a '/' at its end";
  return NULL;
}

/* --- the table -------------------------------------------------------------------------------- */

enum kind { KIND_STR, KIND_INT, KIND_REAL };

struct setting {
  const char *variable;
  const char *help;
  size_t offset;
  const char *fallback; /* as text, for every kind */
  double min, max;      /* of a number; `most` characters of a string */
  enum kind kind;
  unsigned programs; /* FOR_… */
  const char *(*rule)(const char *);
};

static const struct setting settings[] = {
#define CONFIG_STR(field_, variable_, programs_, fallback_, max_, check_, help_)                   \
  {.variable = #variable_,                                                                         \
   .help = help_,                                                                                  \
   .kind = KIND_STR,                                                                               \
   .offset = offsetof(struct config, field_),                                                      \
   .fallback = fallback_,                                                                          \
   .max = max_,                                                                                    \
   .programs = programs_,                                                                          \
   .rule = rule_##check_},
#define CONFIG_NUMBER(kind_, field_, variable_, programs_, fallback_, min_, max_, help_)           \
  {.variable = #variable_,                                                                         \
   .help = help_,                                                                                  \
   .kind = kind_,                                                                                  \
   .offset = offsetof(struct config, field_),                                                      \
   .fallback = #fallback_,                                                                         \
   .min = min_,                                                                                    \
   .max = max_,                                                                                    \
   .programs = programs_},
#define CONFIG_INT(...) CONFIG_NUMBER(KIND_INT, __VA_ARGS__)
#define CONFIG_REAL(...) CONFIG_NUMBER(KIND_REAL, __VA_ARGS__)
#include "common/config.def"
#undef CONFIG_STR
#undef CONFIG_INT
#undef CONFIG_REAL
};

static const char *const variables[] = {
#define CONFIG_STR(field, variable, ...) #variable,
#define CONFIG_INT CONFIG_STR
#define CONFIG_REAL CONFIG_STR
#include "common/config.def"
#undef CONFIG_STR
#undef CONFIG_INT
#undef CONFIG_REAL
};

static void *field_of(const struct config *config, const struct setting *s) {
  return (char *)config + s->offset;
}

/* --- the environment file --------------------------------------------------------------------- */

/* Cuts the value of a line NAME=value: quotes, blanks around, and a comment behind a blank. */
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

/* The value of `variable` in the text of an environment file, or NULL; to be freed. */
static char *file_value(const char *text, const char *variable) {
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

/* Whether a line says something, that is, is neither blank nor a comment; then `*name` is what
 * stands before its '=', of `*name_len` characters, 0 where it is not NAME=value. */
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

bool config_is_setting(const char *name) {
  for (size_t i = 0; i < ARRAY_LEN(variables); i++)
    if (strcmp(name, variables[i]) == 0)
      return true;
  return false;
}

const char *config_meant(const char *name) {
  const char *typo = nearest_typo(name, variables, ARRAY_LEN(variables));
  return typo ? typo : nearest_whole(name, variables, ARRAY_LEN(variables));
}

/* What docker-compose.yml and docker compose itself take from the same .env. */
static bool is_of_compose(const char *name) {
  return strncmp(name, "COMPOSE_", 8) == 0 || strncmp(name, "DOCKER_", 7) == 0 ||
         strcmp(name, "POSTGRES_PUBLISH") == 0 || strcmp(name, "REDIS_PUBLISH") == 0 ||
         strcmp(name, "CONTAINER_PREFIX") == 0;
}

/* Adds a name that is no setting to the list of those that are ignored. */
static void note_unknown(struct buf *unknown, const char *name) {
  const char *whole = nearest_whole(name, variables, ARRAY_LEN(variables));
  buf_printf(unknown, "%s%s", unknown->len ? ", " : "", name);
  if (whole)
    buf_printf(unknown, " (did you mean %s?)", whole);
}

/* Whether a line's name (of `len` characters, 0 if it has none) may stand; one that is ignored goes
 * to `unknown`. */
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
  const char *meant = nearest_typo(name, variables, ARRAY_LEN(variables));
  if (meant)
    buf_printf(error, "there is no setting %.40s; did you mean %s?", name, meant);
  else
    note_unknown(unknown, name);
  return !meant;
}

static bool check_lines(const char *path, const char *text, struct buf *unknown, char *error) {
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

static char *read_file(const char *path) {
  FILE *f = fopen(path, "re");
  if (!f)
    return NULL;
  enum { MOST = 1 << 20 };
  char *text = calloc(1, MOST + 1);
  if (text)
    text[fread(text, 1, MOST, f)] = '\0';
  fclose(f);
  return text;
}

/* --- loading ---------------------------------------------------------------------------------- */

static bool parse_number(const struct setting *s, const char *text, double *number) {
  char *end;
  errno = 0;
  *number = s->kind == KIND_INT ? (double)strtol(text, &end, 10) : strtod(text, &end);
  return end != text && !*end && !errno && isfinite(*number) && !isspace((unsigned char)*text) &&
         *number >= s->min && *number <= s->max;
}

static bool store(const struct config *config, const struct setting *s, char *text, char *error) {
  if (s->kind == KIND_STR) {
    *(char **)field_of(config, s) = text;
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
             s->kind == KIND_INT ? "a whole number" : "a number", s->min, s->max);
  else if (s->kind == KIND_INT)
    *(long *)field_of(config, s) = (long)number;
  else
    *(double *)field_of(config, s) = number;
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
  cleanup_free char *file = path && *path ? read_file(path) : NULL;
  if (path && *path && !file) {
    snprintf(error, CONFIG_ERROR_SIZE, "MCS_ENV_FILE=%.180s cannot be read: %s", path,
             strerror(errno));
    return false;
  }
  cleanup_buf struct buf unknown = {0};
  if (file && !check_lines(path, file, &unknown, error))
    return false;
  for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
    const struct setting *s = &settings[i];
    const char *from_env = getenv(s->variable);
    bool empty_is_unset = s->kind != KIND_STR || !*s->fallback;
    if (from_env && !*from_env && empty_is_unset)
      from_env = NULL;
    char *text = from_env ? strdup(from_env) : file ? file_value(file, s->variable) : NULL;
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
  for (size_t i = 0; i < ARRAY_LEN(settings); i++)
    if (settings[i].kind == KIND_STR)
      free(*(char **)field_of(config, &settings[i]));
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
  /* Names are resolved by the C library, without a deadline of ours: bound its patience. */
  setenv("RES_OPTIONS", "timeout:1 attempts:1", 0);
  enum log_level level = LOG_INFO;
  log_level_parse(config->log_level, &level);
  log_init(program, level);
  if (*config->unknown)
    log_warn("config.unknown", "msg=\"ignored, not settings: %s\"", config->unknown);
}

/* --- the table in other forms ----------------------------------------------------------------- */

void config_print_help(FILE *out, unsigned programs) {
  fputs("Settings, from the environment or the file that MCS_ENV_FILE names:\n", out);
  for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
    const struct setting *s = &settings[i];
    if (s->programs & programs)
      fprintf(out, "  %-29s %s%s%s%s\n", s->variable, s->help, *s->fallback ? " [" : "",
              s->fallback, *s->fallback ? "]" : "");
  }
}

void config_print_env_example(FILE *out) {
  fputs(
      "# Settings of the mock communications service, with their defaults; copy to .env.\n"
      "# The environment takes precedence over this file. A commented-out setting is unset.\n",
      out);
  for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
    const struct setting *s = &settings[i];
    fprintf(out, "\n# %s\n%s%s=%s\n", s->help, *s->fallback ? "" : "# ", s->variable, s->fallback);
  }
}

void config_print_markdown(FILE *out) {
  fputs("| Variable | Description | Default |\n|----------|-------------|---------|\n", out);
  for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
    const struct setting *s = &settings[i];
    fprintf(out, "| `%s` | %s | %s%s%s |\n", s->variable, s->help, *s->fallback ? "`" : "",
            *s->fallback ? s->fallback : "unset", *s->fallback ? "`" : "");
  }
}

/* A value never starts a macro or ends one: "\\&" is in front. */
void config_print_mdoc(FILE *out) {
  for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
    const struct setting *s = &settings[i];
    fprintf(out, ".It Ev %s\n%s.\n", s->variable, s->help);
    if (*s->fallback)
      fprintf(out, "Default:\n.Ql \\&%s\n", s->fallback);
  }
}

void config_print_shell(const struct config *config, FILE *out) {
  for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
    const struct setting *s = &settings[i];
    fprintf(out, "%s='", s->variable);
    if (s->kind == KIND_INT)
      fprintf(out, "%ld", *(long *)field_of(config, s));
    else if (s->kind == KIND_REAL)
      fprintf(out, "%.12g", *(double *)field_of(config, s));
    else
      for (const char *p = *(const char **)field_of(config, s); *p; p++)
        fputs(*p == '\'' ? "'\\''" : (const char[]){*p, '\0'}, out);
    fputs("'\n", out);
  }
}
