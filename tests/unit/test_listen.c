/* common/listen.c: which addresses it understands, and what it says of the others. */

#include "tests/unit/test.h"

#include "common/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

/* Of either family: the port stands at the same place. */
static int port_of(int fd) {
  struct sockaddr_in6 address;
  socklen_t len = sizeof(address);
  memset(&address, 0, sizeof(address));
  CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
  return ntohs(address.sin6_port);
}

static void test_good(void) {
  static const char *const good[] = {"127.0.0.1:0", "0.0.0.0:0", ":0"};
  for (size_t i = 0; i < ARRAY_LEN(good); i++) {
    const char *error = "left over";
    int fd = listen_tcp(good[i], &error);
    CHECK(fd >= 0 && error == NULL);
    CHECK(port_of(fd) > 0);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
  }
}

static void test_v6(void) {
  const char *error;
  int fd = listen_tcp("[::1]:0", &error);
  CHECK(fd >= 0 || errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT); /* a machine without it */
  if (fd >= 0)
    close(fd);
}

/* A client of 127.0.0.1 also reaches an IPv6 socket, and a name. */
static void test_ipv4_is_included(void) {
  static const char *const all[] = {"[::]:0", ":0", "localhost:0"};
  for (size_t i = 0; i < ARRAY_LEN(all); i++) {
    const char *error;
    int fd = listen_tcp(all[i], &error);
    if (fd < 0 && i == 0)
      continue; /* a machine without IPv6 */
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port_of(fd)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(connect(client, (const struct sockaddr *)&to, sizeof(to)), 0);
    close(client);
    close(fd);
  }
}

static void test_bad(void) {
  static const char *const bad[] = {"127.0.0.1", "", "127.0.0.1:x", "[::1:1", "a b:1"};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    const char *error = NULL;
    CHECK(listen_tcp(bad[i], &error) == -1);
    CHECK(error != NULL && *error);
  }
}

static void test_taken(void) {
  char where[40];
  const char *error = NULL;
  int fd = listen_tcp("127.0.0.1:0", &error);
  CHECK(fd >= 0);
  snprintf(where, sizeof(where), "127.0.0.1:%d", port_of(fd));
  CHECK(listen_tcp(where, &error) == -1);
  CHECK(errno == EADDRINUSE);
  CHECK(error != NULL);
  close(fd);
}

int main(void) {
  RUN(test_good);
  RUN(test_v6);
  RUN(test_ipv4_is_included);
  RUN(test_bad);
  RUN(test_taken);
  return test_done();
}
