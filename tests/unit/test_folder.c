/* supervisor/folder.c: one process has a folder, notices when it is gone, and cleans it. */

#include "supervisor/folder.h"

#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char base[] = "/tmp/mcs-test-folder.XXXXXX", path[sizeof(base) + 8], moved[sizeof(base) + 8];

static const char *in(const char *name) {
  static char text[256];
  snprintf(text, sizeof(text), "%s/%s", path, name);
  return text;
}

static bool exists(const char *name) {
  struct stat found;
  return lstat(in(name), &found) == 0;
}

static void touch(const char *name) {
  int fd = open(in(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
  CHECK(fd >= 0);
  close(fd);
}

static void remove_all(const char *what) {
  char command[300];
  snprintf(command, sizeof(command), "rm -rf '%s'", what);
  CHECK(system(command) == 0); /* NOLINT(bugprone-command-processor): a path of ours */
}

/* A new folder with what a running instance has in it, taken. */
static struct folder take_new(void) {
  struct folder folder;
  remove_all(path);
  CHECK(mkdir(path, 0700) == 0 && mkdir(in("bin"), 0700) == 0 && mkdir(in("run"), 0700) == 0);
  touch("bin/mcs-admin");
  touch("ready");
  folder_init(&folder, path);
  CHECK_INT(folder_take(&folder), FOLDER_TAKEN);
  return folder;
}

static void leave(const struct folder *folder) {
  close(folder->lock_fd);
  close(folder->self_fd);
}

static void test_take(void) {
  struct folder folder = take_new(), other;
  FILE *file = fopen(in("mcs.pid"), "re");
  int pid = 0;
  CHECK(file && fscanf(file, "%d", &pid) == 1); /* NOLINT(cert-err34-c) */
  if (file)
    fclose(file);
  CHECK_INT(pid, getpid());
  CHECK(!exists("ready")); /* of an instance before */
  CHECK(folder_is_ours(&folder));
  folder_init(&other, path);
  CHECK_INT(folder_take(&other), FOLDER_BUSY);
  CHECK(!folder_is_ours(&other));
  leave(&folder);
  CHECK_INT(folder_take(&other), FOLDER_TAKEN);
  leave(&other);
}

static void test_take_nothing(void) {
  struct folder folder;
  folder_init(&folder, "/nonexistent/folder");
  CHECK_INT(folder_take(&folder), FOLDER_FAILED);
}

static void test_a_missing_lock_is_made_again(void) {
  struct folder folder = take_new(), other;
  unlink(in("lock"));
  CHECK(folder_is_ours(&folder));
  CHECK(exists("lock"));
  folder_init(&other, path);
  CHECK_INT(folder_take(&other), FOLDER_BUSY);
  leave(&folder);
}

static void test_a_removed_folder(void) {
  struct folder folder = take_new();
  remove_all(path);
  CHECK(!folder_is_ours(&folder));
  leave(&folder);
  /* What programs that still run write is no folder of an instance. */
  folder = take_new();
  remove_all(in("lock"));
  remove_all(in("bin"));
  CHECK(!folder_is_ours(&folder));
  leave(&folder);
}

static void test_another_one_in_its_place(void) {
  struct folder folder = take_new();
  CHECK(rename(path, moved) == 0);
  struct folder other = take_new();
  CHECK(!folder_is_ours(&folder));
  folder_clean(&folder);
  CHECK(exists("mcs.pid"));
  CHECK(folder_is_ours(&other));
  leave(&folder);
  leave(&other);
  remove_all(moved);
}

static void test_clean(void) {
  static const char *const gone[] = {
      "components",           "restarted",      "ready",    "mcs.pid",
      "run/responder.sock-0", "run/redis.sock", "run/fcgid"};
  struct folder folder = take_new();
  CHECK(mkdir(in("run/fcgid"), 0700) == 0 && mkdir(in("run/other.sock"), 0700) == 0);
  touch("components"), touch("restarted"), touch("ready");
  touch("run/responder.sock-0"), touch("run/redis.sock"), touch("run/fcgid/1.2"), touch("run/kept");
  touch("kept");
  folder_clean(&folder);
  for (size_t i = 0; i < ARRAY_LEN(gone); i++)
    CHECK(!exists(gone[i]));
  CHECK(exists("run/kept") && exists("kept") && exists("lock"));
  /* The service may have put a link there. */
  CHECK(symlink(path, in("run/fcgid")) == 0);
  folder_clean(&folder);
  CHECK(exists("kept"));
  leave(&folder);
}

int main(void) {
  if (!mkdtemp(base))
    return 1;
  snprintf(path, sizeof(path), "%s/here", base);
  snprintf(moved, sizeof(moved), "%s/moved", base);
  RUN(test_take);
  RUN(test_take_nothing);
  RUN(test_a_missing_lock_is_made_again);
  RUN(test_a_removed_folder);
  RUN(test_another_one_in_its_place);
  RUN(test_clean);
  remove_all(base);
  return test_done();
}
