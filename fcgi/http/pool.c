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

/* What the children have to know should the parent be killed. */
static struct {
  pid_t parent;
  pid_t owner;     /* who started the pool, which shall not outlive that one */
  bool supervised; /* systemd started the parent, and would start it again */
  bool inherited;  /* the owner is not our own parent, so the kernel does not tell of its death */
  struct stat socket;       /* the path that we listen on, as it was; zero where there is none */
  _Atomic pid_t *successor; /* shared by the children: who carries on; 0 for nobody yet */
} pool;

static bool stat_socket(struct stat *found) {
  struct sockaddr_un address = {0};
  socklen_t len = sizeof(address) - 1;
  *found = (struct stat){0};
  return getsockname(STDIN_FILENO, (struct sockaddr *)&address, &len) == 0 &&
         address.sun_family == AF_UNIX && *address.sun_path && stat(address.sun_path, found) == 0;
}

/* An heir has been told already whose pool it is, and on which socket. */
static void know_pool(void) {
  pool.parent = getpid();
  if (!pool.inherited) {
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

/* Whether the pool is still wanted: its owner lives, and nobody else got its socket's path. */
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

bool pool_inherit(void) {
  pid_t nobody = 0;
  if (pool.supervised || getppid() == pool.parent || !is_wanted() ||
      !atomic_compare_exchange_strong(pool.successor, &nobody, getpid()))
    return false;
  pool.inherited = true;
  log_warn("pool.inherit", "msg=\"the pool's parent was killed; this process takes its place\"");
  const sigset_t set = watched_signals();
  const struct timespec now = {0};
  while (sigtimedwait(&set, NULL, &now) > 0)
    continue; /* what told this child to stop is not for the parent */
  return true;
}

/* Waits for one of the watched signals; 0 when `ms` passed. */
static int next_signal(const sigset_t *set, int64_t ms) {
  const struct timespec timeout = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  int signal = sigtimedwait(set, NULL, &timeout);
  return signal > 0 ? signal : 0;
}

static void bury(struct child *children, int count) {
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

/* Forks whom it lacks. True in a child. */
static bool fill(struct child *children, int count, pid_t parent, int *number) {
  for (int i = 0; i < count; i++) {
    if (children[i].pid || clock_monotonic_ms() < children[i].not_before_ms)
      continue;
    pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (getppid() != parent)
        _exit(0); /* it died before we asked to be told */
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
    bury(children, count);
  }
  tell(children, count, SIGKILL);
}

/* Becomes the program that has our name by now, with the settings that it finds; whoever is busy
 * finishes. Our parent and our socket stay what they are. */
static void renew(struct child *children, int count, char **argv) {
  log_info("pool.renew", "msg=\"starting the new program\"");
  tell(children, count, SIGTERM);
  execv(argv[0], argv);
  log_error("pool.renew", "msg=\"cannot start %s\" errno=%d", argv[0], errno);
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
    bury(children, count);
    if (pool.inherited && !is_wanted())
      break;
    if (fill(children, count, pool.parent, &number))
      break;
    signal = next_signal(&set, 1000);
    if (signal == SIGHUP && pool.inherited)
      break; /* an heir may start no program; its owner will */
    if (signal == SIGHUP)
      renew(children, count, argv);
  }
  if (number < 0) {
    drain(children, count, &set);
    log_info("pool.stop", "msg=\"stopped by a signal\"");
  }
  free(children);
  return number;
}
