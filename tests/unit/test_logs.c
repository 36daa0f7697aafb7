/* supervisor/logs.c: what is cut, what is kept, and that no link is followed. */

#include "supervisor/logs.h"

#include "common/cleanup.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char folder[] = "/tmp/mcs-test-logs.XXXXXX";
static int dir;

/* Writes `fill` zeros and then a text. */
static void make(const char *name, off_t fill, const char *text) {
  cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  CHECK(fd >= 0 && ftruncate(fd, fill) == 0);
  CHECK_INT(pwrite(fd, text, strlen(text), fill), strlen(text));
}

static off_t size_of(const char *name) {
  struct stat found;
  return fstatat(dir, name, &found, AT_SYMLINK_NOFOLLOW) == 0 ? found.st_size : -1;
}

static const char *end_of(const char *name) {
  static char text[16];
  cleanup_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
  ssize_t len = pread(fd, text, sizeof(text) - 1, size_of(name) - 5);
  text[len > 0 ? len : 0] = '\0';
  return text;
}

static void test_large_logs_are_cut(void) {
  make("a.log", LOGS_KEPT_BYTES, "last\n");
  make("a.log.1", 3, "older");
  cleanup_fd int writer = openat(dir, "a.log", O_WRONLY | O_APPEND | O_CLOEXEC);
  logs_bound(folder);
  CHECK_INT(size_of("a.log"), 0);
  CHECK_INT(size_of("a.log.1"), LOGS_KEPT_BYTES);
  CHECK_STR(end_of("a.log.1"), "last\n");
  /* A program that has it open goes on at the beginning. */
  CHECK_INT(write(writer, "next\n", 5), 5);
  CHECK_INT(size_of("a.log"), 5);
}

static void test_others_are_left(void) {
  make("full.log", LOGS_KEPT_BYTES - 5, "last\n");
  make("large.txt", LOGS_KEPT_BYTES, "last\n");
  make("log", LOGS_KEPT_BYTES, "last\n");
  logs_bound(folder);
  CHECK_INT(size_of("full.log"), LOGS_KEPT_BYTES);
  CHECK_INT(size_of("full.log.1"), -1);
  CHECK_INT(size_of("large.txt"), LOGS_KEPT_BYTES + 5);
  CHECK_INT(size_of("log"), LOGS_KEPT_BYTES + 5);
}

static void test_links_are_not_followed(void) {
  make("victim", LOGS_KEPT_BYTES, "last\n");
  CHECK(symlinkat("victim", dir, "link.log") == 0);
  make("b.log", LOGS_KEPT_BYTES, "last\n");
  CHECK(symlinkat("victim", dir, "b.log.1") == 0);
  logs_bound(folder);
  CHECK_INT(size_of("victim"), LOGS_KEPT_BYTES + 5);
  CHECK_INT(size_of("b.log"), 0);
  CHECK_INT(size_of("b.log.1"), -1); /* the link is gone, and nothing is in its place */
}

static void test_no_folder(void) {
  logs_bound("/nonexistent/log");
}

int main(void) {
  if (!mkdtemp(folder) || (dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
    return 1;
  RUN(test_large_logs_are_cut);
  RUN(test_others_are_left);
  RUN(test_links_are_not_followed);
  RUN(test_no_folder);
  static const char *const made[] = {"a.log", "a.log.1", "full.log", "large.txt",
                                     "log",   "victim",  "link.log", "b.log"};
  for (size_t i = 0; i < ARRAY_LEN(made); i++)
    CHECK(unlinkat(dir, made[i], 0) == 0);
  rmdir(folder);
  return test_done();
}
