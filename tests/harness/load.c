/*
 * load: clients of the fault suite, many in one process. It creates calls at a steady rate on
 * several API keys, reads some of them, and watches them over WebSockets from their creation to
 * their end, coming back when it is cut. It judges little: each answer is a line of the log, and
 * tests/faults/account.bash holds them against the record. Shares nothing with the service.
 *
 *   load HOST PORT LOG SECONDS CALLS_A_SECOND WATCHERS GRACE_SECONDS KEY…
 *
 * SIGTERM ends it earlier, as if SECONDS were over.
 *
 * Lines of the log, fields separated by tabs; times in ms since the start, status 0 for "no
 * answer": post BEGAN TOOK STATUS KEY ID    get BEGAN TOOK STATUS ID STATE    metrics BEGAN TOOK
 * STATUS shake BEGAN TOOK STATUS          watch BEGAN TOOK VERDICT ID NEWS CUTS LONGEST_AWAY_MS
 *   mark AT
 * A post's ID is "?" when the answer says that it is not known whether there is a call. A shake is
 * a WebSocket's handshake, a mark is made at SIGUSR1. NEWS is SEQ:STATUS,… as received. VERDICT:
 * ok; twice, missed, illegal, gone, refused (a 404), bad (the protocol), unfinished (no end within
 * the grace). Prints totals as a line of JSON.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  TICK_MS = 5,
  GIVE_UP_MS = 30000, /* a request without an answer */
  BACK_MS = 100,      /* a watcher's pause before it comes back; then twice that, … */
  BACK_MOST_MS = 400,
  IN_SIZE = 8192,
  NEWS_SIZE = 400,
  ID_LEN = 36,
  FINAL_SEQ = 5,
  RECENT = 64,
};

enum kind { KIND_POST, KIND_GET, KIND_METRICS, KIND_WATCH };
enum { OP_CONTINUATION, OP_TEXT, OP_CLOSE = 8, OP_PING };

struct client {
  enum kind kind;
  int fd; /* -1: none */
  int64_t began_us;
  const char *key;
  char id[ID_LEN + 1];
  char in[IN_SIZE];
  size_t len;
  struct client *next; /* in a list of those without work; for requests, of all under way */
  struct client **link;
  /* watchers only */
  bool busy, open;
  int64_t try_us;     /* since when it connects; 0 when it does not */
  int64_t back_at_us; /* when away: the next try */
  int64_t away_us;    /* since when it is cut; 0 when it is not */
  int64_t longest_away_us;
  int back_ms, seq, cuts;
  const char *verdict;
  char news[NEWS_SIZE];
  size_t news_len;
};

static struct {
  int epoll;
  struct sockaddr_in address;
  const char *host_header;
  FILE *log;
  int64_t start_us;
  char **keys;
  int key_count, turn;
  struct client *subscribers, *idle, *requests;
  int subscriber_count, watching, open, watching_most;
  long long watching_sum, samples;
  char recent[RECENT][ID_LEN + 1];
  const char *recent_key[RECENT];
  unsigned recent_count;
} load;

static struct {
  long requests, created, limited, unavailable, failed, no_answer, reads;
  long watched, news, cuts, wrong, refused_tries;
  int64_t slowest_us, longest_away_us;
} total;

static _Noreturn void quit(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(64);
}

static int64_t now_us(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static double since_start(int64_t us) {
  return (double)(us - load.start_us) / 1000.;
}

static volatile sig_atomic_t marks_wanted, end_wanted;

static void on_end(int signal) {
  (void)signal;
  end_wanted = 1;
}

static void on_mark(int signal) {
  marks_wanted++;
}

/* --- sockets ---------------------------------------------------------------------------------- */

static void hang_up(struct client *c) {
  if (c->fd >= 0)
    close(c->fd); /* leaves the epoll set by itself */
  c->fd = -1;
}

static bool connect_client(struct client *c) {
  c->len = 0;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0)
    quit("socket");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  const struct sockaddr *address = (const struct sockaddr *)&load.address;
  if (connect(c->fd, address, sizeof(load.address)) != 0 && errno != EINPROGRESS) {
    hang_up(c);
    return false;
  }
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
  if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
    quit("epoll");
  return true;
}

/* All that we ever send is short; a socket that is new takes it whole. */
static __attribute__((format(printf, 2, 3))) bool say(struct client *c, const char *fmt, ...) {
  char text[1024];
  va_list args;
  va_start(args, fmt);
  int len = vsnprintf(text, sizeof(text), fmt, args);
  va_end(args);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(load.epoll, EPOLL_CTL_MOD, c->fd, &event);
  return send(c->fd, text, (size_t)len, MSG_NOSIGNAL) == len;
}

/* A masked frame, with the mask 0. */
static void say_frame(struct client *c, int op, const char *payload, size_t len) {
  char frame[6 + 125] = {(char)(0x80 | op), (char)(0x80 | len)};
  memcpy(frame + 6, payload, len);
  (void)!send(c->fd, frame, 6 + len, MSG_NOSIGNAL);
}

/* --- watchers --------------------------------------------------------------------------------- */

static void shake_end(struct client *c, int status, int64_t now) {
  if (!c->try_us)
    return;
  fprintf(load.log, "shake\t%.1f\t%.1f\t%d\n", since_start(c->try_us),
          (double)(now - c->try_us) / 1000., status);
  c->try_us = 0;
}

static void subscriber_away(struct client *c, int64_t now) {
  if (c->open) {
    load.open--;
    c->cuts++;
    total.cuts++;
    c->away_us = now;
    c->back_ms = BACK_MS;
  }
  c->open = false;
  shake_end(c, 0, now);
  hang_up(c);
  c->back_at_us = now + c->back_ms * 1000;
  c->back_ms = c->back_ms * 2 < BACK_MOST_MS ? c->back_ms * 2 : BACK_MOST_MS;
}

static void subscriber_start(struct client *c, const char *id, int64_t now) {
  load.idle = c->next;
  c->next = NULL;
  snprintf(c->id, sizeof(c->id), "%s", id);
  c->busy = true;
  c->began_us = now;
  c->back_at_us = now;
  c->away_us = c->longest_away_us = 0;
  c->back_ms = BACK_MS;
  c->seq = c->cuts = 0;
  c->news_len = 0;
  c->news[0] = '\0';
  c->verdict = "ok";
  load.watching++;
}

static void subscriber_end(struct client *c, int64_t now) {
  if (c->open)
    load.open--;
  c->open = false;
  shake_end(c, 0, now);
  hang_up(c);
  fprintf(load.log, "watch\t%.1f\t%.1f\t%s\t%s\t%s\t%d\t%.1f\n", since_start(c->began_us),
          (double)(now - c->began_us) / 1000., c->verdict, c->id, c->news, c->cuts,
          (double)c->longest_away_us / 1000.);
  total.watched++;
  total.wrong += strcmp(c->verdict, "ok") != 0;
  if (c->longest_away_us > total.longest_away_us)
    total.longest_away_us = c->longest_away_us;
  c->busy = false;
  c->next = load.idle;
  load.idle = c;
  load.watching--;
}

/* The first fault that is found is the one that is told. */
static void blame(struct client *c, const char *verdict) {
  if (strcmp(c->verdict, "ok") == 0)
    c->verdict = verdict;
}

static bool is_legal(int seq, const char *status) {
  switch (seq) {
  case 1:
    return strcmp(status, "QUEUED") == 0;
  case 2:
    return strcmp(status, "RINGING") == 0;
  case 3:
    return strcmp(status, "ANSWERED") == 0 || strcmp(status, "UNANSWERED") == 0;
  default:
    return seq <= FINAL_SEQ && strcmp(status, "COMPLETED") == 0;
  }
}

static void on_news(struct client *c, const char *text) {
  const char *seq_at = strstr(text, "\"seq\":"), *status_at = strstr(text, "\"status\":\"");
  if (strstr(text, "\"type\":\"connected\""))
    return;
  if (!seq_at || !status_at) {
    blame(c, "bad");
    return;
  }
  char status[16];
  int seq = atoi(seq_at + 6);
  snprintf(status, sizeof(status), "%.*s", (int)strcspn(status_at + 10, "\""), status_at + 10);
  int n = snprintf(c->news + c->news_len, NEWS_SIZE - c->news_len, "%s%d:%s",
                   c->news_len ? "," : "", seq, status);
  if (n > 0 && c->news_len + (size_t)n < NEWS_SIZE)
    c->news_len += (size_t)n;
  total.news++;
  if (!is_legal(seq, status))
    blame(c, "illegal");
  else if (c->seq && seq <= c->seq)
    blame(c, "twice");
  else if (c->seq && seq > c->seq + 1)
    blame(c, "missed");
  c->seq = seq;
}

static void on_close(struct client *c, const char *payload, size_t len, int64_t now) {
  int code = len >= 2 ? (uint8_t)payload[0] << 8 | (uint8_t)payload[1] : 0;
  say_frame(c, OP_CLOSE, payload, len);
  if (code == 1001) { /* going away: it is for us to come back */
    subscriber_away(c, now);
    return;
  }
  if (code != 1000)
    blame(c, "bad");
  else if (c->seq != FINAL_SEQ)
    blame(c, "missed");
  subscriber_end(c, now);
}

/* Takes the frames that are whole. False when the watcher is somewhere else now. */
static bool take_frames(struct client *c, int64_t now) {
  for (;;) {
    size_t head = 2, len = c->len >= 2 ? (uint8_t)c->in[1] : 0;
    if (len == 126) {
      head = 4;
      len = c->len >= 4 ? (size_t)((uint8_t)c->in[2] << 8 | (uint8_t)c->in[3]) : 0;
    }
    if (c->len < head || c->len < head + len)
      return true;
    int op = c->in[0] & 15;
    char payload[IN_SIZE];
    if (len > sizeof(payload) - 1 || !(c->in[0] & 0x80)) {
      blame(c, "bad");
      subscriber_end(c, now);
      return false;
    }
    memcpy(payload, c->in + head, len);
    payload[len] = '\0';
    c->len -= head + len;
    memmove(c->in, c->in + head + len, c->len);
    if (op == OP_CLOSE) {
      on_close(c, payload, len, now);
      return false;
    }
    if (op == OP_PING)
      say_frame(c, 10, payload, len);
    else if (op == OP_TEXT)
      on_news(c, payload);
  }
}

/* The answer to the handshake, once it is there. False when the watcher is somewhere else now. */
static bool take_handshake(struct client *c, int64_t now) {
  char *end = memmem(c->in, c->len, "\r\n\r\n", 4);
  if (!end)
    return true;
  shake_end(c, strncmp(c->in, "HTTP/1.1 ", 9) == 0 ? atoi(c->in + 9) : 0, now);
  if (strncmp(c->in, "HTTP/1.1 101", 12) != 0) {
    total.refused_tries++;
    if (strncmp(c->in, "HTTP/1.1 404", 12) == 0) {
      blame(c, "refused");
      subscriber_end(c, now);
    } else {
      subscriber_away(c, now);
    }
    return false;
  }
  c->open = true;
  load.open++;
  c->back_ms = BACK_MS;
  if (c->away_us) {
    int64_t away = now - c->away_us;
    c->longest_away_us = away > c->longest_away_us ? away : c->longest_away_us;
    c->away_us = 0;
  }
  c->len -= (size_t)(end + 4 - c->in);
  memmove(c->in, end + 4, c->len);
  return true;
}

static void on_subscriber(struct client *c, uint32_t events, int64_t now) {
  if (!c->len && !c->open && (events & EPOLLOUT)) {
    char after[24] = "";
    if (c->seq)
      snprintf(after, sizeof(after), "&after=%d", c->seq);
    if (!say(c,
             "GET /ws?call_id=%s%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
             c->id, after, load.host_header))
      subscriber_away(c, now);
    return;
  }
  ssize_t n = recv(c->fd, c->in + c->len, IN_SIZE - c->len, 0);
  if (n < 0 && errno == EAGAIN)
    return;
  if (n <= 0) {
    subscriber_away(c, now);
    return;
  }
  c->len += (size_t)n;
  if (c->open || (take_handshake(c, now) && c->open))
    take_frames(c, now);
}

/* --- requests --------------------------------------------------------------------------------- */

static void request_start(enum kind kind, const char *key, const char *id, int64_t now) {
  struct client *c = calloc(1, sizeof(*c));
  if (!c)
    quit("memory");
  c->kind = kind;
  c->fd = -1;
  c->key = key;
  c->began_us = now;
  if (id)
    snprintf(c->id, sizeof(c->id), "%s", id);
  c->next = load.requests;
  c->link = &load.requests;
  if (c->next)
    c->next->link = &c->next;
  load.requests = c;
  connect_client(c); /* on failure the next tick finds it without a socket */
}

static void request_send(struct client *c) {
  static const char body[] =
      "{\"from\":\"+1234567890\",\"to\":\"+0987654321\",\"metadata\":{\"by\":\"load\"}}";
  if (c->kind == KIND_POST)
    say(c,
        "POST /calls HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"
        "Content-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
        load.host_header, c->key, sizeof(body) - 1, body);
  else if (c->kind == KIND_GET)
    say(c,
        "GET /calls/%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: "
        "close\r\n\r\n",
        c->id, load.host_header, c->key);
  else
    say(c,
        "GET /metrics HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: "
        "close\r\n\r\n",
        load.host_header, c->key);
}

/* Gives the new call so many watchers that about all of them are occupied. */
static void on_created(struct client *c, int64_t now) {
  const char *at = memmem(c->in, c->len, "\"call_id\":\"", 11);
  if (!at || c->in + c->len - at < 11 + ID_LEN)
    return;
  memcpy(c->id, at + 11, ID_LEN);
  unsigned place = load.recent_count++ % RECENT;
  memcpy(load.recent[place], c->id, ID_LEN + 1);
  load.recent_key[place] = c->key;
  int idle = load.subscriber_count - load.watching;
  for (int i = 0, max = 2 + idle / 16; i < max && load.idle; i++)
    subscriber_start(load.idle, c->id, now);
}

static void count_request(const struct client *c, int status, int64_t took_us) {
  total.requests++;
  total.reads += c->kind != KIND_POST;
  total.created += c->kind == KIND_POST && status == 201;
  total.limited += status == 429;
  total.unavailable += status == 503;
  total.no_answer += status == 0;
  total.failed += status != 0 && status != 200 && status != 201 && status != 429 && status != 503;
  if (took_us > total.slowest_us)
    total.slowest_us = took_us;
}

/* The state in a call's document; "-" when there is none. */
static void print_state(const struct client *c) {
  const char *at = memmem(c->in, c->len, "\"status\":\"", 10);
  int len = at ? (int)strspn(at + 10, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") : 0;
  fprintf(load.log, "\t%s\t%.*s", c->id, len ? len : 1, len ? at + 10 : "-");
}

static void request_end(struct client *c, int64_t now) {
  static const char *const names[] = {"post", "get", "metrics"};
  int status = 0;
  if (c->len > 12 && c->len < IN_SIZE) {
    c->in[c->len] = '\0';
    status = strncmp(c->in, "HTTP/1.", 7) == 0 ? atoi(c->in + 9) : 0;
  }
  if (c->kind == KIND_POST && status == 201)
    on_created(c, now);
  fprintf(load.log, "%s\t%.1f\t%.1f\t%d", names[c->kind], since_start(c->began_us),
          (double)(now - c->began_us) / 1000., status);
  bool unknown = memmem(c->in, c->len, "not known", 9);
  if (c->kind == KIND_POST)
    fprintf(load.log, "\t%s\t%s", c->key, *c->id ? c->id : unknown ? "?" : "-");
  else if (c->kind == KIND_GET)
    print_state(c);
  putc('\n', load.log);
  count_request(c, status, now - c->began_us);
  hang_up(c);
  *c->link = c->next;
  if (c->next)
    c->next->link = c->link;
  free(c);
}

static void on_request(struct client *c, uint32_t events, int64_t now) {
  if (events & EPOLLOUT) {
    request_send(c);
    return;
  }
  ssize_t n = recv(c->fd, c->in + c->len, IN_SIZE - 1 - c->len, 0);
  if (n > 0)
    c->len += (size_t)n;
  else if (n == 0 || errno != EAGAIN)
    request_end(c, now);
}

/* --- time ------------------------------------------------------------------------------------- */

static const char *next_key(void) {
  return load.keys[load.turn++ % load.key_count];
}

/* A post each turn, a read of a recent call every third, the metrics every thirtieth. */
static void make_requests(int64_t now) {
  request_start(KIND_POST, next_key(), NULL, now);
  if (load.turn % 3 == 0 && load.recent_count) {
    unsigned known = load.recent_count < RECENT ? load.recent_count : RECENT;
    unsigned place = (unsigned)rand() % known;
    request_start(KIND_GET, load.recent_key[place], load.recent[place], now);
  }
  if (load.turn % 30 == 0)
    request_start(KIND_METRICS, load.keys[0], NULL, now);
}

static void look_after(int64_t now, bool creating) {
  for (struct client *c = load.requests, *next; c; c = next) {
    next = c->next;
    if (c->fd < 0 || now - c->began_us > GIVE_UP_MS * INT64_C(1000))
      request_end(c, now);
  }
  for (int i = 0; i < load.subscriber_count; i++) {
    struct client *c = &load.subscribers[i];
    if (!c->busy || c->fd >= 0 || now < c->back_at_us)
      continue;
    c->try_us = now;
    if (!connect_client(c))
      subscriber_away(c, now);
  }
  if (creating) {
    load.watching_sum += load.open;
    load.samples++;
    if (load.open > load.watching_most)
      load.watching_most = load.open;
  }
}

static void handle_events(void) {
  struct epoll_event events[256];
  int n = epoll_wait(load.epoll, events, 256, TICK_MS);
  int64_t now = now_us();
  for (int i = 0; i < n; i++) {
    struct client *c = events[i].data.ptr;
    if (c->kind == KIND_WATCH) {
      if (c->fd >= 0)
        on_subscriber(c, events[i].events, now);
    } else {
      on_request(c, events[i].events, now); /* only it itself frees a request */
    }
  }
}

/* Returns for how many seconds it made requests. */
static double run(double seconds, double rate, double grace_s) {
  int64_t pace_us = (int64_t)(1e6 / rate), end_us = load.start_us + (int64_t)(seconds * 1e6);
  int64_t grace_us = (int64_t)(grace_s * 1e6), next_us = load.start_us, now;
  int marks = 0;
  while ((now = now_us()) < end_us ||
         ((load.watching || load.requests) && now < end_us + grace_us)) {
    if (end_wanted && now < end_us)
      end_us = now;
    while (next_us <= now && now < end_us) {
      make_requests(now);
      next_us += pace_us;
    }
    for (; marks < marks_wanted; marks++)
      fprintf(load.log, "mark\t%.1f\n", since_start(now_us()));
    look_after(now, now < end_us);
    handle_events();
  }
  for (int i = 0; i < load.subscriber_count; i++)
    if (load.subscribers[i].busy) {
      blame(&load.subscribers[i], "unfinished");
      subscriber_end(&load.subscribers[i], now);
    }
  while (load.requests) {
    load.requests->len = 0;
    request_end(load.requests, now);
  }
  return (double)(end_us - load.start_us) / 1e6;
}

static void print_totals(double seconds) {
  printf(
      "{\"requests\":%ld,\"created\":%ld,\"created_a_second\":%.1f,\"limited\":%ld,"
      "\"unavailable\":%ld,\"other\":%ld,\"no_answer\":%ld,\"reads\":%ld,\"slowest_ms\":%.0f,",
      total.requests, total.created, (double)total.created / seconds, total.limited,
      total.unavailable, total.failed, total.no_answer, total.reads,
      (double)total.slowest_us / 1000.);
  printf(
      "\"sockets_mean\":%.0f,\"sockets_most\":%d,\"watched\":%ld,\"news\":%ld,\"cuts\":%ld,"
      "\"refused_tries\":%ld,\"longest_away_ms\":%.0f,\"wrong\":%ld}\n",
      (double)load.watching_sum / (double)(load.samples ? load.samples : 1), load.watching_most,
      total.watched, total.news, total.cuts, total.refused_tries,
      (double)total.longest_away_us / 1000., total.wrong);
}

int main(int argc, char **argv) {
  if (argc < 9) {
    fprintf(stderr,
            "usage: load HOST PORT LOG SECONDS CALLS_A_SECOND WATCHERS GRACE_SECONDS KEY...\n");
    return 64;
  }
  char host_header[80];
  snprintf(host_header, sizeof(host_header), "%s:%s", argv[1], argv[2]);
  load.host_header = host_header;
  load.address =
      (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
  if (inet_pton(AF_INET, argv[1], &load.address.sin_addr) != 1)
    quit("address");
  if (!(load.log = fopen(argv[3], "we")))
    quit(argv[3]);
  setvbuf(load.log, NULL, _IOLBF, 0);
  load.subscriber_count = atoi(argv[6]);
  load.keys = argv + 8;
  load.key_count = argc - 8;
  load.epoll = epoll_create1(EPOLL_CLOEXEC);
  load.subscribers = calloc((size_t)load.subscriber_count + 1, sizeof(*load.subscribers));
  if (load.epoll < 0 || !load.subscribers)
    quit("start");
  for (int i = 0; i < load.subscriber_count; i++) {
    load.subscribers[i].kind = KIND_WATCH;
    load.subscribers[i].fd = -1;
    load.subscribers[i].next = load.idle;
    load.idle = &load.subscribers[i];
  }
  signal(SIGPIPE, SIG_IGN);
  const struct sigaction mark = {.sa_handler = on_mark, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &mark, NULL);
  const struct sigaction end = {.sa_handler = on_end, .sa_flags = SA_RESTART};
  sigaction(SIGTERM, &end, NULL);
  load.start_us = now_us();
  print_totals(run(atof(argv[4]), atof(argv[5]), atof(argv[7])));
  fclose(load.log);
  free(load.subscribers);
  return 0;
}
