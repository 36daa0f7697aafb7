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

static const struct {
  const char *name;
  long (*attempt)(void);
  bool anybody; /* works without the filter, for whoever runs the test; in a process of its own */
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
      test_fault(__FILE__, __LINE__, "%s fails without the filter", attempts[i].name);
}

static void test_confined(void) {
  for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
    int outcome = outcome_of(attempts[i].attempt);
    if (outcome != EPERM)
      test_fault(__FILE__, __LINE__, "%s: %s", attempts[i].name,
                 outcome ? strerror(outcome) : "not refused");
  }
  CHECK_INT(prctl(PR_GET_SECCOMP), 2);
  CHECK_INT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
}

/* The C library takes the hint that there is no clone3. */
static void test_clone3_is_absent(void) {
  CHECK(syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS);
}

static void test_files_go_on(void) {
  char text[4] = "";
  int fd = open(other_path, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0);
  CHECK_INT(write(fd, "abc", 3), 3);
  CHECK_INT(pread(fd, text, 3, 0), 3);
  CHECK_STR(text, "abc");
  close(fd);
  CHECK_INT(rename(other_path, path), 0);
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
  int fd = mkstemp(path);
  if (fd < 0)
    return 1;
  close(fd);
  snprintf(other_path, sizeof(other_path), "%s.other", path);
  RUN(test_unconfined);
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  privileges_confine();
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("# the filter took %lld us\n",
         (end.tv_sec - begin.tv_sec) * 1000000LL + (end.tv_nsec - begin.tv_nsec) / 1000);
  RUN(test_confined);
  RUN(test_clone3_is_absent);
  RUN(test_files_go_on);
  RUN(test_sockets_go_on);
  unlink(path);
  return test_done();
}
