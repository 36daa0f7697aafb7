/*
 * relay: a server's unix socket under a TCP address, or a TCP address that is silent.
 *
 *   relay ADDRESS PORT SOCKET [FILE]   passes each connection on, by a process of its own
 *   relay ADDRESS PORT                 accepts none and refuses none, like a host that is off
 *
 * With FILE it writes down the round trips to PostgreSQL or Redis, a line each, before it passes on
 * the first byte of the reply: the statements or commands in it (a script by the first eight digits
 * of its SHA-1), "-" when there is none. A trip begins with the first byte that the client sends
 * after the server has sent something.
 *
 * Ends with the process that started it, and its connections with it.
 */

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
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

/* Fills its own queue, so that connections to it stay unanswered. */
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

/* --- what a client asks ----------------------------------------------------------------------- */

enum { NAME_SIZE = 64, LINE_SIZE = 8192, PG_HEAD = 5 };

/* A client's bytes so far, and the line of the present trip. */
static struct {
  int file; /* -1: none */
  bool is_redis, is_known, is_asking;
  char line[LINE_SIZE];
  size_t line_len;
  /* PostgreSQL: the message. The first ones have no type, so their head is a byte shorter. */
  bool has_started;
  uint8_t head[PG_HEAD];
  size_t head_len;
  char bound[NAME_SIZE]; /* the statement that Execute runs */
  /* Redis: the command's arguments. */
  char marker;
  long args, arg, number;
  char words[2][NAME_SIZE];
  /* Both: how much of a message or an argument is missing, and its beginning. */
  size_t body_left, body_len;
  char body[2 * NAME_SIZE];
} heard = {.file = -1};

static void note(const char *name) {
  int len = snprintf(heard.line + heard.line_len, LINE_SIZE - heard.line_len - 1, "%s%s",
                     heard.line_len ? " " : "", name);
  heard.line_len += (size_t)len;
  if (heard.line_len >= LINE_SIZE - 1)
    heard.line_len = LINE_SIZE - 2;
}

static void write_down(void) {
  if (!heard.line_len)
    note("-");
  heard.line[heard.line_len++] = '\n';
  if (write(heard.file, heard.line, heard.line_len) != (ssize_t)heard.line_len)
    fail("write");
  heard.line_len = 0;
  heard.is_asking = false;
}

static uint32_t big_endian(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Bind names the prepared statement behind the portal, which is "" here. */
static void end_message(void) {
  enum { SSL_REQUEST = 80877103, GSS_REQUEST = 80877104 };
  heard.body[heard.body_len] = '\0';
  heard.head_len = 0;
  if (!heard.has_started) {
    uint32_t code = heard.body_len < 4 ? 0 : big_endian((const uint8_t *)heard.body);
    heard.has_started = code != SSL_REQUEST && code != GSS_REQUEST;
  } else if (heard.head[0] == 'B')
    snprintf(heard.bound, NAME_SIZE, "%.*s", NAME_SIZE - 1,
             heard.body[1] ? heard.body + 1 : "unprepared");
  else if (heard.head[0] == 'E')
    note(heard.bound);
  else if (heard.head[0] == 'Q')
    note("query");
}

/* True when the message is complete. */
static bool keep(char byte) {
  if (heard.body_len < sizeof(heard.body) - 1)
    heard.body[heard.body_len++] = byte;
  return --heard.body_left == 0;
}

static void hear_postgres(char byte) {
  size_t size = heard.has_started ? PG_HEAD : PG_HEAD - 1;
  if (heard.head_len == size) {
    if (keep(byte))
      end_message();
    return;
  }
  heard.head[heard.head_len++] = (uint8_t)byte;
  if (heard.head_len < size)
    return;
  heard.body_left = big_endian(heard.head + size - 4) - 4;
  heard.body_len = 0;
  if (!heard.body_left)
    end_message();
}

static void end_argument(void) {
  heard.body[heard.body_len - 2] = '\0'; /* the line end counts as its last two bytes */
  if (heard.arg < 2)
    snprintf(heard.words[heard.arg], NAME_SIZE, "%.*s", NAME_SIZE - 1, heard.body);
  if (++heard.arg < heard.args)
    return;
  bool is_script = strcmp(heard.words[0], "EVALSHA") == 0;
  heard.words[1][8] = '\0';
  note(heard.words[is_script ? 1 : 0]);
}

/* Lines "*ARGUMENTS" and "$LENGTH"; behind the latter the argument. */
static void hear_redis(char byte) {
  if (heard.body_left) {
    if (keep(byte))
      end_argument();
  } else if (byte == '*' || byte == '$') {
    heard.marker = byte;
    heard.number = 0;
  } else if (byte >= '0' && byte <= '9')
    heard.number = heard.number * 10 + (byte - '0');
  else if (byte == '\n' && heard.marker == '*') {
    heard.args = heard.number;
    heard.arg = 0;
  } else if (byte == '\n') {
    heard.body_left = (size_t)heard.number + 2;
    heard.body_len = 0;
  }
}

static void hear(const char *data, ssize_t len) {
  if (!heard.is_known) {
    heard.is_redis = data[0] == '*';
    heard.is_known = true;
  }
  heard.is_asking = true;
  for (ssize_t i = 0; i < len; i++)
    (heard.is_redis ? hear_redis : hear_postgres)(data[i]);
}

/* --- passing on ------------------------------------------------------------------------------- */

/* Passes on what has come; false at the end of file. */
static bool pass_on(int from, int to, bool is_client) {
  char data[16384];
  ssize_t len = read(from, data, sizeof(data));
  if (heard.file >= 0 && len > 0 && is_client)
    hear(data, len);
  else if (heard.file >= 0 && heard.is_asking)
    write_down();
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
      if (ends[i].revents && !pass_on(ends[i].fd, ends[1 - i].fd, i == 0))
        good = false;
  exit(0);
}

int main(int argc, char **argv) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *at;
  if (argc < 3 || argc > 5 || getaddrinfo(argv[1], argv[2], &hints, &at) != 0) {
    fputs("usage: relay ADDRESS PORT [SOCKET [FILE]]\n", stderr);
    return 64;
  }
  end_with_parent();
  signal(SIGCHLD, SIG_IGN);
  if (argc == 3)
    be_silent(at);
  if (argc == 5 &&
      (heard.file = open(argv[4], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644)) < 0)
    fail(argv[4]);
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
