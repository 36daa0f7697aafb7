/* Waits for what happens to an instance, and does what follows. What a component does is
 * component.c's business. */

#include "supervisor/supervisor.h"

#include "common/clock.h"

#include "supervisor/control.h"
#include "supervisor/launch.h"
#include "supervisor/logs.h"
#include "supervisor/say.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { LOOK_MS = 5000, TICK_MS = 20, DIRECTOR_MS = 60000, STEPS = 10 };

/* --- start ------------------------------------------------------------------------------------ */

static int open_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool start_director(struct supervisor *s, char *const *words) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    return false;
  const struct launch what = {
      .words = words, .fds = {STDIN_FILENO, -1, -1, pair[1], -1}, .death_signal = SIGKILL};
  s->director = launch(&what);
  s->control_fd = pair[0];
  close(pair[1]);
  return s->director > 0;
}

bool supervisor_init(struct supervisor *s, const char *folder, char *const *director,
                     const int sockets[2]) {
  *s = (struct supervisor){.control_fd = -1};
  folder_init(&s->folder, folder);
  s->around = (struct surroundings){.folder = folder_path(&s->folder, "bin", s->bin),
                                    .sockets = {sockets[0], sockets[1]}};
  folder_path(&s->folder, "components", s->status);
  s->look_ms = clock_monotonic_ms() + LOOK_MS;
  s->signal_fd = open_signals();
  return s->signal_fd >= 0 && start_director(s, director);
}

void supervisor_write_status(const struct supervisor *s) {
  table_write(&s->table, s->status);
}

/* --- what happens ----------------------------------------------------------------------------- */

static void end(struct supervisor *s, int status) {
  s->is_ending = true;
  s->exit_status = status;
}

static void director_ended(struct supervisor *s, int status) {
  s->director = 0;
  if (s->is_ending)
    return;
  if (s->is_up || WIFSIGNALED(status)) /* else it has said itself why */
    say("the director of this instance has died, so the instance ends");
  end(s, WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 1);
}

static void reap(struct supervisor *s) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid == s->director)
      director_ended(s, status);
    for (size_t i = 0; i < s->table.count; i++)
      if (component_reap(&s->table.rows[i], pid, status))
        break;
  }
}

static void take_signals(struct supervisor *s) {
  struct signalfd_siginfo info;
  while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info))
    switch (info.ssi_signo) {
    case SIGCHLD:
      break; /* one may stand for several: reap() is called in any case */
    case SIGUSR1:
      control_restart(s);
      break;
    default:
      end(s, 0);
    }
}

static void look_around(struct supervisor *s) {
  char path[FOLDER_PATH_SIZE];
  s->look_ms = clock_monotonic_ms() + LOOK_MS;
  if (s->folder.lock_fd < 0)
    return;
  if (!folder_is_ours(&s->folder)) {
    say("the folder %s was removed, so its instance ends", s->folder.path);
    end(s, 1);
    return;
  }
  /* While the director starts or replaces something, sockets come and go. */
  for (size_t i = 0; s->is_idle && i < s->table.count; i++)
    component_check_socket(&s->table.rows[i]);
  logs_bound(folder_path(&s->folder, "log", path));
}

/* Whether there is something to wait for. */
static bool tick(struct supervisor *s, bool may_revive) {
  bool started = false, busy = false;
  for (size_t i = 0; i < s->table.count; i++) {
    started |= component_tick(&s->table.rows[i], &s->around, may_revive);
    busy |= component_is_busy(&s->table.rows[i]);
  }
  if (started)
    supervisor_write_status(s);
  return busy;
}

static void wait_for_something(struct supervisor *s, bool busy) {
  struct pollfd fds[] = {{.fd = s->signal_fd, .events = POLLIN},
                         {.fd = s->control_fd, .events = POLLIN}};
  int64_t left_ms = s->look_ms - clock_monotonic_ms();
  poll(fds, ARRAY_LEN(fds), busy ? TICK_MS : left_ms > 0 ? (int)left_ms : 0);
  if (fds[1].revents)
    control_serve(s);
}

/* --- the end ---------------------------------------------------------------------------------- */

static bool is_quiet(const struct supervisor *s) {
  for (size_t i = 0; i < s->table.count; i++)
    if (s->table.rows[i].state != COMPONENT_ABSENT)
      return false;
  return true;
}

static void nap(struct supervisor *s) {
  poll(NULL, 0, TICK_MS);
  reap(s);
}

/* The director ends when it notices that its connection is closed, so after its present step:
 * killing initdb half-way would leave a process behind. */
static void end_director(struct supervisor *s) {
  int64_t deadline_ms = clock_monotonic_ms() + DIRECTOR_MS;
  if (s->control_fd >= 0)
    close(s->control_fd);
  s->control_fd = -1;
  while (s->director && clock_monotonic_ms() < deadline_ms)
    nap(s);
  if (s->director)
    kill(s->director, SIGKILL);
}

static void stop_step(struct supervisor *s, int step) {
  for (size_t i = 0; i < s->table.count; i++)
    if (s->table.rows[i].is.stop_step == step)
      component_stop(&s->table.rows[i]);
  while (tick(s, false))
    nap(s);
}

static int finish(struct supervisor *s) {
  bool had_components = !is_quiet(s);
  if (had_components)
    say("stopping");
  end_director(s);
  for (size_t i = 0; i < ARRAY_LEN(s->around.sockets); i++)
    if (s->around.sockets[i] >= 0)
      close(s->around.sockets[i]);
  for (int step = 0; step < STEPS; step++)
    stop_step(s, step);
  folder_clean(&s->folder);
  if (had_components)
    say("stopped");
  table_done(&s->table);
  return s->exit_status;
}

int supervisor_run(struct supervisor *s) {
  bool busy = false;
  while (!s->is_ending) {
    wait_for_something(s, busy);
    take_signals(s);
    reap(s);
    busy = tick(s, s->is_up);
    if (clock_monotonic_ms() >= s->look_ms)
      look_around(s);
  }
  return finish(s);
}
