/* supervisor/table.c: the lines of etc/components, and the file for ./mcs status. */

#include "supervisor/table.h"

#include "tests/unit/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static char path[] = "/tmp/mcs-test-table.XXXXXX";

static void write_file(const char *text) {
  FILE *file = fopen(path, "we");
  CHECK(file && fputs(text, file) >= 0);
  if (file)
    fclose(file);
}

static const char *read_file(void) {
  static char text[1024];
  FILE *file = fopen(path, "re");
  size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
  text[len] = '\0';
  if (file)
    fclose(file);
  return text;
}

static void test_good_lines(void) {
  struct table table = {0};
  char error[TABLE_ERROR_SIZE];
  write_file(
      "api\t1\tINT\t15\tTERM\t/log/api.log\t/run/a b.sock\tsockets\tsh\t-c\texec \"$@\" 3<&4\t\tx\n"
      "worker\t0\tTERM\t20\tKILL\t-\t-\t-\tmcs-worker\n");
  CHECK(table_read(&table, path, error));
  CHECK_INT(table.count, 2);
  const struct definition *is = &table_find(&table, "api")->is;
  CHECK_INT(is->stop_step, 1);
  CHECK_INT(is->stop_signal, SIGINT);
  CHECK_INT(is->stop_ms, 15000);
  CHECK_INT(is->death_signal, SIGTERM);
  CHECK_STR(is->log, "/log/api.log");
  CHECK_STR(is->socket, "/run/a b.sock");
  CHECK(is->has_sockets);
  static const char *const words[] = {"sh", "-c", "exec \"$@\" 3<&4", "", "x", NULL};
  for (size_t i = 0; i < ARRAY_LEN(words); i++)
    CHECK_STR(is->words[i], words[i]);
  is = &table_find(&table, "worker")->is;
  CHECK_STR(is->log, NULL);
  CHECK_STR(is->socket, NULL);
  CHECK(!is->has_sockets);
  CHECK(!table_find(&table, "wsd"));
  table_done(&table);
}

static void test_wrong_lines(void) {
  static const char *const wrong[] = {
      "\n",
      "a\t1\tTERM\t1\tTERM\t-\t-\t-\n",        /* no command */
      "\t1\tTERM\t1\tTERM\t-\t-\t-\tx\n",      /* no name */
      "a\tb\tTERM\t1\tTERM\t-\t-\t-\tx\n",     /* a step is a digit */
      "a\t10\tTERM\t1\tTERM\t-\t-\t-\tx\n",    /* one */
      "a\t1\tSIGTERM\t1\tTERM\t-\t-\t-\tx\n",  /* no such signal */
      "a\t1\tTERM\t-1\tTERM\t-\t-\t-\tx\n",    /* no such time */
      "a\t1\tTERM\t1 s\tTERM\t-\t-\t-\tx\n",   /* nor this */
      "a\t1\tTERM\t1\tNONSENSE\t-\t-\t-\tx\n", /* nor this signal */
  };
  for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
    struct table table = {0};
    char error[TABLE_ERROR_SIZE], text[256], expected[TABLE_ERROR_SIZE];
    snprintf(text, sizeof(text), "good\t1\tTERM\t1\tTERM\t-\t-\t-\tx\n%s", wrong[i]);
    write_file(text);
    snprintf(expected, sizeof(expected), "%s: line 2 is wrong", path);
    CHECK(!table_read(&table, path, error));
    CHECK_STR(error, expected);
    CHECK_INT(table.count, 1);
    table_done(&table);
  }
}

static void test_too_many(void) {
  struct table table = {0};
  char error[TABLE_ERROR_SIZE], text[2048];
  size_t len = 0;
  for (int i = 0; i <= TABLE_MAX; i++)
    len +=
        (size_t)snprintf(text + len, sizeof(text) - len, "c%d\t1\tTERM\t1\tTERM\t-\t-\t-\tx\n", i);
  write_file(text);
  CHECK(!table_read(&table, path, error));
  CHECK_INT(table.count, TABLE_MAX);
  table_done(&table);
}

static void test_no_file(void) {
  struct table table = {0};
  char error[TABLE_ERROR_SIZE];
  CHECK(!table_read(&table, "/nonexistent/components", error));
  CHECK_STR(error, "cannot read /nonexistent/components");
}

static void test_read_again(void) {
  struct table table = {0};
  char error[TABLE_ERROR_SIZE];
  write_file("a\t1\tTERM\t1\tTERM\t/log\t/run/0.sock\t-\tx\n");
  CHECK(table_read(&table, path, error));
  table.rows[0].pid = 7;
  table.rows[0].state = COMPONENT_RUNNING;
  write_file("a\t1\tTERM\t1\tTERM\t/log\t/run/1.sock\t-\tx\n");
  CHECK(table_read(&table, path, error));
  CHECK_INT(table.count, 1);
  CHECK_INT(table.rows[0].pid, 7);
  CHECK_STR(table.rows[0].is.socket, "/run/1.sock");
  table_done(&table);
}

/* Those that have a process, dead ones too; no helpers. */
static void test_status(void) {
  struct table table = {0};
  char error[TABLE_ERROR_SIZE];
  write_file(
      "a\t1\tTERM\t1\tTERM\t/log\t-\t-\tx\nb\t1\tTERM\t1\tTERM\t/log\t-\t-\tx\n"
      "c\t1\tTERM\t1\tTERM\t/log\t-\t-\tx\nhelper\t1\tTERM\t1\tTERM\t-\t-\t-\tx\n");
  CHECK(table_read(&table, path, error));
  for (size_t i = 0; i < table.count; i++) {
    table.rows[i].pid = (pid_t)(100 + i);
    table.rows[i].started_at = 1000;
    table.rows[i].state = COMPONENT_RUNNING;
  }
  table.rows[1].state = COMPONENT_REVIVING;
  table.rows[2].state = COMPONENT_ABSENT;
  table_write(&table, path);
  CHECK_STR(read_file(), "a 100 1000\nb 101 1000\n");
  table_done(&table);
}

int main(void) {
  int fd = mkstemp(path);
  if (fd < 0)
    return 1;
  close(fd);
  RUN(test_good_lines);
  RUN(test_wrong_lines);
  RUN(test_too_many);
  RUN(test_no_file);
  RUN(test_read_again);
  RUN(test_status);
  unlink(path);
  return test_done();
}
