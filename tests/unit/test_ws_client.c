/* The client that blocks (common/ws_client.c), on a pair of sockets and on real ones
 * (common/dial.c). */

#include "common/ws_client.h"

#include "common/clock.h"
#include "common/listen.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { PATIENCE_MS = 30000 };

/* Makes a client that is connected to `*server`. */
static struct ws_client pair(int *server) {
  int ends[2] = {-1, -1};
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  *server = ends[1];
  return (struct ws_client){.fd = ends[0], .deadline_ms = clock_monotonic_ms() + PATIENCE_MS};
}

static void say(int server, const char *text, size_t len) {
  CHECK_INT(write(server, text, len), len);
}

/* The head, and the frames behind it, all at once and then a byte at a time. */
static void test_head_and_frames(void) {
  static const char in[] = "HTTP/1.1 101 x\r\n\r\n\x81\x02hi\x89\x00\x81\x80";
  size_t len = sizeof(in) - 1;
  for (int bytewise = 0; bytewise < 2; bytewise++) {
    int server;
    cleanup_ws_client struct ws_client c = pair(&server);
    const char *head;
    size_t head_len = 0, at = 0;
    struct ws_frame frame;
    enum ws_client_result result;
    if (!bytewise)
      say(server, in, at = len);
    c.deadline_ms = bytewise ? 0 : c.deadline_ms; /* only what is there is read */
    while ((result = ws_client_head(&c, &head, &head_len)) == WS_CLIENT_TIMEOUT && at < len)
      say(server, in + at++, 1);
    CHECK_INT(result, WS_CLIENT_OK);
    CHECK_INT(head_len, 18);
    static const enum ws_opcode opcodes[] = {WS_TEXT, WS_PING};
    for (size_t i = 0; i < 2; i++) {
      while ((result = ws_client_frame(&c, &frame)) == WS_CLIENT_TIMEOUT && at < len)
        say(server, in + at++, 1);
      CHECK_INT(result, WS_CLIENT_OK);
      CHECK_INT(frame.opcode, opcodes[i]);
      CHECK(i || (frame.len == 2 && memcmp(frame.payload, "hi", 2) == 0));
    }
    while ((result = ws_client_frame(&c, &frame)) == WS_CLIENT_TIMEOUT && at < len)
      say(server, in + at++, 1);
    CHECK_INT(result, WS_CLIENT_BAD);
    CHECK_STR(frame.error, "masked");
    close(server);
  }
}

static void test_end(void) {
  int server;
  cleanup_ws_client struct ws_client c = pair(&server);
  struct ws_frame frame;
  say(server, "\x81\x02h", 3);
  c.deadline_ms = clock_monotonic_ms();
  CHECK_INT(ws_client_frame(&c, &frame), WS_CLIENT_TIMEOUT);
  close(server);
  c.deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
  CHECK_INT(ws_client_frame(&c, &frame), WS_CLIENT_EOF);
  CHECK_INT(ws_client_send(&c, "x", 1), WS_CLIENT_EOF);
  ws_client_done(&c);
  CHECK_INT(c.fd, -1);
}

static void test_head_too_long(void) {
  static char endless[70000];
  int server;
  cleanup_ws_client struct ws_client c = pair(&server);
  const char *head;
  size_t len;
  memset(endless, 'x', sizeof(endless));
  say(server, endless, sizeof(endless));
  CHECK_INT(ws_client_head(&c, &head, &len), WS_CLIENT_BAD);
  close(server);
}

/* Nobody reads, so the deadline is what ends it. */
static void test_send_deadline(void) {
  static char much[1 << 24];
  int server;
  cleanup_ws_client struct ws_client c = pair(&server);
  c.deadline_ms = clock_monotonic_ms() + 10;
  CHECK_INT(ws_client_send(&c, much, sizeof(much)), WS_CLIENT_TIMEOUT);
  close(server);
}

static void test_connect(void) {
  char path[64];
  struct stat made;
  const char *error = NULL;
  snprintf(path, sizeof(path), "/tmp/test_ws_client.%d", (int)getpid());
  cleanup_ws_client struct ws_client c = {.fd = -1,
                                          .deadline_ms = clock_monotonic_ms() + PATIENCE_MS};
  CHECK(!ws_client_connect(&c, path, &error));
  CHECK_STR(error, "No such file or directory");
  cleanup_fd int listening = listen_unix(path, &made, &error);
  CHECK(ws_client_connect(&c, path, &error));
  unlink(path);
  cleanup_fd int tcp = listen_tcp("127.0.0.1:0", &error);
  struct sockaddr_in at = {0};
  socklen_t len = sizeof(at);
  CHECK_INT(getsockname(tcp, (struct sockaddr *)&at, &len), 0);
  for (int i = 0; i < 2; i++) {
    ws_client_done(&c);
    snprintf(path, sizeof(path), "%s:%d", i ? "localhost" : "127.0.0.1", ntohs(at.sin_port));
    CHECK(ws_client_connect(&c, path, &error));
  }
}

static void test_no_address(void) {
  static const char *const wrong[] = {"127.0.0.1", "127.0.0.1:no-such-service", "[::1:80"};
  for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
    cleanup_ws_client struct ws_client c = {.fd = -1,
                                            .deadline_ms = clock_monotonic_ms() + PATIENCE_MS};
    const char *error = NULL;
    CHECK(!ws_client_connect(&c, wrong[i], &error));
    CHECK(error);
  }
  char path[200];
  memset(path, '/', sizeof(path) - 1);
  path[sizeof(path) - 1] = '\0';
  cleanup_ws_client struct ws_client c = {.fd = -1,
                                          .deadline_ms = clock_monotonic_ms() + PATIENCE_MS};
  const char *error = NULL;
  CHECK(!ws_client_connect(&c, path, &error));
  CHECK_STR(error, "File name too long");
}

int main(void) {
  RUN(test_head_and_frames);
  RUN(test_end);
  RUN(test_head_too_long);
  RUN(test_send_deadline);
  RUN(test_connect);
  RUN(test_no_address);
  return test_done();
}
