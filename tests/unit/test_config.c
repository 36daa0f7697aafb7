/*
 * Settings (common/config.c): the environment, the file that MCS_ENV_FILE names, and errors that
 * name their variable. The numbers' bounds come from the table itself.
 */

#include "common/config.h"

#include "tests/unit/test.h"

#include <stdlib.h>

static const char *const variables[] = {
#define CONFIG_STR(field, variable, ...) #variable,
#define CONFIG_INT(field, variable, ...) #variable,
#define CONFIG_REAL(field, variable, ...) #variable,
#include "common/config.def"
#undef CONFIG_STR
#undef CONFIG_INT
#undef CONFIG_REAL
};

static void forget_all(void) {
  unsetenv("MCS_ENV_FILE");
  for (size_t i = 0; i < ARRAY_LEN(variables); i++)
    unsetenv(variables[i]);
}

static char file_path[] = "/tmp/mcs-test-config.XXXXXX";

static void write_file(const char *text) {
  FILE *f = fopen(file_path, "w");
  fputs(text, f);
  fclose(f);
}

static bool load(struct config *config) {
  char error[CONFIG_ERROR_SIZE] = "";
  bool good = config_load(config, error);
  if (!good)
    test_error(__FILE__, __LINE__, "%s", error);
  return good;
}

/* Loading must fail with a line that begins with the variable's name. */
static void check_error(const char *variable, const char *value) {
  struct config config;
  char error[CONFIG_ERROR_SIZE] = "";
  size_t len = strlen(variable);
  setenv(variable, value, 1);
  if (config_load(&config, error))
    test_error(__FILE__, __LINE__, "%s=%.60s passed", variable, value);
  else if (strncmp(error, variable, len) != 0 || (error[len] != ' ' && error[len] != '='))
    test_error(__FILE__, __LINE__, "%s=%.60s gives \"%s\"", variable, value, error);
  config_done(&config);
  unsetenv(variable);
}

static void check_good(const char *variable, const char *value) {
  struct config config;
  setenv(variable, value, 1);
  load(&config);
  config_done(&config);
  unsetenv(variable);
}

/* --- values ----------------------------------------------------------------------------------- */

static void test_defaults(void) {
  struct config c;
  CHECK(load(&c));
  CHECK_INT(c.port, 3000);
  CHECK_STR(c.bind, "localhost");
  CHECK_STR(c.postgres_host, "");
  CHECK_INT(c.postgres_port, 5432);
  CHECK_STR(c.postgres_db, "mock_communications");
  CHECK_STR(c.redis_host, "");
  CHECK_INT(c.redis_port, 6379);
  CHECK_INT(c.max_concurrent, 3);
  CHECK_INT(c.max_cps, 2);
  CHECK_STR(c.api_keys, "test-api-key-1,test-api-key-2,demo-key");
  CHECK_STR(c.s3_bucket, "mock-recordings-bucket");
  CHECK_STR(c.aws_region, "us-east-1");
  CHECK(c.upload_failure_rate == 0 && c.time_scale == 1);
  CHECK_INT(c.max_body, 65536);
  CHECK_STR(c.log_level, "info");
  CHECK_STR(c.cors_origin, "*");
  CHECK_STR(c.base_path, "");
  config_done(&c);
}

static void test_environment(void) {
  struct config c;
  setenv("PORT", "8080", 1);
  setenv("BIND", "0.0.0.0", 1);
  setenv("TIME_SCALE", "0.25", 1);
  setenv("UPLOAD_FAILURE_RATE", "1", 1);
  setenv("CORS_ORIGIN", "", 1);
  setenv("RETENTION_DAYS", "", 1); /* counts as unset */
  CHECK(load(&c));
  CHECK_INT(c.port, 8080);
  CHECK_STR(c.bind, "0.0.0.0");
  CHECK(c.time_scale == 0.25 && c.upload_failure_rate == 1);
  CHECK_STR(c.cors_origin, "");
  CHECK_INT(c.retention_days, 30);
  config_done(&c);
}

static void test_resolved(void) {
  static const struct {
    const char *set, *wsd, *postgres, *redis; /* `set` is the value of all three */
  } cases[] = {
      {"", "/srv/x/run/wsd.sock", "/srv/x/run", "/srv/x/run/redis.sock"},
      {"/sock", "/sock", "/sock", "/sock"},
      {"host:1", "host:1", "host:1", "host:1"},
  };
  setenv("MCS_VAR", "/srv/x", 1);
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    struct config c;
    setenv("WSD_LISTEN", cases[i].set, 1);
    setenv("POSTGRES_HOST", cases[i].set, 1);
    setenv("REDIS_HOST", cases[i].set, 1);
    CHECK(load(&c));
    CHECK_STR(c.resolved_wsd_listen, cases[i].wsd);
    CHECK_STR(c.resolved_postgres_host, cases[i].postgres);
    CHECK_STR(c.resolved_redis_host, cases[i].redis);
    config_done(&c);
  }
}

static void test_lists(void) {
  static const struct {
    const char *list;
    int count, n;
    const char *item;
  } cases[] = {
      {"", 0, 0, ""},       {"a", 1, 0, "a"},   {"a", 1, 1, ""},    {"a,bc", 2, 0, "a"},
      {"a,bc", 2, 1, "bc"}, {"a,bc", 2, 2, ""}, {"a,,c", 3, 1, ""}, {"a,,c", 3, 2, "c"},
      {",", 2, 0, ""},      {",", 2, 1, ""},    {"a,", 2, 1, ""},
  };
  char item[CONFIG_ITEM_SIZE], longest[CONFIG_ITEM_SIZE + 3];
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    CHECK_INT(config_list_count(cases[i].list), cases[i].count);
    CHECK(config_list_item(cases[i].list, cases[i].n, item) == (*cases[i].item != '\0'));
    CHECK_STR(item, cases[i].item);
  }
  memset(longest, 'x', sizeof(longest));
  longest[CONFIG_ITEM_SIZE] = ',';
  longest[CONFIG_ITEM_SIZE + 2] = '\0';
  CHECK(!config_list_item(longest, 0, item));
  CHECK(config_list_item(longest, 1, item));
  CHECK_STR(item, "x");
}

/* --- the file --------------------------------------------------------------------------------- */

static void test_file_forms(void) {
  static const struct {
    const char *text, *value; /* of POSTGRES_PASSWORD */
  } cases[] = {
      {"POSTGRES_PASSWORD=plain\n", "plain"},
      {"POSTGRES_PASSWORD=no-newline", "no-newline"},
      {"POSTGRES_PASSWORD=\r\n", ""},
      {"POSTGRES_PASSWORD=dos\r\nPORT=1\r\n", "dos"},
      {"  POSTGRES_PASSWORD = spaced  \n", "spaced"},
      {"export POSTGRES_PASSWORD=exported\n", "exported"},
      {"POSTGRES_PASSWORD=\"two words\"\n", "two words"},
      {"POSTGRES_PASSWORD='it is \"so\"' # really\n", "it is \"so\""},
      {"POSTGRES_PASSWORD=value # comment\n", "value"},
      {"POSTGRES_PASSWORD=a#b\n", "a#b"},
      {"POSTGRES_PASSWORD=#all\n", ""},
      {"POSTGRES_PASSWORD=\"open\n", "\"open"},
      {"POSTGRES_PASSWORD=a=b\n", "a=b"},
      {"# POSTGRES_PASSWORD=commented\n", ""},
      {"#\n\n\nPORT=1\n\nPOSTGRES_PASSWORD=below\n", "below"},
      {"POSTGRES_PASSWORD=first\nPOSTGRES_PASSWORD=last\n", "last"},
      {"OLD_POSTGRES_PASSWORD=other\nPOSTGRES_PASSWORD_2=other\n", ""},
      {"", ""},
  };
  setenv("MCS_ENV_FILE", file_path, 1);
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    struct config c;
    write_file(cases[i].text);
    CHECK(load(&c));
    CHECK_STR(c.postgres_password, cases[i].value);
    config_done(&c);
  }
}

static void test_environment_beats_file(void) {
  struct config c;
  write_file("PORT=4001\nBIND=10.0.0.1\nMAX_CPS_PER_KEY=9\n");
  setenv("MCS_ENV_FILE", file_path, 1);
  setenv("PORT", "4002", 1);
  CHECK(load(&c));
  CHECK_INT(c.port, 4002);
  CHECK_STR(c.bind, "10.0.0.1");
  CHECK_INT(c.max_cps, 9);
  config_done(&c);
}

static void test_file_errors(void) {
  check_error("MCS_ENV_FILE", "/nonexistent/.env");
  write_file("PORT=abc\n");
  struct config c;
  char error[CONFIG_ERROR_SIZE] = "";
  setenv("MCS_ENV_FILE", file_path, 1);
  CHECK(!config_load(&c, error));
  CHECK(strncmp(error, "PORT=abc ", 9) == 0);
  config_done(&c);
}

/* A line that is no setting is named, so that a slip does not just count for nothing. */
static void test_file_lines(void) {
  static const struct {
    const char *text;
    int line; /* 0: all are good */
  } cases[] = {
      {"PORT=1\n\n \t\r\n# comment\n  # comment\nOTHER_1=x\nexport X=y\n", 0},
      {"PORT\n", 1},
      {"PORT=1\nPORT 2\n", 2},
      {"\n\n=x\n", 3},
      {"# a\r\nPORT: 1\r\n", 2},
      {"PO-RT=1", 1},
      {"export PORT\n", 1},
  };
  setenv("MCS_ENV_FILE", file_path, 1);
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    struct config c;
    char error[CONFIG_ERROR_SIZE] = "", expected[CONFIG_ERROR_SIZE] = "";
    write_file(cases[i].text);
    if (cases[i].line)
      snprintf(expected, sizeof(expected), "MCS_ENV_FILE=%s: line %d is not NAME=value", file_path,
               cases[i].line);
    CHECK_INT(config_load(&c, error), !cases[i].line);
    CHECK_STR(error, expected);
    config_done(&c);
  }
}

/* A name that can only be a typing error of a setting stops the start. */
static void test_file_typing_errors(void) {
  static const struct {
    const char *name, *meant;
  } cases[] = {
      {"TIMESCALE", "TIME_SCALE"},
      {"time_scale", "TIME_SCALE"},
      {"TIME_SACLE", "TIME_SCALE"},
      {"PORTS", "PORT"},
      {"VALID_API_KEY", "VALID_API_KEYS"},
      {"RETENTION_DAY", "RETENTION_DAYS"},
      {"XPOSTGRES_PASSWORD", "POSTGRES_PASSWORD"},
  };
  setenv("MCS_ENV_FILE", file_path, 1);
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    char text[100], error[CONFIG_ERROR_SIZE] = "", expected[CONFIG_ERROR_SIZE];
    struct config c;
    snprintf(text, sizeof(text), "# none\n%s=20\n", cases[i].name);
    write_file(text);
    CHECK(!config_load(&c, error));
    config_done(&c);
    snprintf(expected, sizeof(expected),
             "MCS_ENV_FILE=%s: line 2: there is no setting %s; did you mean %s?", file_path,
             cases[i].name, cases[i].meant);
    CHECK_STR(error, expected);
  }
}

/* Other unknown names are told, but for those that belong to docker compose. */
static void test_file_unknown_names(void) {
  static const struct {
    const char *text, *unknown;
  } cases[] = {
      {"PORT=1\nexport BIND=127.0.0.1\n# TIMESCALE=2\n", ""},
      {"COMPOSE_PROJECT_NAME=x\nDOCKER_HOST=y\nPOSTGRES_PUBLISH=1\nREDIS_PUBLISH=1\n", ""},
      {"CONTAINER_PREFIX=x\n", ""},
      {"NODE_ENV=test\nPORT=1\nOLD_PORT=2\n", "NODE_ENV, OLD_PORT"},
      {"API_KEYS=a\n", "API_KEYS (did you mean VALID_API_KEYS?)"},
      {"MAX_CPS=1\n", "MAX_CPS (did you mean MAX_CPS_PER_KEY?)"},
      {"POSTGRES_PASSWORD_2=other\n", "POSTGRES_PASSWORD_2"},
  };
  setenv("MCS_ENV_FILE", file_path, 1);
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    struct config c;
    write_file(cases[i].text);
    CHECK(load(&c));
    CHECK_STR(c.unknown, cases[i].unknown);
    config_done(&c);
  }
}

/* --- errors ----------------------------------------------------------------------------------- */

static void test_number_errors(void) {
  static const struct {
    const char *variable;
    double min, max;
  } numbers[] = {
#define CONFIG_STR(...)
#define CONFIG_INT(field, variable, programs, fallback, min, max, help) {#variable, min, max},
#define CONFIG_REAL(field, variable, programs, fallback, min, max, help) {#variable, min, max},
#include "common/config.def"
#undef CONFIG_STR
#undef CONFIG_INT
#undef CONFIG_REAL
  };
  static const char *const never[] = {"abc",
                                      "-1",
                                      "1x",
                                      "1 ",
                                      " 1",
                                      "1,5",
                                      "nan",
                                      "inf",
                                      "1e99",
                                      "--",
                                      "0x1g",
                                      "1 2",
                                      "99999999999999999999999"};
  for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
    char text[40];
    for (size_t n = 0; n < ARRAY_LEN(never); n++)
      check_error(numbers[i].variable, never[n]);
    snprintf(text, sizeof(text), "%.12g", numbers[i].max + 1);
    check_error(numbers[i].variable, text);
    snprintf(text, sizeof(text), "%.12g", numbers[i].max);
    check_good(numbers[i].variable, text);
    snprintf(text, sizeof(text), "%.12g", numbers[i].min);
    check_good(numbers[i].variable, text);
  }
  check_error("PORT", "0");
  check_error("PORT", "80.5");
  check_error("TIME_SCALE", "0");
  check_error("RESPONDERS", "0");
}

static void test_string_lengths(void) {
  static const struct {
    const char *variable;
    size_t max;
  } strings[] = {
#define CONFIG_STR(field, variable, programs, fallback, max, rule, help) {#variable, max},
#define CONFIG_INT(field, variable, programs, fallback, min, max, help)
#define CONFIG_REAL(field, variable, programs, fallback, min, max, help)
#include "common/config.def"
#undef CONFIG_STR
#undef CONFIG_INT
#undef CONFIG_REAL
  };
  for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
    cleanup_free char *text = calloc(1, strings[i].max + 2);
    memset(text, 'a', strings[i].max + 1);
    check_error(strings[i].variable, text);
  }
}

static void test_list_errors(void) {
  static const struct {
    const char *variable, *value;
  } cases[] = {
      {"POSTGRES_HOST", "a,,b"},
      {"POSTGRES_HOST", ",a"},
      {"POSTGRES_HOST", "a,"},
      {"POSTGRES_HOST", ","},
      {"REDIS_SENTINELS", "a"},
      {"REDIS_SENTINELS", "a:1,"},
      {"REDIS_SENTINELS", ",a:1"},
      {"REDIS_SENTINELS", "a:1,,b:1"},
      {"REDIS_SENTINELS", "a:1,b:65536"},
      {"REDIS_SENTINELS", "/run/sentinel.sock"},
      {"REDIS_SENTINELS", "a:1, b:1"},
      {"REDIS_MASTER_NAME", ""},
      {"REDIS_MASTER_NAME", "a b"},
      {"PARTS", ""},
      {"PARTS", "web"},
      {"PARTS", "api,"},
      {"PARTS", "api worker"},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++)
    check_error(cases[i].variable, cases[i].value);
}

static void test_address_errors(void) {
  static const struct {
    const char *variable, *value;
  } cases[] = {
      {"BIND", "127.0.0.1 "},
      {"BIND", "a'b"},
      {"BIND", ""},
      {"BIND", "Localhost"},
      {"BIND", "[localhost]"},
      {"BIND", "example.com"},
      {"BIND", "1.2.3"},
      {"BIND", "[127.0.0.1]"},
      {"WSD_LISTEN", "/a b"},
      {"WSD_LISTEN", "host"},
      {"WSD_LISTEN", "host:"},
      {"WSD_LISTEN", ":4000"},
      {"WSD_LISTEN", "host:0"},
      {"WSD_LISTEN", "host:65536"},
      {"WSD_LISTEN", "::1:4000"},
      {"WSD_LISTEN", "[::1]"},
      {"WSD_LISTEN", "[::1]4000"},
      {"WSD_LISTEN", "[127.0.0.1]:4000"},
      {"WSD_LISTEN", "[host]:4000"},
      {"WSD_LISTEN", "[::1:4000"},
      {"RESPONDER_LISTEN", "::1:4000"},
      {"REDIS_SENTINELS", "::1:26379"},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++)
    check_error(cases[i].variable, cases[i].value);
}

static void test_string_errors(void) {
  static const struct {
    const char *variable, *value;
  } cases[] = {
      {"POSTGRES_HOST", "a b"},
      {"POSTGRES_DB", ""},
      {"POSTGRES_DB", "a\nb"},
      {"POSTGRES_USER", "a\tb"},
      {"POSTGRES_POOL_MODE", "statement"},
      {"POSTGRES_POOL_MODE", "Transaction"},
      {"POSTGRES_PASSWORD", "a\nb"},
      {"REDIS_HOST", "a\"b"},
      {"REDIS_PASSWORD", "a\tb"},
      {"VALID_API_KEYS", ""},
      {"VALID_API_KEYS", " , "},
      {"VALID_API_KEYS", "a;b"},
      {"VALID_API_KEYS", "a b"},
      {"VALID_API_KEYS", "k\xc3\xa9y"},
      {"S3_BUCKET_NAME", ""},
      {"S3_BUCKET_NAME", "a b"},
      {"AWS_REGION", "us/east"},
      {"LOG_LEVEL", ""},
      {"LOG_LEVEL", "INFO"},
      {"LOG_LEVEL", "loud"},
      {"CORS_ORIGIN", "app.example.com"},
      {"CORS_ORIGIN", "https://a/path"},
      {"CORS_ORIGIN", "https://"},
      {"CORS_ORIGIN", "*, https://a"},
      {"PUBLIC_URL", "calls.example.com"},
      {"PUBLIC_URL", "ws://calls.example.com"},
      {"PUBLIC_URL", "https://"},
      {"PUBLIC_URL", "https://x/"},
      {"PUBLIC_URL", "https://x?y"},
      {"PUBLIC_URL", "https://x\"y"},
      {"BASE_PATH", "mock"},
      {"BASE_PATH", "/"},
      {"BASE_PATH", "/mock/"},
      {"BASE_PATH", "//mock"},
      {"BASE_PATH", "/a//b"},
      {"BASE_PATH", "/../x"},
      {"BASE_PATH", "/a b"},
      {"BASE_PATH", "/a%20b"},
      {"MCS_VAR", "a\nb"},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++)
    check_error(cases[i].variable, cases[i].value);
}

static void test_string_values(void) {
  static const struct {
    const char *variable, *value;
  } cases[] = {
      {"BIND", "::1"},
      {"BIND", "0.0.0.0"},
      {"BIND", "[::]"},
      {"CORS_ORIGIN", "https://a.example,http://localhost:8080"},
      {"POSTGRES_HOST", "/var/run/postgresql"},
      {"POSTGRES_HOST", "db1.example,db2.example"},
      {"REDIS_SENTINELS", "a:1"},
      {"REDIS_SENTINELS", "10.0.0.1:26379,[::1]:26379,c.example:1"},
      {"PARTS", "api"},
      {"PARTS", "worker,wsd"},
      {"POSTGRES_USER", "svc@project.iam"},
      {"POSTGRES_DB", "host=x 'and' \"more\" \\ \xc3\xa9"},
      {"POSTGRES_POOL_MODE", "session"},
      {"POSTGRES_POOL_MODE", "transaction"},
      {"POSTGRES_PASSWORD", "any 'thing' \"at\" $all \\ \xc3\xa9"},
      {"VALID_API_KEYS", "one"},
      {"VALID_API_KEYS", " a , b ,, c "},
      {"VALID_API_KEYS", "A-Z.a_z~0+9/x="},
      {"LOG_LEVEL", "debug"},
      {"PUBLIC_URL", "https://calls.example.com"},
      {"PUBLIC_URL", "http://[::1]:8080/mock"},
      {"BASE_PATH", "/mock"},
      {"BASE_PATH", "/a/b-c_d.e~f"},
      {"BIND", "localhost"},
      {"WSD_LISTEN", "127.0.0.1:4000"},
      {"WSD_LISTEN", "localhost:4000"},
      {"WSD_LISTEN", "[::1]:4000"},
      {"WSD_LISTEN", "[::]:4000"},
      {"RESPONDER_LISTEN", "[::1]:4000"},
      {"REDIS_SENTINELS", "[::1]:26379,host:26379"},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++)
    check_good(cases[i].variable, cases[i].value);
}

static void test_api_key_lengths(void) {
  char key[102];
  memset(key, 'k', 101);
  key[101] = '\0';
  check_error("VALID_API_KEYS", key);
  key[100] = '\0';
  check_good("VALID_API_KEYS", key);
}

/* --- the table in other forms ----------------------------------------------------------------- */

/* What a shell has in `variable` after evaluating the printed lines. */
static void shell_value(const struct config *config, const char *variable, char *out, size_t size) {
  char command[200];
  FILE *f = fopen(file_path, "w");
  config_print_shell(config, f);
  fclose(f);
  snprintf(command, sizeof(command), "set -eu; eval \"$(cat %s)\"; printf '%%s|' \"$%s\"",
           file_path, variable);
  FILE *sh = popen(command, "r"); /* NOLINT: a fixed command, for eval is what is tested */
  size_t len = fread(out, 1, size - 1, sh);
  out[len] = '\0';
  CHECK_INT(pclose(sh), 0);
}

static void test_shell_quoting(void) {
  static const char *const values[] = {
      "",
      "plain",
      "two words",
      "it's",
      "'",
      "''''",
      "a'\"b\"'c",
      "$HOME",
      "$(id)",
      "`id`",
      "\\",
      "\\'",
      "back\\slash",
      "* ? [a]",
      "; exit 3",
      "#not",
      "trailing blank ",
      " leading",
      "!bang",
      "\xc3\xa9\xe2\x82\xac",
      "~",
  };
  for (size_t i = 0; i < ARRAY_LEN(values); i++) {
    struct config c;
    char got[200], expected[200];
    setenv("POSTGRES_PASSWORD", values[i], 1);
    CHECK(load(&c));
    unsetenv("POSTGRES_PASSWORD"); /* the shell must have it from eval alone */
    shell_value(&c, "POSTGRES_PASSWORD", got, sizeof(got));
    snprintf(expected, sizeof(expected), "%s|", values[i]);
    CHECK_STR(got, expected);
    config_done(&c);
  }
}

static void test_shell_has_all(void) {
  static const struct {
    const char *variable, *value;
  } cases[] = {
      {"PORT", "3000|"},      {"TIME_SCALE", "0.125|"},
      {"BIND", "localhost|"}, {"UPLOAD_FAILURE_RATE", "0|"},
      {"POSTGRES_HOST", "|"}, {"MAX_BODY_BYTES", "65536|"},
  };
  struct config c;
  char got[200];
  setenv("TIME_SCALE", "0.125", 1);
  CHECK(load(&c));
  unsetenv("TIME_SCALE");
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    shell_value(&c, cases[i].variable, got, sizeof(got));
    CHECK_STR(got, cases[i].value);
  }
  for (size_t i = 0; i < ARRAY_LEN(variables); i++)
    shell_value(&c, variables[i], got, sizeof(got)); /* `set -u`: it is there */
  config_done(&c);
}

/* The example, used as it is, changes nothing. */
static void test_env_example(void) {
  struct config plain, from_file;
  char before[4000] = "", after[4000] = "";
  FILE *f = fopen(file_path, "w");
  config_print_env_example(f);
  fclose(f);
  CHECK(load(&plain));
  setenv("MCS_ENV_FILE", file_path, 1);
  CHECK(load(&from_file));
  FILE *memory = fmemopen(before, sizeof(before), "w");
  config_print_shell(&plain, memory);
  fclose(memory);
  memory = fmemopen(after, sizeof(after), "w");
  config_print_shell(&from_file, memory);
  fclose(memory);
  CHECK_STR(after, before);
  config_done(&plain);
  config_done(&from_file);
}

static void print_whole_help(FILE *out) {
  config_print_help(out, FOR_ALL);
}

/* A program's --help has its own settings only. */
static void test_help_of_a_program(void) {
  static const struct {
    const char *variable;
    unsigned program;
    bool shown;
  } cases[] = {
      {"MAX_CPS_PER_KEY", FOR_RESPONDER, true},
      {"WSD_ORIGINS", FOR_RESPONDER, false},
      {"WSD_ORIGINS", FOR_WSD, true},
      {"MAX_CPS_PER_KEY", FOR_WSD, false},
      {"AWS_REGION", FOR_WORKER, true},
      {"CORS_ORIGIN", FOR_WORKER, false},
      {"POSTGRES_DB", FOR_ADMIN, true},
      {"RESPONDERS", FOR_ADMIN, false},
      {"PARTS", FOR_MCS, true},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    char text[16000] = "";
    FILE *memory = fmemopen(text, sizeof(text), "w");
    config_print_help(memory, cases[i].program);
    fclose(memory);
    CHECK_INT(strstr(text, cases[i].variable) != NULL, cases[i].shown);
  }
}

static void test_documentation_names_all(void) {
  static void (*const forms[])(FILE *) = {print_whole_help, config_print_env_example,
                                          config_print_markdown, config_print_mdoc};
  for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
    char text[16000] = "";
    FILE *memory = fmemopen(text, sizeof(text), "w");
    forms[i](memory);
    fclose(memory);
    for (size_t v = 0; v < ARRAY_LEN(variables); v++)
      CHECK(strstr(text, variables[v]));
  }
}

static void run(const char *name, void (*function)(void)) {
  forget_all();
  test_run(name, function);
}
#undef RUN
#define RUN(function) run(#function, function)

int main(void) {
  int fd = mkstemp(file_path);
  if (fd < 0 || close(fd) != 0)
    return 1;
  RUN(test_defaults);
  RUN(test_environment);
  RUN(test_resolved);
  RUN(test_lists);
  RUN(test_file_forms);
  RUN(test_environment_beats_file);
  RUN(test_file_errors);
  RUN(test_file_lines);
  RUN(test_file_typing_errors);
  RUN(test_file_unknown_names);
  RUN(test_number_errors);
  RUN(test_string_lengths);
  RUN(test_list_errors);
  RUN(test_address_errors);
  RUN(test_string_errors);
  RUN(test_string_values);
  RUN(test_api_key_lengths);
  RUN(test_shell_quoting);
  RUN(test_shell_has_all);
  RUN(test_env_example);
  RUN(test_help_of_a_program);
  RUN(test_documentation_names_all);
  unlink(file_path);
  return test_done();
}
