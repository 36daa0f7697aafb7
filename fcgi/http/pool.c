/* The pool's parent. */

#include "fcgi/http/pool.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { YOUNG_MS = 1000, PAUSE_MS = 500, DRAIN_MS = 10000 };

struct child {
  pid_t pid; /* 0: to be forked, not before `not_before_ms` */
  int64_t born_ms;
  int64_t not_before_ms;
};

/* What a child has to know to become the parent when the parent is killed. */
static struct {
  pid_t parent;
  pid_t owner;        /* the process that started the pool; the pool ends with it */
  bool supervised;    /* systemd started the parent, and would start it again */
  bool succeeded;     /* this parent is a successor: the kernel does not report the owner's death */
  struct stat socket; /* the socket's path as it was at the start; zero without a path */
  _Atomic pid_t *successor; /* shared by the children: the successor's pid; 0 before there is one */
} pool;

static bool stat_socket(struct stat *found) {
  struct sockaddr_un address = {0};
  socklen_t len = sizeof(address) - 1;
  *found = (struct stat){0};
  return getsockname(STDIN_FILENO, (struct sockaddr *)&address, &len) == 0 &&
         address.sun_family == AF_UNIX && *address.sun_path && stat(address.sun_path, found) == 0;
}

/* A successor keeps what the first parent found out: the owner and the socket. */
static void know_pool(void) {
  pool.parent = getpid();
  if (!pool.succeeded) {
    /* What systemd started directly; what that starts has the variable, too. */
    const char *started = getenv("SYSTEMD_EXEC_PID");
    pool.supervised = started && atol(started) == getpid();
    pool.owner = getppid();
    (void)!stat_socket(&pool.socket);
  }
  pool.successor = mmap(NULL, sizeof(*pool.successor), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (pool.successor == MAP_FAILED)
    log_oom();
}

/* Whether the pool is still wanted: its owner lives, and its socket's path is still the same. */
static bool is_wanted(void) {
  struct stat now;
  if (kill(pool.owner, 0) != 0 && errno != EPERM)
    return false;
  return !pool.socket.st_ino || (stat_socket(&now) && now.st_ino == pool.socket.st_ino &&
                                 now.st_dev == pool.socket.st_dev);
}

static sigset_t watched_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGHUP);
  return set;
}

bool pool_succeed(void) {
  pid_t nobody = 0;
  if (pool.supervised || getppid() == pool.parent || !is_wanted() ||
      !atomic_compare_exchange_strong(pool.successor, &nobody, getpid()))
    return false;
  pool.succeeded = true;
  log_warn("pool.succeed", "msg=\"the pool's parent was killed; this process takes its place\"");
  const sigset_t set = watched_signals();
  const struct timespec now = {0};
  while (sigtimedwait(&set, NULL, &now) > 0)
    continue; /* signals that told this child to stop are not for the new parent */
  return true;
}

/* Waits for one of the watched signals; 0 when `ms` passed. */
static int next_signal(const sigset_t *set, int64_t ms) {
  const struct timespec timeout = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  int signal = sigtimedwait(set, NULL, &timeout);
  return signal > 0 ? signal : 0;
}

static void reap(struct child *children, int count) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    for (int i = 0; i < count; i++)
      if (children[i].pid == pid) {
        int64_t now = clock_monotonic_ms();
        bool young = now - children[i].born_ms < YOUNG_MS;
        children[i] = (struct child){.not_before_ms = young ? now + PAUSE_MS : 0};
        if (WIFSIGNALED(status))
          log_error("pool.died", "pid=%d signal=%d", (int)pid, WTERMSIG(status));
        else if (WEXITSTATUS(status) != 0)
          log_error("pool.died", "pid=%d status=%d", (int)pid, WEXITSTATUS(status));
      }
}

/* Forks the missing children. True in a child. */
static bool fill(struct child *children, int count, pid_t parent, int *number) {
  for (int i = 0; i < count; i++) {
    if (children[i].pid || clock_monotonic_ms() < children[i].not_before_ms)
      continue;
    pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (getppid() != parent)
        _exit(0); /* the parent died before the signal was set up */
      *number = i;
      return true;
    }
    if (pid < 0) {
      log_error("pool.fork", "errno=%d", errno);
      children[i].not_before_ms = clock_monotonic_ms() + PAUSE_MS;
      continue;
    }
    children[i] = (struct child){.pid = pid, .born_ms = clock_monotonic_ms()};
  }
  return false;
}

static int living(const struct child *children, int count) {
  int n = 0;
  for (int i = 0; i < count; i++)
    n += children[i].pid != 0;
  return n;
}

static void tell(const struct child *children, int count, int signal) {
  for (int i = 0; i < count; i++)
    if (children[i].pid)
      kill(children[i].pid, signal);
}

static void drain(struct child *children, int count, const sigset_t *set) {
  int64_t deadline_ms = clock_monotonic_ms() + DRAIN_MS;
  tell(children, count, SIGTERM);
  while (living(children, count) && clock_monotonic_ms() < deadline_ms) {
    next_signal(set, 100);
    reap(children, count);
  }
  tell(children, count, SIGKILL);
}

/* Re-executes the program of our name, which may be a new version or find new settings. Busy
 * children finish their request. The process id, its parent and the socket stay. */
static void reexec(struct child *children, int count, char **argv) {
  log_info("pool.reexec", "msg=\"starting the new program\"");
  tell(children, count, SIGTERM);
  execv(argv[0], argv);
  log_error("pool.reexec", "msg=\"cannot start %s\" errno=%d", argv[0], errno);
}

int pool_run(int count, char **argv) {
  struct child *children = calloc((size_t)count, sizeof(*children));
  if (!children)
    log_oom();
  sigset_t set = watched_signals();
  sigprocmask(SIG_BLOCK, &set, NULL);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  know_pool();
  int number = -1, signal = 0;
  log_info("pool.start", "version=%s children=%d", MCS_VERSION, count);
  while (signal != SIGTERM && signal != SIGINT && signal != SIGUSR1) {
    reap(children, count);
    if (pool.succeeded && !is_wanted())
      break;
    if (fill(children, count, pool.parent, &number))
      break;
    signal = next_signal(&set, 1000);
    if (signal == SIGHUP && pool.succeeded)
      break; /* a successor may not execute a program; the owner starts a new pool */
    if (signal == SIGHUP)
      reexec(children, count, argv);
  }
  if (number < 0) {
    drain(children, count, &set);
    log_info("pool.stop", "msg=\"stopped by a signal\"");
  }
  free(children);
  return number;
}
