/* The pool's parent. */

#include "fcgi/pool.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { YOUNG_MS = 1000, PAUSE_MS = 500, DRAIN_MS = 10000 };

struct child {
  pid_t pid; /* 0: to be forked, not before `not_before_ms` */
  int64_t born_ms;
  int64_t not_before_ms;
};

static sigset_t watched_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGUSR1);
  return set;
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

int pool_run(int count) {
  struct child *children = calloc((size_t)count, sizeof(*children));
  if (!children)
    log_oom();
  sigset_t set = watched_signals(), before;
  sigprocmask(SIG_BLOCK, &set, &before);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  pid_t self = getpid();
  int number = -1, signal = 0;
  log_info("pool.start", "version=%s children=%d", MCS_VERSION, count);
  while (signal != SIGTERM && signal != SIGINT && signal != SIGUSR1) {
    bury(children, count);
    if (fill(children, count, self, &number))
      break;
    signal = next_signal(&set, 1000);
  }
  if (number < 0) {
    drain(children, count, &set);
    log_info("pool.stop", "msg=\"told to stop\"");
  } else {
    sigprocmask(SIG_SETMASK, &before, NULL);
  }
  free(children);
  return number;
}
