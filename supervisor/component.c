/* The life of one component: each state, and what leads from one to the next. */

#include "supervisor/component.h"

#include "common/clock.h"

#include "supervisor/launch.h"
#include "supervisor/say.h"
#include "supervisor/session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum {
  YOUNG_MS = 10000,      /* what dies sooner waits longer before the next start */
  LEFTOVER_MS = 3000,    /* what is left of a session after its first process died */
  KILLED_MS = 3000,      /* what takes longer after SIGKILL waits for the kernel */
  NEW_SOCKET_MS = 10000, /* what a new process may take to make its socket */
};

static const int pauses_ms[] = {0, 200, 500, 1000, 2000, 5000};

static bool start(struct component *c, const struct surroundings *around, int64_t delay_ms) {
  struct launch what = {.words = c->is.words,
                        .folder = around->folder,
                        .log = c->is.log,
                        .fds = {STDIN_FILENO, -1, -1, -1, -1},
                        .delay_ms = delay_ms,
                        .death_signal = c->is.death_signal,
                        .drop = true};
  if (c->is.has_sockets) {
    what.fds[0] = around->sockets[0] >= 0 ? around->sockets[0] : STDIN_FILENO;
    what.fds[4] = around->sockets[1];
  }
  pid_t pid = launch(&what);
  if (pid < 0)
    return false;
  c->pid = pid;
  c->state = COMPONENT_RUNNING;
  c->started_ms = clock_monotonic_ms();
  c->started_at = time(NULL);
  return true;
}

bool component_start(struct component *c, const struct surroundings *around) {
  return start(c, around, 0);
}

static struct stat socket_now(const struct component *c) {
  struct stat found = {0};
  if (c->is.socket)
    (void)!stat(c->is.socket, &found);
  return found;
}

bool component_replace(struct component *c, const struct surroundings *around) {
  pid_t old = c->pid;
  struct stat before = socket_now(c);
  if (!start(c, around, 0))
    return false;
  c->old_pid = old;
  c->old_socket = before;
  c->old_told = false;
  c->old_deadline_ms = clock_monotonic_ms() + (c->is.socket ? NEW_SOCKET_MS : 0);
  return true;
}

static void set_deadline(struct component *c, enum component_state state, int64_t ms) {
  c->state = state;
  c->deadline_ms = clock_monotonic_ms() + ms;
  c->was_killed = false;
}

/* An old process that waits for the new one's socket need not wait any longer. */
void component_stop(struct component *c) {
  if (!c->old_told)
    c->old_deadline_ms = clock_monotonic_ms();
  if (c->state == COMPONENT_ABSENT)
    return;
  if (c->state == COMPONENT_RUNNING)
    kill(c->pid, c->is.stop_signal);
  else
    session_signal(c->pid, SIGTERM);
  set_deadline(c, COMPONENT_STOPPING, c->is.stop_ms);
}

bool component_reap(struct component *c, pid_t pid, int status) {
  if (pid == c->old_pid && !c->old_told)
    c->old_deadline_ms = clock_monotonic_ms() + c->is.stop_ms;
  if (pid == c->old_pid)
    return c->old_told = true;
  if (pid != c->pid)
    return false;
  c->status = status;
  if (c->state == COMPONENT_RUNNING)
    c->state = COMPONENT_DEAD;
  return true;
}

/* --- what is under way ------------------------------------------------------------------------ */

static void say_revived(const struct component *c) {
  char how[48];
  if (WIFSIGNALED(c->status))
    snprintf(how, sizeof(how), "of SIG%s", sigabbrev_np(WTERMSIG(c->status)));
  else
    snprintf(how, sizeof(how), "with status %d", WEXITSTATUS(c->status));
  say("%s died %s, started again as process %d", c->is.name, how, (int)c->pid);
}

static void revive(struct component *c, const struct surroundings *around) {
  bool young = clock_monotonic_ms() - c->started_ms < YOUNG_MS;
  int failures = young ? c->failures : 0;
  int last = (int)ARRAY_LEN(pauses_ms) - 1;
  if (!start(c, around, pauses_ms[failures])) {
    set_deadline(c, COMPONENT_REVIVING, LEFTOVER_MS); /* and tries again */
    return;
  }
  c->failures = failures < last ? failures + 1 : last;
  say_revived(c);
}

/* Whether a session has ended by now. Kills it, and sets `*killed`, when its time is over; does not
 * wait for ever for what even that does not end. */
static bool has_ended(pid_t session, int64_t deadline_ms, bool *killed) {
  int64_t late_ms = clock_monotonic_ms() - deadline_ms;
  if (session_signal(session, late_ms > 0 ? SIGKILL : 0) == 0)
    return true;
  *killed |= late_ms > 0;
  return late_ms > KILLED_MS;
}

static void end_old(struct component *c) {
  struct stat now = socket_now(c);
  bool is_new =
      now.st_ino && (now.st_ino != c->old_socket.st_ino || now.st_dev != c->old_socket.st_dev);
  bool killed = false;
  if (!c->old_told && (is_new || clock_monotonic_ms() >= c->old_deadline_ms)) {
    kill(c->old_pid, c->is.stop_signal);
    c->old_told = true;
    c->old_deadline_ms = clock_monotonic_ms() + c->is.stop_ms;
  }
  if (has_ended(c->old_pid, c->old_told ? c->old_deadline_ms : INT64_MAX, &killed))
    c->old_pid = 0;
}

bool component_tick(struct component *c, const struct surroundings *around, bool may_revive) {
  pid_t before = c->pid;
  if (c->old_pid)
    end_old(c);
  switch (c->state) {
  case COMPONENT_ABSENT:
  case COMPONENT_RUNNING:
  case COMPONENT_STATE__MAX:
    break;
  case COMPONENT_DEAD:
    if (!c->is.log && session_signal(c->pid, 0) == 0)
      c->state = COMPONENT_ABSENT; /* its process id may become another process's */
    if (!may_revive || !c->is.log)
      break;
    session_signal(c->pid, SIGTERM);
    set_deadline(c, COMPONENT_REVIVING, LEFTOVER_MS);
    break;
  case COMPONENT_REVIVING:
    if (!has_ended(c->pid, c->deadline_ms, &c->was_killed))
      break;
    if (may_revive)
      revive(c, around);
    else
      c->state = COMPONENT_ABSENT;
    break;
  case COMPONENT_STOPPING:
    if (!has_ended(c->pid, c->deadline_ms, &c->was_killed))
      break;
    if (c->was_killed)
      say("%s did not stop in time and was killed", c->is.name);
    c->state = COMPONENT_ABSENT;
    break;
  }
  return c->pid != before;
}

bool component_is_busy(const struct component *c) {
  return c->old_pid || c->state == COMPONENT_REVIVING || c->state == COMPONENT_STOPPING;
}

void component_check_socket(struct component *c) {
  if (c->state != COMPONENT_RUNNING || !c->is.socket ||
      clock_monotonic_ms() - c->started_ms < YOUNG_MS || S_ISSOCK(socket_now(c).st_mode))
    return;
  say("the socket %s was removed; %s is started again", c->is.socket, c->is.name);
  kill(c->pid, c->is.death_signal);
}
