/* What a child does before it becomes the command. */

#include "supervisor/launch.h"

#include "common/privileges.h"

#include "supervisor/say.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

enum { MAX_FILES = 65536 };

static _Noreturn void give_up(const char *what) {
  say("cannot start %s: %s", what, strerror(errno));
  _exit(127);
}

static void reset_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  for (int i = 1; i < NSIG; i++)
    signal(i, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static void open_log(const char *path) {
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    give_up(path);
  dup2(fd, STDOUT_FILENO);
  dup2(fd, STDERR_FILENO);
}

/* From below, so that no descriptor is overwritten before it was handed over. */
static void hand_over(const int fds[LAUNCH_FDS]) {
  for (int i = 0; i < LAUNCH_FDS; i++) {
    if (i == STDOUT_FILENO || i == STDERR_FILENO)
      continue;
    if (fds[i] == i)
      fcntl(i, F_SETFD, 0);
    else if (fds[i] >= 0)
      dup2(fds[i], i);
    else if (i != STDIN_FILENO)
      close(i);
  }
  close_range(LAUNCH_FDS, ~0U, CLOSE_RANGE_CLOEXEC);
}

/* Cores would contain API keys. */
static void limit(void) {
  const struct rlimit no_core = {0};
  struct rlimit files;
  setrlimit(RLIMIT_CORE, &no_core);
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max < MAX_FILES ? files.rlim_max : MAX_FILES;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

static _Noreturn void become(const struct launch *what, pid_t parent) {
  reset_signals();
  setsid();
  prctl(PR_SET_PDEATHSIG, what->death_signal);
  if (what->log)
    open_log(what->log);
  hand_over(what->fds);
  if (what->drop) {
    umask(077);
    limit();
    privileges_drop();
  }
  if (getppid() != parent)
    _exit(0); /* it died before the kernel could tell */
  const struct timespec delay = {what->delay_ms / 1000, what->delay_ms % 1000 * 1000000};
  nanosleep(&delay, NULL);
  if (what->folder && chdir(what->folder) != 0)
    give_up(what->folder);
  execvp(what->words[0], what->words);
  give_up(what->words[0]);
}

pid_t launch(const struct launch *what) {
  pid_t parent = getpid(), pid = fork();
  if (pid == 0)
    become(what, parent);
  return pid;
}
