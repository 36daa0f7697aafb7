/*
 * Privileges (common/privileges.c): what a confined process is refused, and that it can still work.
 * Whatever anybody may do without the filter is seen to succeed first.
 */

#include "common/privileges.h"

#include "common/cleanup.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

static char path[] = "/tmp/mcs-test-privileges.XXXXXX", other_path[sizeof(path) + 8];

static char program[] = "/bin/true", *words[] = {program, NULL}, *no_words[] = {NULL};

static long try_execve(void) {
  return execve(program, words, no_words);
}
static long try_execveat(void) {
  return syscall(SYS_execveat, AT_FDCWD, program, words, no_words, 0);
}
#ifndef __SANITIZE_ADDRESS__ /* LeakSanitizer needs it itself */
static long try_ptrace(void) {
  return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}
#endif
static long try_read_memory(void) {
  return syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0);
}
static long try_setuid(void) {
  return setuid(getuid());
}
static long try_setgid(void) {
  return setresgid(getgid(), getgid(), getgid());
}
static long try_chmod(void) {
  return chmod(path, 0600);
}
static long try_chown(void) {
  return chown(path, getuid(), getgid());
}
static long try_symlink(void) {
  return symlink("/etc/passwd", other_path);
}
static long try_link(void) {
  return link(path, other_path);
}
static long try_fifo(void) {
  return mkfifo(other_path, 0600);
}
static long try_personality(void) {
  return syscall(SYS_personality, 0xffffffff);
}
static long try_keyctl(void) {
  return syscall(SYS_keyctl, 0 /* get the keyring's id */, -3 /* of the session */, 1);
}
static long try_unshare(void) {
  return unshare(CLONE_FS | CLONE_FILES);
}
static long try_mount(void) {
  return mount("none", "/nonexistent", "tmpfs", 0, NULL);
}
static long try_clone_namespace(void) {
  return syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, NULL, NULL, NULL, NULL);
}
static long try_packet_socket(void) {
  return socket(AF_PACKET, SOCK_RAW, 0);
}
static long try_vsock(void) {
  return socket(AF_VSOCK, SOCK_STREAM, 0);
}
static long try_no_family(void) {
  return socket(AF_UNSPEC, SOCK_STREAM, 0);
}
static long try_type_into_terminal(void) {
  return ioctl(STDOUT_FILENO, TIOCSTI, "x");
}
static long try_mkdir(void) {
  return mkdir(other_path, 0700) == 0 ? rmdir(other_path) : -1;
}
static long try_rename(void) {
  return rename(path, other_path) == 0 ? rename(other_path, path) : -1;
}
#ifndef __SANITIZE_ADDRESS__ /* it writes its reports */
static long try_write(void) {
  return open(path, O_WRONLY | O_CLOEXEC);
}
static long try_write_and_read(void) {
  return syscall(SYS_open, path, O_RDWR | O_CLOEXEC, 0);
}
static long try_create(void) {
  return open(other_path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
}
static long try_truncate(void) {
  return open(path, O_RDONLY | O_TRUNC | O_CLOEXEC);
}
static long try_creat(void) {
  return creat(other_path, 0600);
}
#endif

static const struct {
  const char *name;
  long (*attempt)(void);
  bool anybody; /* works without the filter, for any user; in a process of its own */
} attempts[] = {
    {"execve", try_execve, true},
    {"execveat", try_execveat, true},
#ifndef __SANITIZE_ADDRESS__
    {"ptrace", try_ptrace, true},
#endif
    {"process_vm_readv", try_read_memory, true},
    {"setuid", try_setuid, true},
    {"setresgid", try_setgid, true},
    {"chmod", try_chmod, true},
    {"chown", try_chown, true},
    {"symlink", try_symlink, true},
    {"link", try_link, true},
    {"mknod", try_fifo, true},
    {"personality", try_personality, true},
    {"keyctl", try_keyctl, false},
    {"unshare", try_unshare, true},
    {"mount", try_mount, false},
    {"clone into a namespace", try_clone_namespace, false},
    {"socket(AF_PACKET)", try_packet_socket, false},
    {"socket(AF_VSOCK)", try_vsock, false},
    {"socket(AF_UNSPEC)", try_no_family, false},
    {"ioctl(TIOCSTI)", try_type_into_terminal, false},
    {"mkdir", try_mkdir, true},
    {"rename", try_rename, true},
#ifndef __SANITIZE_ADDRESS__
    {"opening to write", try_write, true},
    {"opening to read and write", try_write_and_read, true},
    {"creating", try_create, true},
    {"truncating", try_truncate, true},
    {"creat", try_creat, true},
#endif
};

/* What an attempt comes to in a process of its own: 0, or its errno. */
static int outcome_of(long (*attempt)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0)
    _exit(attempt() < 0 ? errno : 0);
  int status = 0;
  CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
  unlink(other_path);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_unconfined(void) {
  for (size_t i = 0; i < ARRAY_LEN(attempts); i++)
    if (attempts[i].anybody && outcome_of(attempts[i].attempt) != 0)
      test_error(__FILE__, __LINE__, "%s fails without the filter", attempts[i].name);
}

static void test_confined(void) {
  for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
    int outcome = outcome_of(attempts[i].attempt);
    if (outcome != EPERM)
      test_error(__FILE__, __LINE__, "%s: %s", attempts[i].name,
                 outcome ? strerror(outcome) : "not refused");
  }
  CHECK_INT(prctl(PR_GET_SECCOMP), 2);
  CHECK_INT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
}

/* The C library takes the hint that there are no clone3 and no openat2. */
static void test_what_is_absent(void) {
  CHECK(syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS);
  CHECK(syscall(SYS_openat2, AT_FDCWD, path, NULL, 0) < 0 && errno == ENOSYS);
}

/* A process of the same user that is not confined, and lets its user look into it. */
static pid_t neighbour;

static long look_into_neighbour(const char *file) {
  char name[64];
  snprintf(name, sizeof(name), "/proc/%d/%s", (int)neighbour, file);
  return open(name, O_RDONLY | O_CLOEXEC);
}
static long try_its_memory(void) {
  return look_into_neighbour("mem");
}
static long try_its_environment(void) {
  return look_into_neighbour("environ");
}

static bool has_landlock(void) {
  return syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* asks for the version */) > 0;
}

static void test_neighbours(void) {
  if (!has_landlock()) {
    puts("# this kernel has no Landlock");
    return;
  }
  CHECK_INT(outcome_of(try_its_memory), EACCES);
  if (geteuid() != 0) /* whose CAP_PERFMON the kernel asks for first */
    CHECK_INT(outcome_of(try_its_environment), EACCES);
}

static void test_neighbours_unconfined(void) {
  CHECK_INT(outcome_of(try_its_memory), 0);
  CHECK_INT(outcome_of(try_its_environment), 0);
}

/* What was open is written; others are read. */
static int open_before;

static void test_files_go_on(void) {
  char text[4] = "";
  CHECK_INT(write(open_before, "abc", 3), 3);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0);
  CHECK_INT(pread(fd, text, 3, 0), 3);
  CHECK_STR(text, "abc");
  close(fd);
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED);
  munmap(page, 4096);
}

static void test_sockets_go_on(void) {
  static const int families[] = {AF_UNIX, AF_INET, AF_NETLINK};
  for (size_t i = 0; i < ARRAY_LEN(families); i++) {
    int fd = socket(families[i], families[i] == AF_NETLINK ? SOCK_RAW : SOCK_STREAM, 0);
    CHECK(fd >= 0);
    close(fd);
  }
  int six = socket(AF_INET6, SOCK_STREAM, 0);
  CHECK(six >= 0 || errno != EPERM); /* a machine may have none */
  if (six >= 0)
    close(six);
  struct addrinfo *found = NULL;
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  CHECK_INT(getaddrinfo("localhost", "5432", &hints, &found), 0);
  CHECK(found != NULL);
  freeaddrinfo(found);
  CHECK(outcome_of(try_execve) == EPERM); /* a fork is no way out */
}

int main(void) {
  open_before = mkstemp(path);
  if (open_before < 0)
    return 1;
  snprintf(other_path, sizeof(other_path), "%s.other", path);
  if ((neighbour = fork()) == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pause();
    _exit(0);
  }
  RUN(test_unconfined);
  RUN(test_neighbours_unconfined);
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  privileges_confine();
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("# the filter took %lld us\n",
         (end.tv_sec - begin.tv_sec) * 1000000LL + (end.tv_nsec - begin.tv_nsec) / 1000);
  RUN(test_confined);
  RUN(test_what_is_absent);
  RUN(test_neighbours);
  RUN(test_files_go_on);
  RUN(test_sockets_go_on);
  kill(neighbour, SIGKILL);
  waitpid(neighbour, NULL, 0);
  unlink(path);
  return test_done();
}
