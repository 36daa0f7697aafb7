/*
 * relay: a server's unix socket under a TCP address, or a TCP address that is silent.
 *
 *   relay ADDRESS PORT SOCKET     passes each connection on, by a process of its own
 *   relay ADDRESS PORT            takes none: it is not even refused, as by a host that is off
 *
 * Ends with whoever started it, and its connections with it.
 */

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void fail(const char *what) {
  fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void end_with_parent(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static int listen_at(const struct addrinfo *at, int backlog) {
  int fd = socket(at->ai_family, SOCK_STREAM, 0);
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0 ||
      bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, backlog) != 0)
    fail("listen");
  return fd;
}

/* Those that fill the queue stay there; whoever comes after them hears nothing. */
static _Noreturn void be_silent(const struct addrinfo *at) {
  listen_at(at, 0);
  for (int i = 0; i < 8; i++) {
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)!connect(fd, at->ai_addr, at->ai_addrlen);
  }
  puts("ready");
  fflush(stdout);
  for (;;)
    pause();
}

static int connect_unix(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
    fail(path);
  return fd;
}

/* False at the end. */
static bool pass_on(int from, int to) {
  char data[16384];
  ssize_t len = read(from, data, sizeof(data));
  for (ssize_t sent = 0, n; sent < len; sent += n)
    if ((n = write(to, data + sent, (size_t)(len - sent))) <= 0)
      return false;
  return len > 0;
}

static _Noreturn void serve(int a, int b) {
  struct pollfd ends[] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
  bool good = true;
  while (good && poll(ends, 2, -1) > 0)
    for (int i = 0; i < 2; i++)
      if (ends[i].revents && !pass_on(ends[i].fd, ends[1 - i].fd))
        good = false;
  exit(0);
}

int main(int argc, char **argv) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *at;
  if (argc < 3 || argc > 4 || getaddrinfo(argv[1], argv[2], &hints, &at) != 0) {
    fputs("usage: relay ADDRESS PORT [SOCKET]\n", stderr);
    return 64;
  }
  end_with_parent();
  signal(SIGCHLD, SIG_IGN);
  if (argc == 3)
    be_silent(at);
  int listening = listen_at(at, 128);
  puts("ready");
  fflush(stdout);
  for (;;) {
    int fd = accept(listening, NULL, NULL);
    if (fd < 0 || fork() != 0) {
      close(fd);
      continue;
    }
    end_with_parent();
    close(listening);
    serve(fd, connect_unix(argv[3]));
  }
}
