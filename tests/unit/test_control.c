/* supervisor/control.c: requests in any pieces, replies, and what is no request. */

#include "supervisor/control.h"

#include "tests/unit/test.h"

#include "supervisor/supervisor.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

static struct supervisor supervisor;
static int director; /* its end of the connection */

static void begin(void) {
  int pair[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  supervisor = (struct supervisor){.control_fd = pair[0]};
  folder_init(&supervisor.folder, "/nonexistent");
  folder_path(&supervisor.folder, "components", supervisor.status);
  director = pair[1];
}

static void end(void) {
  if (supervisor.control_fd >= 0)
    close(supervisor.control_fd);
  close(director);
}

static void send_text(const char *text) {
  CHECK_INT(send(director, text, strlen(text), 0), strlen(text));
  control_serve(&supervisor);
}

/* What has been answered so far. */
static const char *replies(void) {
  static char text[1024];
  ssize_t len = recv(director, text, sizeof(text) - 1, MSG_DONTWAIT);
  text[len > 0 ? len : 0] = '\0';
  return text;
}

static void add(const char *name, enum component_state state, pid_t pid, pid_t old_pid) {
  supervisor.table.rows[supervisor.table.count++] =
      (struct component){.is = {.name = name}, .state = state, .pid = pid, .old_pid = old_pid};
}

static void test_states(void) {
  begin();
  add("a", COMPONENT_ABSENT, 0, 0);
  add("b", COMPONENT_RUNNING, 7, 0);
  add("c", COMPONENT_RUNNING, 8, 7);
  add("d", COMPONENT_DEAD, 7, 0);
  add("e", COMPONENT_REVIVING, 7, 0);
  add("f", COMPONENT_STOPPING, 7, 0);
  send_text("state a\nstate b\nstate c\nstate d\nstate e\nstate f\n");
  CHECK_STR(replies(), "absent\nrunning 7\nreplacing 8\ndead\nending\nending\n");
  end();
}

static void test_byte_by_byte(void) {
  begin();
  add("a", COMPONENT_RUNNING, 7, 0);
  for (const char *p = "state a\nstate a\n"; *p; p++)
    send_text((char[]){*p, '\0'});
  CHECK_STR(replies(), "running 7\nrunning 7\n");
  end();
}

static void test_what_is_no_request(void) {
  static const char *const wrong[] = {"nonsense", "",        "state", "state b",
                                      "take a",   "ready a", "starta"};
  begin();
  add("a", COMPONENT_RUNNING, 7, 0);
  for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
    char text[64];
    snprintf(text, sizeof(text), "%s\n", wrong[i]);
    send_text(text);
    CHECK(strncmp(replies(), "failed no such request: ", 24) == 0);
  }
  CHECK(!supervisor.is_up);
  end();
}

static void test_what_cannot_be_done(void) {
  begin();
  add("a", COMPONENT_RUNNING, 7, 0);
  add("b", COMPONENT_ABSENT, 0, 0);
  add("c", COMPONENT_RUNNING, 8, 7);
  send_text("start a\n");
  CHECK_STR(replies(), "failed Operation already in progress\n");
  send_text("replace b\n");
  CHECK_STR(replies(), "failed Device or resource busy\n");
  send_text("replace c\n");
  CHECK_STR(replies(), "failed Device or resource busy\n");
  send_text("take\n");
  CHECK_STR(replies(), "failed No such file or directory\n");
  send_text("table\n");
  CHECK_STR(replies(), "failed cannot read /nonexistent/etc/components\n");
  end();
}

static void test_restart_is_for_an_idle_director(void) {
  begin();
  control_restart(&supervisor);
  CHECK_STR(replies(), "");
  send_text("ready\n");
  CHECK_STR(replies(), "");
  CHECK(supervisor.is_up && supervisor.is_idle);
  control_restart(&supervisor);
  control_restart(&supervisor);
  CHECK_STR(replies(), "restart\n");
  CHECK(supervisor.is_up && !supervisor.is_idle);
  end();
}

static void test_an_endless_line(void) {
  begin();
  for (size_t i = 0; i <= sizeof(supervisor.request) && supervisor.control_fd >= 0; i++)
    send_text("x");
  CHECK_INT(supervisor.control_fd, -1);
  end();
}

static void test_the_end_of_the_director(void) {
  begin();
  shutdown(director, SHUT_WR);
  control_serve(&supervisor);
  CHECK_INT(supervisor.control_fd, -1);
  end();
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  RUN(test_states);
  RUN(test_byte_by_byte);
  RUN(test_what_is_no_request);
  RUN(test_what_cannot_be_done);
  RUN(test_restart_is_for_an_idle_director);
  RUN(test_an_endless_line);
  RUN(test_the_end_of_the_director);
  return test_done();
}
