/* What the director asks for. */

#include "supervisor/control.h"

#include "supervisor/logs.h"
#include "supervisor/say.h"
#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

__attribute__((format(printf, 2, 3))) static void reply(struct supervisor *s, const char *format,
                                                        ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  dprintf(s->control_fd, "%s\n", text);
}

static void reply_if(struct supervisor *s, bool good) {
  if (good)
    reply(s, "ok");
  else
    reply(s, "failed %s", strerror(errno));
}

static void take(struct supervisor *s, struct component *c) {
  enum folder_result result = folder_take(&s->folder);
  if (result == FOLDER_BUSY)
    reply(s, "busy");
  else
    reply_if(s, result == FOLDER_TAKEN);
}

static void redirect_output(struct supervisor *s, struct component *c) {
  char path[FOLDER_PATH_SIZE];
  cleanup_fd int fd = open(folder_path(&s->folder, "log/mcs.log", path),
                           O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  reply_if(s, fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0);
}

static void read_table(struct supervisor *s, struct component *c) {
  char path[FOLDER_PATH_SIZE], error[TABLE_ERROR_SIZE];
  logs_bound(folder_path(&s->folder, "log", path));
  if (!table_read(&s->table, folder_path(&s->folder, "etc/components", path), error)) {
    reply(s, "failed %s", error);
    return;
  }
  supervisor_write_status(s);
  reply(s, "ok");
}

static void start(struct supervisor *s, struct component *c) {
  errno = EALREADY;
  bool is_over = c->state == COMPONENT_ABSENT || c->state == COMPONENT_DEAD;
  reply_if(s, is_over && component_start(c, &s->around));
  supervisor_write_status(s);
}

static void replace(struct supervisor *s, struct component *c) {
  errno = EBUSY;
  bool is_well = c->state == COMPONENT_RUNNING && !c->old_pid;
  reply_if(s, is_well && component_replace(c, &s->around));
  supervisor_write_status(s);
}

static void stop(struct supervisor *s, struct component *c) {
  component_stop(c);
  reply(s, "ok");
}

static void tell_state(struct supervisor *s, struct component *c) {
  static const char *const names[COMPONENT_STATE__MAX] = {[COMPONENT_ABSENT] = "absent",
                                                          [COMPONENT_RUNNING] = "running",
                                                          [COMPONENT_DEAD] = "dead",
                                                          [COMPONENT_REVIVING] = "ending",
                                                          [COMPONENT_STOPPING] = "ending"};
  if (c->state == COMPONENT_RUNNING)
    reply(s, "%s %d", c->old_pid ? "replacing" : "running", (int)c->pid);
  else
    reply(s, "%s", names[c->state]);
}

static void be_ready(struct supervisor *s, struct component *c) {
  s->is_up = true;
  s->is_idle = true;
}

static const struct request {
  const char *name;
  void (*serve)(struct supervisor *s, struct component *c);
  bool names_component; /* else `c` is NULL */
} requests[] = {
    {.name = "take", .serve = take},
    {.name = "log", .serve = redirect_output},
    {.name = "table", .serve = read_table},
    {.name = "start", .serve = start, .names_component = true},
    {.name = "replace", .serve = replace, .names_component = true},
    {.name = "stop", .serve = stop, .names_component = true},
    {.name = "state", .serve = tell_state, .names_component = true},
    {.name = "ready", .serve = be_ready},
};

static void serve(struct supervisor *s, char *line) {
  char *argument = line;
  const char *name = strsep(&argument, " ");
  for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
    const struct request *request = &requests[i];
    if (strcmp(request->name, name) != 0)
      continue;
    struct component *c = argument ? table_find(&s->table, argument) : NULL;
    if ((c != NULL) != request->names_component)
      break;
    request->serve(s, c);
    return;
  }
  reply(s, "failed no such request: %s", name);
}

void control_serve(struct supervisor *s) {
  size_t room = sizeof(s->request) - s->request_len;
  ssize_t len = recv(s->control_fd, s->request + s->request_len, room, MSG_DONTWAIT);
  if (len < 0 && errno == EAGAIN)
    return;
  if (len <= 0) { /* its end will be noticed, or its request was too long */
    close(s->control_fd);
    s->control_fd = -1;
    return;
  }
  s->request_len += (size_t)len;
  for (char *end; (end = memchr(s->request, '\n', s->request_len));) {
    size_t line_len = (size_t)(end - s->request) + 1;
    *end = '\0';
    serve(s, s->request);
    s->request_len -= line_len;
    memmove(s->request, end + 1, s->request_len);
  }
}

void control_restart(struct supervisor *s) {
  if (!s->is_idle)
    return;
  s->is_idle = false;
  reply(s, "restart");
}
