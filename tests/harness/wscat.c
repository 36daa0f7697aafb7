/*
 * wscat: the tests' WebSocket client. Shares nothing with wsd: it frames and checks by itself.
 *
 *   wscat [options] ws://host[:port]/path    or    unix:/path/to.sock:/path
 *
 * Prints each text message as a line, and lines that start with "!" for the rest:
 *   ! close CODE REASON   ! http STATUS (then the body)   ! eof   ! timeout   ! bad WHAT
 * Exits with 0 when it got the messages asked for or a close, 1 refused, 2 timed out, 3 end of
 * file, 4 the server broke the protocol, 64 wrong usage.
 */

#include <errno.h>
#include <netdb.h>
#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_HTTP = 1, EXIT_TIMEOUT, EXIT_EOF, EXIT_PROTOCOL, EXIT_USAGE = 64 };
enum {
  HEAD_MAX = 65536,
  PAYLOAD_MAX = 1 << 20,
  ACCEPT_SIZE = 29,
  SENDS_MAX = 64,
  HEADERS_MAX = 4096
};
enum { OP_CONTINUATION, OP_TEXT, OP_BINARY, OP_CLOSE = 8, OP_PING, OP_PONG };

struct outgoing {
  const char *text;
  bool is_hex;
};

static struct {
  double timeout_s, no_read_s;
  long count; /* messages wanted; 0: until the close */
  bool half_close, show_pings, show_pongs, no_pong, show_head;
  char headers[HEADERS_MAX];
  struct outgoing sends[SENDS_MAX];
  int send_count;
} options = {.timeout_s = 10};

static int sock = -1;
static int64_t deadline_ms;
static uint8_t in[HEAD_MAX];
static size_t in_len, in_at;
static char expected_accept[ACCEPT_SIZE];

static _Noreturn __attribute__((format(printf, 2, 3))) void quit(int status, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  if (*fmt) {
    vprintf(fmt, args);
    putchar('\n');
  }
  va_end(args);
  exit(status);
}

static int64_t now_ms(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- the socket ------------------------------------------------------------------------------- */

static void wait_for(short events) {
  for (;;) {
    int64_t left = deadline_ms - now_ms();
    struct pollfd p = {.fd = sock, .events = events};
    int n = left > 0 ? poll(&p, 1, (int)left) : 0;
    if (n > 0)
      return;
    if (n == 0)
      quit(EXIT_TIMEOUT, "! timeout");
  }
}

static void send_all(const void *data, size_t len) {
  const char *p = data;
  while (len) {
    wait_for(POLLOUT);
    ssize_t n = send(sock, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
      return; /* what the server said before it hung up is still to be read */
    if (n > 0) {
      p += n;
      len -= (size_t)n;
    }
  }
}

/* The next byte, or -1 at the end. */
static int next_byte_or_end(void) {
  while (in_at == in_len) {
    wait_for(POLLIN);
    ssize_t n = recv(sock, in, sizeof(in), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
      return -1;
    if (n > 0) {
      in_at = 0;
      in_len = (size_t)n;
    }
  }
  return in[in_at++];
}

static uint8_t next_byte(void) {
  int byte = next_byte_or_end();
  if (byte < 0)
    quit(EXIT_EOF, "! eof");
  return (uint8_t)byte;
}

static void connect_unix(const char *path, size_t len) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (len >= sizeof(address.sun_path))
    quit(EXIT_USAGE, "! bad socket path");
  memcpy(address.sun_path, path, len);
  sock = socket(AF_UNIX, SOCK_STREAM, 0);
  if (sock < 0 || connect(sock, (struct sockaddr *)&address, sizeof(address)) != 0)
    quit(EXIT_EOF, "! connect %s", strerror(errno));
}

static void connect_tcp(const char *host, const char *port) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
  int error = getaddrinfo(host, port, &hints, &found);
  if (error)
    quit(EXIT_EOF, "! connect %s", gai_strerror(error));
  for (struct addrinfo *ai = found; ai; ai = ai->ai_next) {
    sock = socket(ai->ai_family, ai->ai_socktype, ai->ai_protocol);
    if (sock >= 0 && connect(sock, ai->ai_addr, ai->ai_addrlen) == 0) {
      freeaddrinfo(found);
      return;
    }
    close(sock);
  }
  quit(EXIT_EOF, "! connect %s", strerror(errno));
}

/* Connects to what the URL names; writes the Host header's value; returns the request target. */
static const char *connect_to(const char *url, char *host, size_t size) {
  if (strncmp(url, "unix:", 5) == 0) {
    const char *path = url + 5, *colon = strstr(path, ":/");
    if (!colon)
      quit(EXIT_USAGE, "! bad url");
    connect_unix(path, (size_t)(colon - path));
    snprintf(host, size, "localhost");
    return colon + 1;
  }
  if (strncmp(url, "ws://", 5) != 0)
    quit(EXIT_USAGE, "! bad url");
  const char *at = url + 5, *target = at + strcspn(at, "/");
  snprintf(host, size, "%.*s", (int)(target - at), at);
  char name[256];
  snprintf(name, sizeof(name), "%s", host);
  char *colon = strrchr(name, ':');
  if (colon)
    *colon++ = '\0';
  size_t len = strlen(name);
  bool brackets = *name == '[' && name[len - 1] == ']';
  if (brackets)
    name[len - 1] = '\0';
  connect_tcp(name + brackets, colon ? colon : "80");
  return *target ? target : "/";
}

/* --- the handshake ---------------------------------------------------------------------------- */

static void random_bytes(uint8_t *out, size_t len) {
  arc4random_buf(out, len);
}

static void make_key(char key[25]) {
  uint8_t bytes[16], digest[SHA1_DIGEST_SIZE];
  random_bytes(bytes, sizeof(bytes));
  base64_encode_raw(key, sizeof(bytes), bytes);
  key[24] = '\0';
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  struct sha1_ctx sha1;
  sha1_init(&sha1);
  sha1_update(&sha1, 24, (const uint8_t *)key);
  sha1_update(&sha1, sizeof(guid) - 1, (const uint8_t *)guid);
  sha1_digest(&sha1, sizeof(digest), digest);
  base64_encode_raw(expected_accept, sizeof(digest), digest);
}

static void send_request(const char *target, const char *host) {
  static char request[HEAD_MAX];
  char key[25];
  make_key(key);
  int len = snprintf(request, sizeof(request),
                     "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                     target, host, key, options.headers);
  if (len >= (int)sizeof(request))
    quit(EXIT_USAGE, "! request too long");
  send_all(request, (size_t)len);
}

static const char *find_header(const char *head, const char *name) {
  size_t len = strlen(name);
  for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
    line += 2;
    if (strncasecmp(line, name, len) == 0 && line[len] == ':')
      return line + len + 1 + strspn(line + len + 1, " \t");
  }
  return NULL;
}

static bool header_is(const char *head, const char *name, const char *value) {
  const char *found = find_header(head, name);
  size_t len = strlen(value);
  return found && strncasecmp(found, value, len) == 0 && strspn(found + len, " \t\r\n") > 0;
}

static void read_head(char head[HEAD_MAX]) {
  size_t len = 0;
  while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0) {
    if (len == HEAD_MAX - 1)
      quit(EXIT_PROTOCOL, "! bad head");
    head[len++] = (char)next_byte();
  }
  head[len] = '\0';
}

static _Noreturn void show_refusal(const char *head, int status) {
  const char *length = find_header(head, "Content-Length");
  long left = length ? atol(length) : PAYLOAD_MAX;
  printf("! http %d\n", status);
  for (int byte; left > 0 && (byte = next_byte_or_end()) >= 0; left--)
    putchar(byte);
  quit(EXIT_HTTP, "%s", length && left > 0 ? "\n! eof" : "");
}

static void read_response(void) {
  static char head[HEAD_MAX];
  int status;
  read_head(head);
  if (options.show_head)
    fputs(head, stdout);
  if (sscanf(head, "HTTP/1.%*c %d", &status) != 1)
    quit(EXIT_PROTOCOL, "! bad status line");
  if (status != 101)
    show_refusal(head, status);
  const char *accept = find_header(head, "Sec-WebSocket-Accept");
  if (!accept || strncmp(accept, expected_accept, ACCEPT_SIZE - 1) != 0 ||
      strncmp(accept + ACCEPT_SIZE - 1, "\r\n", 2) != 0)
    quit(EXIT_PROTOCOL, "! bad accept");
  if (!header_is(head, "Upgrade", "websocket") || !header_is(head, "Connection", "upgrade"))
    quit(EXIT_PROTOCOL, "! bad upgrade");
  if (find_header(head, "Sec-WebSocket-Extensions"))
    quit(EXIT_PROTOCOL, "! bad extension");
  bool offered = strcasestr(options.headers, "Sec-WebSocket-Protocol:");
  if (offered != (find_header(head, "Sec-WebSocket-Protocol") != NULL))
    quit(EXIT_PROTOCOL, "! bad subprotocol"); /* browsers give up then */
}

/* --- frames ----------------------------------------------------------------------------------- */

static void send_frame(int opcode, const uint8_t *data, size_t len) {
  uint8_t *frame = malloc(len + 14), mask[4];
  size_t at = 0;
  if (!frame)
    abort();
  frame[at++] = (uint8_t)(0x80 | opcode);
  if (len < 126) {
    frame[at++] = (uint8_t)(0x80 | len);
  } else {
    int bytes = len < 65536 ? 2 : 8;
    frame[at++] = bytes == 2 ? 0xfe : 0xff;
    for (int i = bytes - 1; i >= 0; i--)
      frame[at++] = (uint8_t)((uint64_t)len >> (8 * i));
  }
  random_bytes(mask, sizeof(mask));
  memcpy(frame + at, mask, sizeof(mask));
  at += sizeof(mask);
  for (size_t i = 0; i < len; i++)
    frame[at++] = data[i] ^ mask[i % 4];
  send_all(frame, at);
  free(frame);
}

static void send_hex(const char *hex) {
  static uint8_t bytes[HEAD_MAX];
  size_t len = 0;
  unsigned byte;
  int used;
  for (; len < sizeof(bytes) && sscanf(hex, " %2x%n", &byte, &used) == 1; hex += used)
    bytes[len++] = (uint8_t)byte;
  send_all(bytes, len);
}

static void send_wanted(void) {
  for (int i = 0; i < options.send_count; i++) {
    const struct outgoing *it = &options.sends[i];
    if (it->is_hex)
      send_hex(it->text);
    else
      send_frame(OP_TEXT, (const uint8_t *)it->text, strlen(it->text));
  }
}

/* Reads a frame's header as a server must write it; returns the payload's length. */
static uint64_t read_header(int *opcode) {
  uint8_t first = next_byte(), second = next_byte();
  uint64_t len = second & 0x7f;
  *opcode = first & 0x0f;
  if ((first & 0xf0) != 0x80)
    quit(EXIT_PROTOCOL, "! bad frame: fragmented or reserved bits %02x", first);
  if (second & 0x80)
    quit(EXIT_PROTOCOL, "! bad frame: masked");
  if (*opcode != OP_TEXT && (*opcode < OP_CLOSE || *opcode > OP_PONG))
    quit(EXIT_PROTOCOL, "! bad frame: opcode %d", *opcode);
  if (*opcode >= OP_CLOSE && len > 125)
    quit(EXIT_PROTOCOL, "! bad frame: long control frame");
  if (len < 126)
    return len;
  uint64_t min = len == 126 ? 126 : 65536;
  int bytes = len == 126 ? 2 : 8;
  len = 0;
  for (int i = 0; i < bytes; i++)
    len = len << 8 | next_byte();
  if (len < min || len > PAYLOAD_MAX)
    quit(EXIT_PROTOCOL, "! bad frame: length %llu", (unsigned long long)len);
  return len;
}

static _Noreturn void on_close(const uint8_t *data, size_t len) {
  if (len == 1)
    quit(EXIT_PROTOCOL, "! bad close");
  send_frame(OP_CLOSE, data, len);
  int code = len ? data[0] << 8 | data[1] : 1005;
  printf("! close %d%s%.*s\n", code, len > 2 ? " " : "", len > 2 ? (int)(len - 2) : 0,
         len > 2 ? (const char *)data + 2 : "");
  if (next_byte_or_end() >= 0) /* the server hangs up first, after its close frame nothing comes */
    quit(EXIT_PROTOCOL, "! bad bytes after the close");
  exit(0);
}

/* Takes one frame; returns how many text messages that were. */
static int take_frame(void) {
  static uint8_t data[PAYLOAD_MAX];
  int opcode;
  size_t len = (size_t)read_header(&opcode);
  for (size_t i = 0; i < len; i++)
    data[i] = next_byte();
  switch (opcode) {
  case OP_TEXT:
    fwrite(data, 1, len, stdout);
    putchar('\n');
    return 1;
  case OP_PING:
    if (options.show_pings)
      puts("! ping");
    if (!options.no_pong)
      send_frame(OP_PONG, data, len);
    return 0;
  case OP_PONG:
    if (options.show_pongs)
      printf("! pong %.*s\n", (int)len, (const char *)data);
    return 0;
  default:
    on_close(data, len);
  }
}

/* --- options ---------------------------------------------------------------------------------- */

static _Noreturn void usage(void) {
  fputs(
      "usage: wscat [--timeout S] [--count N] [--origin O] [--header 'X: y'] [--send TEXT]\n"
      "             [--raw HEX] [--no-read S] [--half-close] [--pings] [--pongs] [--no-pong]\n"
      "             [--head] ws://host[:port]/path | unix:/path/to.sock:/path\n"
      "  --send and --raw may be repeated; they go out in order once the connection is open.\n"
      "  --no-read waits S seconds before it reads anything but the handshake's answer.\n"
      "  --half-close ends our side after the request and what is to be sent.\n",
      stderr);
  exit(EXIT_USAGE);
}

static void add_header(const char *name, const char *value) {
  size_t len = strlen(options.headers);
  int n = snprintf(options.headers + len, HEADERS_MAX - len, "%s%s\r\n", name, value);
  if (n >= (int)(HEADERS_MAX - len))
    usage();
}

static void add_send(const char *text, bool is_hex) {
  if (options.send_count == SENDS_MAX)
    usage();
  options.sends[options.send_count++] = (struct outgoing){text, is_hex};
}

static bool take_flag(const char *name) {
  const struct {
    const char *name;
    bool *flag;
  } flags[] = {
      {"--half-close", &options.half_close}, {"--pings", &options.show_pings},
      {"--pongs", &options.show_pongs},      {"--no-pong", &options.no_pong},
      {"--head", &options.show_head},
  };
  for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
    if (strcmp(name, flags[i].name) == 0)
      return *flags[i].flag = true;
  return false;
}

static void take_value(const char *name, const char *value) {
  if (strcmp(name, "--timeout") == 0)
    options.timeout_s = atof(value);
  else if (strcmp(name, "--no-read") == 0)
    options.no_read_s = atof(value);
  else if (strcmp(name, "--count") == 0)
    options.count = atol(value);
  else if (strcmp(name, "--origin") == 0)
    add_header("Origin: ", value);
  else if (strcmp(name, "--header") == 0)
    add_header("", value);
  else if (strcmp(name, "--send") == 0)
    add_send(value, false);
  else if (strcmp(name, "--raw") == 0)
    add_send(value, true);
  else
    usage();
}

/* Returns the URL. */
static const char *take_options(int argc, char **argv) {
  const char *url = NULL;
  for (int i = 1; i < argc; i++) {
    if (argv[i][0] != '-')
      url = argv[i];
    else if (take_flag(argv[i]))
      continue;
    else if (i + 1 < argc)
      take_value(argv[i], argv[i + 1]), i++;
    else
      usage();
  }
  if (!url)
    usage();
  return url;
}

int main(int argc, char **argv) {
  char host[256];
  const char *url = take_options(argc, argv);
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  deadline_ms = now_ms() + (int64_t)(options.timeout_s * 1000);
  const char *target = connect_to(url, host, sizeof(host));
  send_request(target, host);
  if (options.half_close && !options.send_count)
    shutdown(sock, SHUT_WR);
  read_response();
  send_wanted();
  if (options.half_close && options.send_count)
    shutdown(sock, SHUT_WR);
  usleep((useconds_t)(options.no_read_s * 1e6));
  for (long got = 0; !options.count || got < options.count;)
    got += take_frame();
  return 0;
}
