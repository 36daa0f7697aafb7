/* supervisor/component.c, with what it uses: launch.c and session.c. The components are real
 * processes. */

#include "supervisor/component.h"

#include "common/clock.h"
#include "tests/unit/test.h"

#include "supervisor/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

static char folder[] = "/tmp/mcs-test-component.XXXXXX", log_path[sizeof(folder) + 8],
            said_path[sizeof(folder) + 8], socket_path[sizeof(folder) + 8];
static struct surroundings around = {.folder = folder, .sockets = {-1, -1}};
static bool may_revive;

/* A component that is a shell with that script. */
static struct component shell(const char *script) {
  static char program[] = "sh", option[] = "-c", text[256],
              *words[] = {program, option, text, NULL};
  snprintf(text, sizeof(text), "%s", script);
  return (struct component){.is = {.name = "part",
                                   .stop_signal = SIGTERM,
                                   .stop_ms = 60000,
                                   .death_signal = SIGKILL,
                                   .log = log_path,
                                   .words = words}};
}

static void step(struct component *c) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    component_reap(c, pid, status);
  component_tick(c, &around, may_revive);
  poll(NULL, 0, 5);
}

/* Goes on until `condition` holds; half a minute is more than anything here takes. */
#define UNTIL(c, condition)                                                                        \
  do {                                                                                             \
    int64_t deadline_ms_ = clock_monotonic_ms() + 30000;                                           \
    while (!(condition) && clock_monotonic_ms() < deadline_ms_)                                    \
      step(c);                                                                                     \
    CHECK(condition);                                                                              \
  } while (0)

static void end(struct component *c) {
  component_stop(c);
  session_signal(c->pid, SIGKILL);
  UNTIL(c, c->state == COMPONENT_ABSENT && !c->old_pid);
}

static const char *content(const char *path) {
  static char text[4096];
  FILE *file = fopen(path, "re");
  size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
  text[len] = '\0';
  if (file)
    fclose(file);
  return text;
}

static void forget_files(void) {
  unlink(log_path);
  unlink(socket_path);
  CHECK(truncate(said_path, 0) == 0);
}

/* A socket at the path, as a new process makes it: beside it, and renamed. */
static void make_socket(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof(address.sun_path), "%s.new", socket_path);
  cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
  CHECK(rename(address.sun_path, socket_path) == 0);
}

static void test_start(void) {
  struct component c =
      shell("pwd; readlink /proc/self/fd/0; ls /proc/self/fd | wc -l; exec sleep 99");
  forget_files();
  CHECK(component_start(&c, &around));
  CHECK_INT(c.state, COMPONENT_RUNNING);
  char expected[128];
  snprintf(expected, sizeof(expected), "%s\n/dev/null\n4\n", folder); /* 0 to 2, and that of ls */
  UNTIL(&c, strcmp(content(log_path), expected) == 0);
  CHECK_STR(content(log_path), expected);
  CHECK_INT(getsid(c.pid), c.pid);
  CHECK(!component_is_busy(&c));
  end(&c);
}

static void test_sockets_are_handed_over(void) {
  int pair[2];
  const struct timeval patience = {.tv_sec = 30};
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  CHECK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
  struct component c = shell("echo to-0 >&0; echo to-4 >&4; exec sleep 99");
  c.is.has_sockets = true;
  around.sockets[0] = fcntl(pair[1], F_DUPFD_CLOEXEC, 10);
  around.sockets[1] = fcntl(pair[1], F_DUPFD_CLOEXEC, 10);
  CHECK(component_start(&c, &around));
  char got[11] = "";
  CHECK_INT(recv(pair[0], got, 10, MSG_WAITALL), 10);
  CHECK_STR(got, "to-0\nto-4\n");
  end(&c);
  close(pair[0]), close(pair[1]);
  close(around.sockets[0]), close(around.sockets[1]);
  around.sockets[0] = around.sockets[1] = -1;
}

static void test_what_dies_is_started_again(void) {
  struct component c = shell("exec sleep 99");
  forget_files();
  CHECK(component_start(&c, &around));
  pid_t first = c.pid;
  kill(first, SIGKILL);
  may_revive = false;
  UNTIL(&c, c.state == COMPONENT_DEAD);
  step(&c);
  CHECK_INT(c.state, COMPONENT_DEAD);
  may_revive = true;
  UNTIL(&c, c.state == COMPONENT_RUNNING && c.pid != first);
  char expected[128];
  snprintf(expected, sizeof(expected), "mcs: part died of SIGKILL, started again as process %d\n",
           (int)c.pid);
  CHECK_STR(content(said_path), expected);
  end(&c);
}

static void test_pauses_grow_while_it_dies_young(void) {
  struct component c = shell("exit 3");
  forget_files();
  may_revive = true;
  CHECK(component_start(&c, &around));
  int64_t begin_ms = clock_monotonic_ms();
  UNTIL(&c, c.failures == 4);
  CHECK(clock_monotonic_ms() - begin_ms >= 0 + 200 + 500);
  CHECK(strncmp(content(said_path), "mcs: part died with status 3, ", 30) == 0);
  /* One that lived longer starts at once again. */
  c.started_ms -= 60000;
  UNTIL(&c, c.failures == 1);
  end(&c);
}

static void test_a_helper_is_not_started_again(void) {
  struct component c = shell("exit 0");
  may_revive = true;
  c.is.log = NULL;
  CHECK(component_start(&c, &around));
  pid_t pid = c.pid;
  UNTIL(&c, c.state == COMPONENT_ABSENT); /* a stop must not signal the next process of that id */
  step(&c);
  CHECK_INT(c.state, COMPONENT_ABSENT);
  CHECK_INT(c.pid, pid);
}

static void test_an_end_starts_nothing(void) {
  struct component c = shell("trap '' TERM; (echo up; exec sleep 99) & exit 1");
  forget_files();
  may_revive = true;
  CHECK(component_start(&c, &around));
  pid_t session = c.pid;
  UNTIL(&c, c.state == COMPONENT_REVIVING);
  may_revive = false;
  session_signal(session, SIGKILL);
  UNTIL(&c, c.state != COMPONENT_REVIVING);
  CHECK_INT(c.state, COMPONENT_ABSENT);
  CHECK_INT(c.pid, session);
  CHECK(!component_is_busy(&c));
}

static void test_what_is_left_of_a_session_ends_first(void) {
  struct component c = shell("sleep 99 & echo $! && exit 1");
  forget_files();
  may_revive = false;
  CHECK(component_start(&c, &around));
  UNTIL(&c, c.state == COMPONENT_DEAD);
  CHECK_INT(session_signal(c.pid, 0), 1);
  pid_t session = c.pid;
  may_revive = true;
  UNTIL(&c, c.pid != session);
  CHECK_INT(session_signal(session, 0), 0);
  end(&c);
}

static void test_stop_waits_for_the_whole_session(void) {
  struct component c =
      shell("(trap '' TERM; echo up; until [ -e socket ]; do sleep 0.05; done) & wait");
  forget_files();
  CHECK(component_start(&c, &around));
  UNTIL(&c, strcmp(content(log_path), "up\n") == 0);
  component_stop(&c);
  UNTIL(&c, kill(c.pid, 0) != 0);
  for (int i = 0; i < 20; i++)
    step(&c);
  CHECK_INT(c.state, COMPONENT_STOPPING);
  make_socket(); /* for which the one that is left waits */
  UNTIL(&c, c.state == COMPONENT_ABSENT);
  CHECK_STR(content(said_path), "");
}

static void test_what_does_not_stop_is_killed(void) {
  struct component c = shell("trap '' TERM; echo up; while :; do sleep 1; done");
  forget_files();
  c.is.stop_ms = 50;
  CHECK(component_start(&c, &around));
  UNTIL(&c, strcmp(content(log_path), "up\n") == 0);
  component_stop(&c);
  UNTIL(&c, c.state == COMPONENT_ABSENT);
  CHECK_INT(session_signal(c.pid, 0), 0);
  CHECK_STR(content(said_path), "mcs: part did not stop in time and was killed\n");
}

static void test_replace_waits_for_the_new_socket(void) {
  struct component c = shell("exec sleep 99");
  forget_files();
  make_socket();
  c.is.socket = socket_path;
  CHECK(component_start(&c, &around));
  pid_t old = c.pid;
  CHECK(component_replace(&c, &around));
  CHECK(c.pid != old);
  CHECK(component_is_busy(&c));
  for (int i = 0; i < 20; i++)
    step(&c);
  CHECK_INT(c.old_pid, old);
  CHECK_INT(session_signal(old, 0), 1);
  make_socket();
  UNTIL(&c, !c.old_pid);
  CHECK_INT(session_signal(old, 0), 0);
  CHECK_INT(c.state, COMPONENT_RUNNING);
  CHECK_INT(session_signal(c.pid, 0), 1);
  end(&c);
}

static void test_replace_without_a_socket(void) {
  struct component c = shell("exec sleep 99");
  CHECK(component_start(&c, &around));
  pid_t old = c.pid;
  CHECK(component_replace(&c, &around));
  UNTIL(&c, !c.old_pid);
  CHECK_INT(session_signal(old, 0), 0);
  CHECK_INT(session_signal(c.pid, 0), 1);
  end(&c);
}

static void test_stop_during_a_replacement_ends_both(void) {
  struct component c = shell("exec sleep 99");
  forget_files();
  c.is.socket = socket_path;
  CHECK(component_start(&c, &around));
  pid_t old = c.pid;
  CHECK(component_replace(&c, &around));
  component_stop(&c);
  UNTIL(&c, !component_is_busy(&c));
  CHECK_INT(c.state, COMPONENT_ABSENT);
  CHECK_INT(session_signal(old, 0) + session_signal(c.pid, 0), 0);
}

static void test_a_missing_socket(void) {
  struct component c = shell("exec sleep 99");
  forget_files();
  may_revive = false;
  c.is.socket = socket_path;
  CHECK(component_start(&c, &around));
  component_check_socket(&c); /* it may be about to make it */
  CHECK_STR(content(said_path), "");
  c.started_ms -= 60000;
  make_socket();
  component_check_socket(&c);
  CHECK_STR(content(said_path), "");
  unlink(socket_path);
  component_check_socket(&c);
  char expected[128];
  snprintf(expected, sizeof(expected), "mcs: the socket %s was removed; part is started again\n",
           socket_path);
  CHECK_STR(content(said_path), expected);
  UNTIL(&c, c.state == COMPONENT_DEAD);
  CHECK_INT(WTERMSIG(c.status), SIGKILL);
  end(&c);
}

/* A child is the supervisor, which dies by SIGKILL when its component runs. */
static void test_it_ends_with_the_supervisor(void) {
  int pipe_fds[2];
  pid_t pid = 0;
  CHECK(pipe2(pipe_fds, O_CLOEXEC) == 0);
  forget_files();
  pid_t supervisor = fork();
  if (supervisor == 0) {
    struct component c = shell("echo up; exec sleep 99");
    (void)!component_start(&c, &around);
    UNTIL(&c, strcmp(content(log_path), "up\n") == 0);
    (void)!write(pipe_fds[1], &c.pid, sizeof(c.pid));
    raise(SIGKILL);
  }
  CHECK_INT(read(pipe_fds[0], &pid, sizeof(pid)), sizeof(pid));
  CHECK(waitpid(supervisor, NULL, 0) == supervisor);
  struct component none = {0};
  UNTIL(&none, session_signal(pid, 0) == 0);
  close(pipe_fds[0]), close(pipe_fds[1]);
}

int main(void) {
  /* Root becomes another user first: a component would become the user mcs, which may not
   * exist here. */
  if (getuid() == 0 && (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
    return 1;
  if (!mkdtemp(folder))
    return 1;
  snprintf(log_path, sizeof(log_path), "%s/log", folder);
  snprintf(said_path, sizeof(said_path), "%s/said", folder);
  snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
  if (!freopen("/dev/null", "r", stdin)) /* as the supervisor has it */
    return 1;
  int said = open(said_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (said < 0 || dup2(said, STDERR_FILENO) < 0)
    return 1;
  RUN(test_start);
  RUN(test_sockets_are_handed_over);
  RUN(test_what_dies_is_started_again);
  RUN(test_pauses_grow_while_it_dies_young);
  RUN(test_a_helper_is_not_started_again);
  RUN(test_an_end_starts_nothing);
  RUN(test_what_is_left_of_a_session_ends_first);
  RUN(test_stop_waits_for_the_whole_session);
  RUN(test_what_does_not_stop_is_killed);
  RUN(test_replace_waits_for_the_new_socket);
  RUN(test_replace_without_a_socket);
  RUN(test_stop_during_a_replacement_ends_both);
  RUN(test_a_missing_socket);
  RUN(test_it_ends_with_the_supervisor);
  forget_files();
  unlink(said_path);
  rmdir(folder);
  return test_done();
}
