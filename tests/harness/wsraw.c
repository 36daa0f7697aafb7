/*
 * wsraw: the hostile client. Speaks raw bytes; shares nothing with wsd.
 *
 *   wsraw cases [--bytewise] URL           sends each row of frames.def on a connection of its own
 *   wsraw send [--bytewise] [--wait S] WHERE   sends standard input, prints what comes back until
 *                                          the end of file (then a line "! eof") or for S seconds
 *   wsraw crowd KIND COUNT SECONDS URL     that many clients of a kind (see `kinds`); prints
 *                                          "ready" when all are there, and what became of them
 *                                          after that time, or when all are gone
 *   wsraw late COUNT SECONDS URL...        watches calls; prints how late the first COUNT news were
 *
 * A URL is ws://HOST:PORT/TARGET or unix:SOCKET:/TARGET; WHERE is HOST:PORT or a socket's path.
 * Exits with 0 when all went as it should, 1 otherwise, 64 for wrong usage.
 */

#include "tests/harness/frames.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { REPLY_MAX = 1 << 20, HEAD_SIZE = 2048, TAIL = 128, CASE_MS = 5000, QUIET_MS = 30 };

struct bytes {
  size_t len;
  unsigned char data[REPLY_MAX];
};

static _Noreturn void quit(const char *what) {
  fprintf(stderr, "wsraw: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now_s(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- where to --------------------------------------------------------------------------------- */

static int connect_unix(const char *path, size_t len) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (len >= sizeof(address.sun_path))
    return -1;
  memcpy(address.sun_path, path, len);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
    quit("connect");
  return fd;
}

static int connect_tcp(const char *where, size_t len) {
  char host[256];
  snprintf(host, sizeof(host), "%.*s", (int)len, where);
  char *port = strrchr(host, ':');
  if (!port)
    quit(host);
  *port++ = '\0';
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
  if (getaddrinfo(host, port, &hints, &found) != 0)
    quit(host);
  int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0)
    quit("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  freeaddrinfo(found);
  return fd;
}

/* Connects to what a URL or WHERE names; returns its request target in `*target`. */
static int connect_to(const char *url, const char **target) {
  if (strncmp(url, "unix:", 5) == 0) {
    const char *colon = strstr(url + 5, ":/");
    *target = colon ? colon + 1 : "/";
    return connect_unix(url + 5, colon ? (size_t)(colon - url - 5) : strlen(url + 5));
  }
  if (strncmp(url, "ws://", 5) == 0) {
    size_t len = strcspn(url + 5, "/");
    *target = url + 5 + len;
    return connect_tcp(url + 5, len);
  }
  *target = "/";
  return *url == '/' ? connect_unix(url, strlen(url)) : connect_tcp(url, strlen(url));
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* False when the other side hung up. */
static bool send_all(int fd, const void *data, size_t len, size_t step) {
  const char *p = data;
  while (len) {
    ssize_t n = send(fd, p, len < step ? len : step, MSG_NOSIGNAL);
    if (n <= 0)
      return false;
    p += n;
    len -= (size_t)n;
  }
  return true;
}

/* Adds what comes within the time; -1 at the end of file, 0 when nothing came. */
static int read_more(int fd, struct bytes *in, double until) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  double left = until - now_s();
  if (poll(&p, 1, left > 0 ? (int)(left * 1000) + 1 : 0) <= 0)
    return 0;
  ssize_t n = recv(fd, in->data + in->len, sizeof(in->data) - in->len, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN)
    return 0;
  if (n <= 0)
    return -1;
  in->len += (size_t)n;
  return 1;
}

static size_t handshake_text(char out[HEAD_SIZE], const char *target) {
  return (size_t)snprintf(out, HEAD_SIZE,
                          "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                          target);
}

/* Opens a WebSocket; what comes behind the 101 stays in `in`. -1 when it is refused. */
static int open_websocket(const char *url, struct bytes *in) {
  char head[HEAD_SIZE];
  const char *target;
  int fd = connect_to(url, &target);
  double until = now_s() + CASE_MS / 1000.;
  unsigned char *end = NULL;
  in->len = 0;
  if (!send_all(fd, head, handshake_text(head, target), sizeof(head)))
    return close(fd), -1;
  while (!end && read_more(fd, in, until) > 0)
    end = memmem(in->data, in->len, "\r\n\r\n", 4);
  if (!end || memcmp(in->data, "HTTP/1.1 101 ", 13) != 0)
    return close(fd), -1;
  in->len -= (size_t)(end + 4 - in->data);
  memmove(in->data, end + 4, in->len);
  return fd;
}

/* The length of the first frame, a server's, in these bytes; 0 when it is not whole. */
static size_t frame_len(const unsigned char *p, size_t len) {
  size_t head = len < 2 || p[1] < 126 ? 2 : p[1] == 126 ? 4 : 10;
  if (len < head)
    return 0;
  uint64_t payload = head == 2 ? p[1] : 0;
  for (size_t i = 2; i < head; i++)
    payload = payload << 8 | p[i];
  return payload <= len - head ? head + (size_t)payload : 0;
}

/* Removes the news: whole text frames. */
static void drop_texts(struct bytes *in) {
  size_t at = 0, kept = 0, n;
  while (at < in->len && (n = frame_len(in->data + at, in->len - at)) > 0) {
    if (in->data[at] != 0x81) {
      memmove(in->data + kept, in->data + at, n);
      kept += n;
    }
    at += n;
  }
  memmove(in->data + kept, in->data + at, in->len - at);
  in->len = kept + in->len - at;
}

/* --- cases ------------------------------------------------------------------------------------ */

enum result { MORE, CLOSED, ERROR };

static const struct row {
  const char *name, *hex;
  enum result result;
  bool open;
  const char *replies;
} rows[] = {
#define FRAMES(name_, hex_, result_, open_, replies_) {name_, hex_, result_, open_, replies_},
#include "tests/harness/frames.def"
#undef FRAMES
};

/* Behind what must be answered by nothing but what is expected: a ping, whose pong is the end. */
static const unsigned char mark[] = "\x89\x84\0\0\0\0mark", marked[] = "\x8a\x04mark";

static bool has_mark(struct bytes *in) {
  drop_texts(in);
  if (in->len < 6 || memcmp(in->data + in->len - 6, marked, 6) != 0)
    return false;
  in->len -= 6;
  return true;
}

/* Reads what answers a row; false when it did not end as it should. */
static bool read_answer(int fd, const struct row *row, struct bytes *in) {
  double until = now_s() + (row->open ? QUIET_MS : CASE_MS) / 1000.;
  bool marking = row->result == MORE && !row->open;
  int got = 1;
  while (!(marking && has_mark(in)) && (got = read_more(fd, in, until)) > 0)
    ;
  drop_texts(in);
  return marking ? got > 0 : row->open ? got == 0 : got < 0;
}

static bool is_wanted(const struct row *row, const struct bytes *in) {
  static unsigned char wanted[FRAMES_MAX];
  size_t len = frames_unhex(row->replies, wanted), skip = 0;
  if (strstr(row->name, "then") && in->len < len)
    skip = len - in->len;
  return len - skip == in->len && memcmp(wanted + skip, in->data, in->len) == 0;
}

static bool run_case(const char *url, const struct row *row, size_t step) {
  static unsigned char out[FRAMES_MAX];
  static struct bytes in;
  size_t len = frames_unhex(row->hex, out);
  int fd = open_websocket(url, &in);
  if (fd < 0) {
    printf("not opened: %s\n", row->name);
    return false;
  }
  if (len > 4096 && step < 997)
    step = 997;
  bool sent = send_all(fd, out, len, step);
  if (sent && row->result == MORE && !row->open)
    send_all(fd, mark, sizeof(mark) - 1, sizeof(mark));
  bool ended = read_answer(fd, row, &in), good = ended && is_wanted(row, &in);
  close(fd);
  if (good)
    return true;
  printf("wrong: %s: %s, got", row->name, ended ? "ended" : "did not end");
  for (size_t i = 0; i < in.len && i < 200; i++)
    printf(" %02x", in.data[i]);
  putchar('\n');
  return false;
}

static int cases(const char *url, size_t step) {
  size_t wrong = 0, count = sizeof(rows) / sizeof(rows[0]);
  for (size_t i = 0; i < count; i++)
    wrong += !run_case(url, &rows[i], step);
  printf("%zu cases, %zu wrong\n", count, wrong);
  return wrong ? 1 : 0;
}

/* --- send ------------------------------------------------------------------------------------- */

static int send_input(const char *where, size_t step, double seconds) {
  static struct bytes in, out;
  const char *target;
  out.len = fread(out.data, 1, sizeof(out.data), stdin);
  int fd = connect_to(where, &target), got = 1;
  double until = now_s() + seconds;
  send_all(fd, out.data, out.len, step);
  while (got > 0 && in.len < sizeof(in.data))
    got = read_more(fd, &in, until);
  fwrite(in.data, 1, in.len, stdout);
  if (got < 0)
    puts("\n! eof");
  close(fd);
  return 0;
}

/* --- crowd ------------------------------------------------------------------------------------ */

enum flow { QUIET, FLOOD, DRIP }; /* sends nothing more; as fast as it can; a byte each second */

static const struct kind {
  const char *name, *first; /* what each sends at first; NULL: a whole handshake */
  enum flow flow;
  bool reads;
  const char *flood;   /* the frames, repeated */
  const char *opening; /* what comes once before them */
} kinds[] = {
    {"silent", "", QUIET, true, "", ""},
    {"half", "GET /ws HTTP/1.1\r\nHost: x\r\nX-Half:", QUIET, true, "", ""},
    {"idle", NULL, QUIET, true, "", ""},
    {"pings", NULL, FLOOD, true, "89fd 00000000 2a*125", ""},
    {"deaf", NULL, FLOOD, false, "89fd 00000000 2a*125", ""},
    {"texts", NULL, FLOOD, true, "81feffff 00000000 2a*65535", ""},
    {"fragments", NULL, FLOOD, true, "0080 00000000", "0180 00000000"},
    {"drip", NULL, DRIP, true, "", ""},
    {"slow-head", "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ", DRIP, true, "", ""},
    {"slow-body",
     "POST /calls HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer demo-key\r\n"
     "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
     DRIP, true, "", ""},
};

struct client {
  int fd; /* -1 once gone */
  size_t sent;
  double gone_s;
  int code;
  unsigned char tail[TAIL]; /* the last bytes that came */
  size_t tail_len;
};

static struct crowd {
  const struct kind *kind;
  size_t count, flood_len, bytes;
  struct client *clients;
  struct pollfd *polls;
  double begin_s;
  unsigned char flood[FRAMES_MAX];
} crowd;

static void keep_tail(struct client *c, const unsigned char *data, size_t len) {
  if (len >= TAIL) {
    memcpy(c->tail, data + len - TAIL, TAIL);
    c->tail_len = TAIL;
    return;
  }
  size_t keep = c->tail_len + len > TAIL ? TAIL - len : c->tail_len;
  memmove(c->tail, c->tail + c->tail_len - keep, keep);
  memcpy(c->tail + keep, data, len);
  c->tail_len = keep + len;
}

/* The code of the close frame that the bytes end with; 0 without one. */
static int close_code(const struct client *c) {
  for (size_t i = 0; i + 4 <= c->tail_len; i++)
    if (c->tail[i] == 0x88 && i + 2 + c->tail[i + 1] == c->tail_len)
      return c->tail[i + 2] << 8 | c->tail[i + 3];
  return 0;
}

static void client_gone(struct client *c) {
  close(c->fd);
  c->fd = -1;
  c->gone_s = now_s() - crowd.begin_s;
  c->code = close_code(c);
}

static void client_read(struct client *c) {
  static unsigned char data[65536];
  ssize_t n = recv(c->fd, data, sizeof(data), MSG_DONTWAIT);
  if (n > 0)
    keep_tail(c, data, (size_t)n);
  else if (n == 0 || errno != EAGAIN)
    client_gone(c);
}

static void client_flood(struct client *c) {
  ssize_t n =
      send(c->fd, crowd.flood + c->sent, crowd.flood_len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n > 0) {
    c->sent = (c->sent + (size_t)n) % crowd.flood_len;
    crowd.bytes += (size_t)n;
  } else if (n < 0 && errno != EAGAIN && crowd.kind->reads) {
    client_read(c); /* why it hung up */
  } else if (n < 0 && errno != EAGAIN) {
    client_gone(c);
  }
}

static bool all_gone(void) {
  for (size_t i = 0; i < crowd.count; i++)
    if (crowd.clients[i].fd >= 0)
      return false;
  return true;
}

static void serve_crowd(double until) {
  double drip_s = now_s();
  short events =
      (short)((crowd.kind->reads ? POLLIN : 0) | (crowd.kind->flow == FLOOD ? POLLOUT : 0));
  while (now_s() < until && !all_gone()) {
    for (size_t i = 0; i < crowd.count; i++)
      crowd.polls[i] = (struct pollfd){.fd = crowd.clients[i].fd, .events = events};
    poll(crowd.polls, crowd.count, 50);
    bool drips = crowd.kind->flow == DRIP && now_s() >= drip_s;
    drip_s += drips ? 1 : 0;
    for (size_t i = 0; i < crowd.count; i++) {
      struct client *c = &crowd.clients[i];
      if (c->fd >= 0 && (crowd.polls[i].revents & (POLLIN | POLLHUP)) && crowd.kind->reads)
        client_read(c);
      if (c->fd >= 0 && (crowd.polls[i].revents & POLLOUT))
        client_flood(c);
      if (c->fd >= 0 && drips && send(c->fd, "\x81", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        client_gone(c);
    }
  }
}

static void gather(const char *url) {
  static struct bytes in;
  static unsigned char opening[FRAMES_MAX];
  for (size_t i = 0; i < crowd.count; i++) {
    struct client *c = &crowd.clients[i];
    const char *target;
    if (crowd.kind->first) {
      c->fd = connect_to(url, &target);
      send_all(c->fd, crowd.kind->first, strlen(crowd.kind->first), HEAD_SIZE);
    } else {
      c->fd = open_websocket(url, &in);
      if (c->fd < 0) {
        printf("client %zu was not let in\n", i);
        continue;
      }
      keep_tail(c, in.data, in.len);
      send_all(c->fd, opening, frames_unhex(crowd.kind->opening, opening), sizeof(opening));
    }
  }
}

static void report(void) {
  size_t open = 0;
  int codes[65536] = {0};
  double first = 0, last = 0;
  for (size_t i = 0; i < crowd.count; i++) {
    const struct client *c = &crowd.clients[i];
    open += c->fd >= 0;
    if (c->fd >= 0)
      continue;
    codes[c->code]++;
    if (!first || c->gone_s < first)
      first = c->gone_s;
    if (c->gone_s > last)
      last = c->gone_s;
  }
  printf("open=%zu gone=%zu first_s=%.1f last_s=%.1f mb=%zu codes=", open, crowd.count - open,
         first, last, crowd.bytes >> 20);
  for (int code = 0; code < 65536; code++)
    if (codes[code])
      printf("%d:%d,", code, codes[code]);
  putchar('\n');
}

static int run_crowd(const char *name, size_t count, double seconds, const char *url) {
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
    if (strcmp(name, kinds[i].name) == 0)
      crowd.kind = &kinds[i];
  crowd.clients = calloc(count, sizeof(*crowd.clients));
  crowd.polls = calloc(count, sizeof(*crowd.polls));
  if (!crowd.kind || !count || !crowd.clients || !crowd.polls)
    return 64;
  crowd.count = count;
  size_t one = frames_unhex(crowd.kind->flood, crowd.flood);
  while (one && crowd.flood_len + one <= 65536 + 16) {
    memcpy(crowd.flood + crowd.flood_len, crowd.flood, one);
    crowd.flood_len += one;
  }
  crowd.begin_s = now_s();
  gather(url);
  puts("ready");
  serve_crowd(now_s() + seconds);
  report();
  return 0;
}

/* --- late ------------------------------------------------------------------------------------- */

struct subscriber {
  struct bytes in;
  int fd;
  bool begun; /* the present state, which tells nothing, has come */
};

enum { SUBSCRIBERS_MAX = 64, NEWS_MAX = 4096 };
static double lateness[NEWS_MAX];
static size_t news;

/* How long ago the message's timestamp was; false when it has none. */
static bool age_ms(const char *text, double *ms) {
  struct tm tm = {0};
  int milli;
  const char *at = strstr(text, "\"timestamp\":\"");
  if (!at || sscanf(at + 13, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                    &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &milli) != 7)
    return false;
  tm.tm_year -= 1900;
  tm.tm_mon -= 1;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  *ms = (double)(now.tv_sec - timegm(&tm)) * 1000 + (double)now.tv_nsec / 1e6 - milli;
  return true;
}

static void take_news(struct subscriber *w) {
  size_t n;
  while ((n = frame_len(w->in.data, w->in.len)) > 0) {
    char text[1024];
    double ms;
    size_t head = w->in.data[1] == 126 ? 4 : 2;
    snprintf(text, sizeof(text), "%.*s", (int)(n - head), (char *)w->in.data + head);
    if (w->in.data[0] == 0x81 && age_ms(text, &ms)) {
      if (w->begun && news < NEWS_MAX)
        lateness[news++] = ms;
      w->begun = true;
    }
    w->in.len -= n;
    memmove(w->in.data, w->in.data + n, w->in.len);
  }
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static int run_late(size_t count, double seconds, char **urls, size_t subscribers) {
  struct subscriber *all = calloc(subscribers, sizeof(*all));
  struct pollfd polls[SUBSCRIBERS_MAX];
  double until = now_s() + seconds;
  bool said = false;
  if (!all || subscribers > SUBSCRIBERS_MAX)
    return 64;
  for (size_t i = 0; i < subscribers; i++)
    if ((all[i].fd = open_websocket(urls[i], &all[i].in)) < 0)
      quit(urls[i]);
  while (news < count && now_s() < until) {
    size_t begun = 0;
    for (size_t i = 0; i < subscribers; i++) {
      take_news(&all[i]);
      begun += all[i].begun;
      polls[i] = (struct pollfd){.fd = all[i].fd, .events = POLLIN};
    }
    if (begun == subscribers && !said)
      said = puts("ready") >= 0;
    if (news >= count)
      break;
    poll(polls, subscribers, 100);
    for (size_t i = 0; i < subscribers; i++)
      if (polls[i].revents && read_more(all[i].fd, &all[i].in, 0) < 0)
        all[i].fd = -1;
  }
  free(all);
  qsort(lateness, news, sizeof(*lateness), by_size);
  printf("news=%zu median_ms=%.0f most_ms=%.0f\n", news, news ? lateness[news / 2] : 0,
         news ? lateness[news - 1] : 0);
  return news >= count ? 0 : 1;
}

/* --- options ---------------------------------------------------------------------------------- */

static _Noreturn void usage(void) {
  fputs(
      "usage: wsraw cases [--bytewise] URL | send [--bytewise] [--wait S] WHERE |\n"
      "             crowd KIND COUNT SECONDS URL | late COUNT SECONDS URL...\n",
      stderr);
  exit(64);
}

int main(int argc, char **argv) {
  size_t step = SIZE_MAX;
  double wait_s = 5;
  const char *command = argc > 1 ? argv[1] : "";
  int at = 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
    if (strcmp(argv[at], "--bytewise") == 0)
      step = 1;
    else if (strcmp(argv[at], "--wait") == 0 && at + 1 < argc)
      wait_s = atof(argv[++at]);
    else
      usage();
  }
  int left = argc - at;
  if (strcmp(command, "cases") == 0 && left == 1)
    return cases(argv[at], step);
  if (strcmp(command, "send") == 0 && left == 1)
    return send_input(argv[at], step, wait_s);
  if (strcmp(command, "crowd") == 0 && left == 4)
    return run_crowd(argv[at], strtoul(argv[at + 1], NULL, 10), atof(argv[at + 2]), argv[at + 3]);
  if (strcmp(command, "late") == 0 && left >= 3)
    return run_late(strtoul(argv[at], NULL, 10), atof(argv[at + 1]), argv + at + 2,
                    (size_t)left - 2);
  usage();
}
