/* What a program inherits and must not depend on. */

#include "common/environment.h"

#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const dropped[] = {
    "PGHOST",    "PGHOSTADDR", "PGPORT", "PGUSER",    "PGPASSWORD",    "PGDATABASE",  "PGSERVICE",
    "PGOPTIONS", "PGSSLMODES", "PGTZ",   "PGAPPNAME", "PGSERVICEFILE", "PGSYSCONFDIR"};
static const char *const kept[] = {"PGSSLMODE", "PGPASSFILE", "PGSSLROOTCERT", "PGREQUIREPEER"};

static int count_set(const char *const *names, size_t count) {
  int set = 0;
  for (size_t i = 0; i < count; i++)
    set += getenv(names[i]) != NULL;
  return set;
}

static void set_all(void) {
  for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
    setenv(dropped[i], "x", 1);
  for (size_t i = 0; i < ARRAY_LEN(kept); i++)
    setenv(kept[i], "x", 1);
  setenv("PIGEON", "x", 1);
}

static void forget(const char *postgres_host) {
  struct config config;
  char error[CONFIG_ERROR_SIZE];
  set_all();
  setenv("MCS_VAR", "/folder", 1);
  setenv("POSTGRES_HOST", postgres_host, 1);
  CHECK(config_load(&config, error));
  environment_forget_libpq(&config);
  config_done(&config);
  CHECK_INT(count_set(dropped, ARRAY_LEN(dropped)), 0);
  CHECK_STR(getenv("PIGEON"), "x");
}

static void test_private_server(void) {
  forget("");
  CHECK_INT(count_set(kept, ARRAY_LEN(kept)), 0);
  forget("/folder/run");
  CHECK_INT(count_set(kept, ARRAY_LEN(kept)), 0);
}

static void test_other_server(void) {
  forget("db1");
  CHECK_INT(count_set(kept, ARRAY_LEN(kept)), ARRAY_LEN(kept));
  forget("/var/run/postgresql");
  CHECK_INT(count_set(kept, ARRAY_LEN(kept)), ARRAY_LEN(kept));
}

/* In a child, which says by its status whether the next descriptor is 3. */
static void test_closed_descriptors(void) {
  for (int closed = 0; closed < 8; closed++) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      closefrom(3);
      for (int fd = 0; fd < 3; fd++)
        if (closed & 1 << fd)
          close(fd);
      environment_open_descriptors();
      _exit(open("/dev/null", O_RDONLY) == 3 ? 0 : 1);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
  }
}

int main(void) {
  RUN(test_private_server);
  RUN(test_other_server);
  RUN(test_closed_descriptors);
  return test_done();
}
