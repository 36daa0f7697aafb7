/* Settings files (common/config.c): what is accepted can be written down and read again. */

#include "tests/fuzz/fuzz.h"

#include "common/buf.h"
#include "common/config.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const variables[] = {
#define CONFIG_STR(field, variable, ...) #variable,
#define CONFIG_INT(field, variable, ...) #variable,
#define CONFIG_REAL(field, variable, ...) #variable,
#include "common/config.def"
#undef CONFIG_STR
#undef CONFIG_INT
#undef CONFIG_REAL
};

static int file_fd = -1;

static void set_up(void) {
  char path[32];
  for (size_t i = 0; i < ARRAY_LEN(variables); i++)
    unsetenv(variables[i]);
  file_fd = memfd_create("settings", 0);
  HOLDS(file_fd >= 0);
  snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
  setenv("MCS_ENV_FILE", path, 1);
}

static void write_file(const void *data, size_t len) {
  HOLDS(ftruncate(file_fd, 0) == 0);
  HOLDS(pwrite(file_fd, data, len, 0) == (ssize_t)len);
}

/* An error is one line that begins with the variable's name, or with that of the file's. */
static void check_error(const char *error) {
  if (strncmp(error, "MCS_ENV_FILE=", 13) == 0) {
    HOLDS(!strchr(error, '\n'));
    return;
  }
  for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
    size_t len = strlen(variables[i]);
    if (strncmp(error, variables[i], len) == 0 && (error[len] == ' ' || error[len] == '=')) {
      HOLDS(!strchr(error, '\n'));
      return;
    }
  }
  HOLDS(!"the error names a variable");
}

static char *as_shell(const struct config *config, size_t *len) {
  char *text = NULL;
  FILE *out = open_memstream(&text, len);
  HOLDS(out);
  config_print_shell(config, out);
  fclose(out);
  return text;
}

/* The shell form is a settings file too, unless a quote had to be escaped for the shell. */
static void check_again(const struct config *config) {
  size_t len, again_len;
  cleanup_free char *text = as_shell(config, &len), *again_text = NULL;
  if (strstr(text, "'\\''"))
    return;
  struct config again;
  char error[CONFIG_ERROR_SIZE] = "";
  write_file(text, len);
  HOLDS(config_load(&again, error));
  again_text = as_shell(&again, &again_len);
  HOLDS(again_len == len && memcmp(text, again_text, len) == 0);
  config_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct config config;
  char error[CONFIG_ERROR_SIZE] = "";
  if (file_fd < 0)
    set_up();
  write_file(data, size);
  if (config_load(&config, error))
    check_again(&config);
  else
    check_error(error);
  config_done(&config);
  return 0;
}
