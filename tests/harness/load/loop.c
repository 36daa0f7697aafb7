/* The event loop, over epoll. */

#include "tests/harness/load/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

enum { AT_ONCE = 256 };

static int epoll;

_Noreturn void quit(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "impossible");
  exit(64);
}

int64_t now_us(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void want_descriptors(long count) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0)
    quit("limits");
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur < (rlim_t)count)
    quit("not so many descriptors");
}

static void change(struct loop_io *io, int how, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = io};
  if (epoll_ctl(epoll, how, io->fd, &event) != 0)
    quit("epoll");
}

void loop_open(void) {
  if ((epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
    quit("epoll");
}

void loop_add(struct loop_io *io, uint32_t events) {
  change(io, EPOLL_CTL_ADD, events);
}

void loop_change(struct loop_io *io, uint32_t events) {
  change(io, EPOLL_CTL_MOD, events);
}

void loop_turn(int timeout_ms) {
  struct epoll_event events[AT_ONCE];
  int n = epoll_wait(epoll, events, AT_ONCE, timeout_ms);
  for (int i = 0; i < n; i++) {
    struct loop_io *io = events[i].data.ptr;
    io->on_ready(io, events[i].events);
  }
}
