/*
 * fan: publisher and watchers in one process, so that one clock says how long news take from the
 * PUBLISH to the client. It opens WebSockets, each on one of a number of calls; the calls are its
 * own, written into Redis as if the service had made them, so the worker has to be stopped
 * meanwhile.
 *
 *   fan idle WHO WHERE PIDS SOCKETS CALLS SECONDS
 *   fan news WHO WHERE PIDS SOCKETS CALLS ROUNDS NEWS RATE
 *
 * WHO says what listens to Redis: `wsd` gets packed lines on the channels of events, as
 * lua/settle.lua publishes them; `push` (push.c) gets ready frames. Redis has the same to do for
 * both. WHERE the sockets are opened: a unix socket's path, or [ws://]HOST:PORT[/PATH], which may
 * be a web server. PIDS, separated by commas, are the processes whose memory and processor time
 * count. Which Redis: by the environment, as for the service's programs.
 *
 * idle: opens the sockets, waits SECONDS and says what they cost: sockets opened a second; bytes of
 * private memory and of Pss a socket; processor time in percent of a core while they idled.
 *
 * news: ROUNDS times, on fresh calls with fresh sockets, as a call has few news: waits until each
 * socket has got its first state, then publishes NEWS news (3: RINGING … COMPLETED; more: it gets a
 * recording again and again) of all calls in an order that is shuffled for each seq, RATE a second
 * in ticks of a millisecond; 0: as fast as they go while at most IN_FLIGHT frames are under way.
 * Says how many frames came and how many should have, lost, twice, out of order; frames and events
 * a second; latency; how late the publisher was at the most; processor seconds a million frames.
 *
 * Prints a line of JSON. Also counts what must not be: sockets refused (a connect or a handshake
 * that failed), cut (closed by the server), broken (a frame that is none, or is not about the
 * call), events unheard (that nobody had subscribed to), errors of Redis. Exits with 1 when there
 * was any of that or a frame was lost, twice or out of order. It waits STALL_US for whatever comes
 * next, and never runs longer than TOTAL_S.
 */

#include "common/buf.h"
#include "common/call.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/keys.h"
#include "wsd/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
  AT_ONCE = 64,            /* sockets being opened */
  SOCKETS_A_SOURCE = 5000, /* from 127.0.0.1, as many from 127.0.0.2, … */
  IN_FLIGHT = 4000,
  BATCH = 256, /* events that are written together, at the most */
  TICK_US = 1000,
  STALL_US = 5000000,
  QUIET_US = 50000, /* in which what comes twice has to come, too */
  TOTAL_S = 600,
  LATENCY_MAX_US = 1000000, /* beyond a second it is a second */
  KEEP_MS = 300000,         /* Redis forgets the calls by itself */
  ID_AT = 12,               /* where the call's id is in its news */
};
enum {
  OP_TEXT = 1,
  OP_CLOSE = 8,
  OP_PING = 9,
  OP_PONG = 10,
  FIN = 0x80,
  LEN_16 = 126,
  CONTROL_MAX = 125
};

enum stage {
  STAGE_CONNECTING,
  STAGE_ASKED, /* waits for the 101 */
  STAGE_OPEN,  /* waits for the state that its call is in */
  STAGE_READY, /* waits for news */
  STAGE_GONE,
};

struct watcher {
  int fd, call, seq; /* seq: of the last news that it got */
  enum stage stage;
  struct buf rest; /* the beginning of what is not whole yet */
};

static struct {
  const char *path; /* of the URL */
  union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_un un;
  } address;
  socklen_t address_len;
  const char *pids;
  bool is_wsd;
  int epoll, timer;
  redisContext *redis;
  long replies; /* that Redis owes */
  struct watcher *watchers;
  int sockets, started, ready, gone;
  struct call *calls;
  int call_count, *watched; /* how many watch a call */
  int news;
  int64_t *sent_us;    /* of each call, its news from seq 2 on */
  int64_t progress_us; /* when something came that was waited for */
  struct buf line, text, frame, key;
} fan;

static struct {
  long expected, came, twice, disordered, events;
  long opened;
  int64_t opening_us, publishing_us, late_us, cpu_ns;
  uint32_t latency[LATENCY_MAX_US + 1]; /* how many frames took so long */
} total;

static struct { long refused, cut, broken, unheard, redis; } faults;

static _Noreturn void quit(const char *what) {
  fprintf(stderr, "fan: %s: %s\n", what, errno ? strerror(errno) : "impossible");
  exit(64);
}

static int64_t now_us(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static bool is_stalled(void) {
  return now_us() - fan.progress_us > STALL_US;
}

/* --- what the server costs -------------------------------------------------------------------- */

/* Adds up what `read_one` makes of /proc/PID/FILE, for all the processes. */
static int64_t sum_of_pids(const char *file, int64_t (*read_one)(FILE *in, const char *name),
                           const char *name) {
  int64_t sum = 0;
  char item[CONFIG_ITEM_SIZE], path[CONFIG_ITEM_SIZE + 40];
  for (int i = 0; config_list_item(fan.pids, i, item); i++) {
    snprintf(path, sizeof(path), "/proc/%s/%s", item, file);
    FILE *in = fopen(path, "re");
    if (!in)
      quit(path);
    sum += read_one(in, name);
    fclose(in);
  }
  return sum;
}

static int64_t read_first(FILE *in, const char *name) {
  char line[80] = "";
  return fgets(line, sizeof(line), in) ? strtoll(line, NULL, 10) : 0;
}

static int64_t read_bytes(FILE *in, const char *name) {
  char line[200];
  int64_t bytes = 0;
  while (fgets(line, sizeof(line), in))
    if (strncmp(line, name, strlen(name)) == 0)
      bytes += strtoll(line + strcspn(line, ":") + 1, NULL, 10) * 1024;
  return bytes;
}

/* Of the only threads that they have: stat's would be rounded to hundredths of a second. */
static int64_t cpu_ns(void) {
  return sum_of_pids("schedstat", read_first, NULL);
}

static int64_t private_bytes(void) {
  return sum_of_pids("smaps_rollup", read_bytes, "Private_");
}

static int64_t pss_bytes(void) {
  return sum_of_pids("smaps_rollup", read_bytes, "Pss:");
}

/* --- Redis ------------------------------------------------------------------------------------ */

static void queue(int argc, const char **argv, const size_t *lens) {
  if (redisAppendCommandArgv(fan.redis, argc, argv, lens) != REDIS_OK)
    quit("Redis");
  fan.replies++;
}

static void send_queued(void) {
  int done = 0;
  while (!done)
    if (redisBufferWrite(fan.redis, &done) != REDIS_OK)
      quit("Redis");
}

/* The integers are PUBLISH's: how many had subscribed. */
static void take_replies(void) {
  void *reply = NULL;
  if (redisBufferRead(fan.redis) != REDIS_OK)
    quit("Redis");
  while (redisGetReplyFromReader(fan.redis, &reply) == REDIS_OK && reply) {
    const redisReply *r = reply;
    faults.unheard += r->type == REDIS_REPLY_INTEGER && r->integer == 0;
    faults.redis += r->type == REDIS_REPLY_ERROR;
    fan.replies--;
    freeReplyObject(reply);
  }
}

static void await_replies(void) {
  send_queued();
  while (fan.replies > 0)
    take_replies(); /* which waits */
}

/* The live record, as the service would have it. */
static void store(const struct call *call) {
  char key[KEYS_SIZE], keep[16];
  keys_call(call->id, key);
  snprintf(keep, sizeof(keep), "%d", (int)KEEP_MS);
  buf_clear(&fan.line);
  call_pack(&fan.line, call);
  size_t packed = fan.line.len;
  buf_str(&fan.line, "\n{}");
  const char *argv[] = {"SET", key, fan.line.data, "PX", keep};
  const size_t lens[] = {3, strlen(key), fan.line.len, 2, strlen(keep)};
  queue(ARRAY_LEN(argv), argv, lens);
  fan.line.len = packed; /* what is published has no metadata */
}

static void announce(const struct call *call) {
  char channel[KEYS_SIZE];
  keys_events(keys_shard(call->id), channel);
  struct buf *body = &fan.line;
  if (!fan.is_wsd) {
    snprintf(channel, sizeof(channel), "bench:push");
    body = &fan.frame;
    buf_clear(&fan.text);
    buf_clear(body);
    buf_str(body, call->id);
    call_message(&fan.text, call, call->seq);
    frame_text(body, fan.text.data, fan.text.len);
  }
  const char *argv[] = {"PUBLISH", channel, body->data};
  const size_t lens[] = {7, strlen(channel), body->len};
  queue(ARRAY_LEN(argv), argv, lens);
}

static void connect_redis(const struct config *config) {
  const struct timeval patience = {.tv_usec = STALL_US % 1000000, .tv_sec = STALL_US / 1000000};
  const char *host = config->resolved_redis_host;
  fan.redis = *host == '/' ? redisConnectUnix(host) : redisConnect(host, (int)config->redis_port);
  if (!fan.redis || fan.redis->err || redisSetTimeout(fan.redis, patience) != REDIS_OK)
    quit("Redis");
  if (*config->redis_password) {
    const char *argv[] = {"AUTH", config->redis_password};
    queue(2, argv, NULL);
    await_replies();
  }
}

/* --- calls ------------------------------------------------------------------------------------ */

static void new_call(struct call *call) {
  *call = (struct call){.seq = 1, .metadata = "{}", .metadata_len = 2};
  id_new((uint8_t)rand(), call->id);
  lifecycle_draw(&call->script, 1, 0);
  call->entered_ms[0] = call->updated_ms = clock_wall_ms();
  snprintf(call->from, sizeof(call->from), "+1234567890");
  snprintf(call->to, sizeof(call->to), "+0987654321");
  snprintf(call->api_key, sizeof(call->api_key), "bench");
}

static void move_on(struct call *call) {
  call->updated_ms = clock_wall_ms();
  if (call->seq < LIFECYCLE_STATES)
    call->entered_ms[call->seq] = call->updated_ms;
  else
    snprintf(call->recording_url, sizeof(call->recording_url), "https://bench.example/%d.mp3",
             call->seq);
  if (++call->seq == LIFECYCLE_STATES)
    call->upload = UPLOAD_PENDING; /* for ever: it is never final, so nobody is sent away */
}

/* Where it is noted when these news were published. */
static int64_t *sent_at(int call, int seq) {
  return &fan.sent_us[(size_t)call * (size_t)fan.news + (size_t)seq - 2];
}

static int64_t *publish(int i) {
  struct call *call = &fan.calls[i];
  move_on(call);
  store(call);
  announce(call);
  total.events++;
  total.expected += fan.watched[i];
  return sent_at(i, call->seq);
}

/* --- watchers --------------------------------------------------------------------------------- */

static void leave(struct watcher *w, long *fault) {
  if (w->stage == STAGE_GONE)
    return;
  if (w->stage == STAGE_READY)
    fan.ready--;
  w->stage = STAGE_GONE;
  fan.gone++;
  if (fault)
    ++*fault;
  if (w->fd >= 0) {
    /* A reset, so that no port has to rest for a minute. */
    setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(w->fd);
  }
  buf_done(&w->rest);
}

static void watch_for(struct watcher *w, int how, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = w};
  if (epoll_ctl(fan.epoll, how, w->fd, &event) != 0)
    quit("epoll");
}

static void start(struct watcher *w, int i) {
  *w = (struct watcher){.fd = -1, .call = i % fan.call_count, .stage = STAGE_CONNECTING};
  w->fd = socket(fan.address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (w->fd < 0)
    quit("socket");
  if (fan.address.any.sa_family == AF_INET &&
      (ntohl(fan.address.in.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET) {
    const struct sockaddr_in source = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(i / SOCKETS_A_SOURCE))};
    setsockopt(w->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    if (bind(w->fd, (const struct sockaddr *)&source, sizeof(source)) != 0)
      quit("bind");
  }
  if (connect(w->fd, &fan.address.any, fan.address_len) != 0 && errno != EINPROGRESS)
    leave(w, &faults.refused);
  else
    watch_for(w, EPOLL_CTL_ADD, EPOLLOUT);
}

static void ask(struct watcher *w) {
  char request[400];
  int len = snprintf(request, sizeof(request),
                     "GET %s?call_id=%s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                     fan.path, fan.calls[w->call].id);
  if (send(w->fd, request, (size_t)len, MSG_NOSIGNAL) != len) {
    leave(w, &faults.refused);
    return;
  }
  w->stage = STAGE_ASKED;
  watch_for(w, EPOLL_CTL_MOD, EPOLLIN);
}

static void be_ready(struct watcher *w, int64_t now) {
  w->stage = STAGE_READY;
  w->seq = 1;
  fan.ready++;
  fan.progress_us = now;
}

/* Returns how many of the bytes are the answer to the handshake; 0: it is not whole, or refused. */
static size_t take_answer(struct watcher *w, const char *data, size_t len, int64_t now) {
  static const char status[] = "HTTP/1.1 101 ", accept[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
  const char *end = memmem(data, len, "\r\n\r\n", 4);
  if (!end)
    return 0;
  size_t head = (size_t)(end + 4 - data);
  if (strncmp(data, status, sizeof(status) - 1) != 0 ||
      !memmem(data, head, accept, sizeof(accept) - 1)) {
    leave(w, &faults.refused);
    return 0;
  }
  w->stage = STAGE_OPEN;
  if (!fan.is_wsd)
    be_ready(w, now);
  return head;
}

static void count_news(struct watcher *w, int seq, int64_t now) {
  if (seq <= w->seq) {
    total.twice += seq == w->seq;
    total.disordered += seq < w->seq;
    return;
  }
  w->seq = seq;
  int64_t took = now - *sent_at(w->call, seq);
  total.latency[took < LATENCY_MAX_US ? took : LATENCY_MAX_US]++;
  total.came++;
  fan.progress_us = now;
}

/* {"call_id":"ID",…,"seq":N…}, and before that the word that it is connected. */
static bool take_text(struct watcher *w, const char *text, size_t len, int64_t now) {
  const struct call *call = &fan.calls[w->call];
  if (w->stage == STAGE_OPEN && memmem(text, len, "\"type\":\"connected\"", 18))
    return true;
  const char *at = len > ID_AT + ID_SIZE && memcmp(text + ID_AT, call->id, ID_SIZE - 1) == 0
                       ? memmem(text, len, "\"seq\":", 6)
                       : NULL;
  int seq = at ? atoi(at + 6) : 0;
  if (seq < 1 || seq > call->seq || (w->stage == STAGE_OPEN && seq != 1))
    return false;
  if (w->stage == STAGE_OPEN)
    be_ready(w, now);
  else
    count_news(w, seq, now);
  return true;
}

static void answer_ping(struct watcher *w, const char *payload, size_t len) {
  char pong[6 + CONTROL_MAX] = {(char)(FIN | OP_PONG), (char)(FIN | len)}; /* its mask is 0 */
  memcpy(pong + 6, payload, len);
  (void)!send(w->fd, pong, 6 + len, MSG_NOSIGNAL);
}

/* The lengths of a frame's head and body; false until they are known. */
static bool measure(const char *data, size_t len, size_t *head, size_t *body) {
  *head = 2;
  *body = len >= 2 ? (uint8_t)data[1] : 0;
  if (*body == LEN_16) {
    *head = 4;
    *body = len >= 4 ? (size_t)((uint8_t)data[2] << 8 | (uint8_t)data[3]) : 0;
  }
  return len >= *head;
}

/* Returns how many of the bytes are its next frame; 0: it is not whole, or the watcher is gone. */
static size_t take_frame(struct watcher *w, const char *data, size_t len, int64_t now) {
  size_t head, body;
  if (!measure(data, len, &head, &body))
    return 0;
  int kind = (uint8_t)data[1] <= LEN_16 ? (uint8_t)data[0] : 0; /* not masked, not huge */
  bool known = kind == (FIN | OP_TEXT) || kind == (FIN | OP_CLOSE) ||
               (kind == (FIN | OP_PING) && body <= CONTROL_MAX);
  if (known && len < head + body)
    return 0;
  if (known && kind == (FIN | OP_PING))
    answer_ping(w, data + head, body);
  else if (known && kind == (FIN | OP_CLOSE))
    leave(w, &faults.cut);
  else if (!known || !take_text(w, data + head, body, now))
    leave(w, &faults.broken);
  return w->stage == STAGE_GONE ? 0 : head + body;
}

static void take(struct watcher *w, const char *data, size_t len, int64_t now) {
  size_t at = 0, used;
  do {
    used = w->stage == STAGE_ASKED ? take_answer(w, data + at, len - at, now)
                                   : take_frame(w, data + at, len - at, now);
    at += used;
  } while (used && at < len);
  if (w->stage == STAGE_GONE)
    return;
  struct buf rest = {0};
  if (at < len)
    buf_add(&rest, data + at, len - at);
  buf_done(&w->rest);
  w->rest = rest;
}

static void on_readable(struct watcher *w) {
  static char data[65536];
  ssize_t n = recv(w->fd, data, sizeof(data), 0);
  if (n < 0 && errno == EAGAIN)
    return;
  if (n <= 0) {
    leave(w, w->stage <= STAGE_ASKED ? &faults.refused : &faults.cut);
    return;
  }
  int64_t now = now_us();
  if (!w->rest.len) {
    take(w, data, (size_t)n, now);
    return;
  }
  cleanup_buf struct buf whole = w->rest;
  w->rest = (struct buf){0};
  buf_add(&whole, data, (size_t)n);
  take(w, whole.data, whole.len, now);
}

/* --- the loop --------------------------------------------------------------------------------- */

/* Waits for a tick at the most, and takes what is there. True once a tick. */
static bool turn(void) {
  struct epoll_event events[256];
  bool tick = false;
  uint64_t ticks;
  int n = epoll_wait(fan.epoll, events, ARRAY_LEN(events), STALL_US / 1000);
  for (int i = 0; i < n; i++) {
    struct watcher *w = events[i].data.ptr;
    if (events[i].data.ptr == &fan.timer)
      tick = read(fan.timer, &ticks, sizeof(ticks)) > 0;
    else if (events[i].data.ptr == &fan.redis)
      take_replies();
    else if (w->stage == STAGE_CONNECTING)
      ask(w);
    else if (w->stage != STAGE_GONE)
      on_readable(w);
  }
  return tick;
}

static void turn_for(int64_t us) {
  for (int64_t end = now_us() + us; now_us() < end;)
    turn();
}

static void make_loop(void) {
  const struct itimerspec tick = {{0, TICK_US * 1000L}, {0, TICK_US * 1000L}};
  fan.epoll = epoll_create1(EPOLL_CLOEXEC);
  fan.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  struct epoll_event timer = {.events = EPOLLIN, .data.ptr = &fan.timer},
                     redis = {.events = EPOLLIN, .data.ptr = &fan.redis};
  if (fan.epoll < 0 || fan.timer < 0 || timerfd_settime(fan.timer, 0, &tick, NULL) != 0 ||
      epoll_ctl(fan.epoll, EPOLL_CTL_ADD, fan.timer, &timer) != 0 ||
      epoll_ctl(fan.epoll, EPOLL_CTL_ADD, fan.redis->fd, &redis) != 0)
    quit("epoll");
}

/* --- a round ---------------------------------------------------------------------------------- */

static void make_calls(void) {
  for (int i = 0; i < fan.call_count; i++) {
    new_call(&fan.calls[i]);
    store(&fan.calls[i]);
    fan.watched[i] = 0;
  }
  await_replies();
}

/* Opens all the sockets; those that wait for nothing but news by then are counted. */
static void open_all(void) {
  int64_t begun = fan.progress_us = now_us();
  fan.started = fan.ready = fan.gone = 0;
  while (fan.ready + fan.gone < fan.sockets && !is_stalled()) {
    while (fan.started < fan.sockets && fan.started - fan.ready - fan.gone < AT_ONCE) {
      start(&fan.watchers[fan.started], fan.started);
      fan.started++;
    }
    turn();
  }
  total.opening_us += fan.progress_us - begun;
  total.opened += fan.ready;
  faults.refused += fan.sockets - fan.ready - fan.gone;
  for (int i = 0; i < fan.started; i++)
    fan.watched[fan.watchers[i].call] += fan.watchers[i].stage == STAGE_READY;
}

static void close_all(void) {
  for (int i = 0; i < fan.started; i++)
    leave(&fan.watchers[i], NULL);
}

static void shuffle(int *order) {
  for (int i = fan.call_count - 1; i > 0; i--) {
    int j = (int)(random() % (i + 1)), moved = order[i];
    order[i] = order[j];
    order[j] = moved;
  }
}

/* Which events may leave by now, of those that there are. */
static long due_by(int64_t begun, long sent, long rate) {
  if (!rate)
    return total.expected - total.came - total.twice < IN_FLIGHT ? sent + 1 : sent;
  return 1 + (long)((double)(now_us() - begun) * (double)rate / 1e6);
}

static void note_late(int64_t begun, long sent, long rate) {
  int64_t late = rate ? now_us() - begun - (int64_t)((double)sent * 1e6 / (double)rate) : 0;
  if (late > total.late_us)
    total.late_us = late;
}

/* Publishes what is due by now, in one write, which begins when the news are said to be sent. */
static long publish_due(int *order, long count, long sent, int64_t begun, long rate) {
  int64_t *at[BATCH];
  int made = 0;
  if (sent < due_by(begun, sent, rate))
    note_late(begun, sent, rate);
  for (; sent < count && made < BATCH && sent < due_by(begun, sent, rate); sent++) {
    if (sent % fan.call_count == 0)
      shuffle(order);
    at[made++] = publish(order[sent % fan.call_count]);
  }
  int64_t now = now_us();
  while (made)
    *at[--made] = now;
  send_queued();
  return sent;
}

static void publish_all(int *order, long rate) {
  long count = (long)fan.call_count * fan.news, sent = 0;
  int64_t begun = fan.progress_us = now_us();
  while (sent < count && !is_stalled()) {
    sent = publish_due(order, count, sent, begun, rate);
    while (!turn() && rate)
      continue;
  }
  while (total.came < total.expected && !is_stalled())
    turn();
  total.publishing_us += fan.progress_us - begun;
}

static void play_round(int *order, long rate) {
  make_calls();
  open_all();
  turn_for(QUIET_US);
  int64_t before = cpu_ns();
  publish_all(order, rate);
  turn_for(QUIET_US);
  total.cpu_ns += cpu_ns() - before;
  close_all();
}

/* --- results ---------------------------------------------------------------------------------- */

static long percentile_us(double share) {
  double rest = (double)total.came * share;
  long us = 0;
  while (us < LATENCY_MAX_US && (rest -= total.latency[us]) > 0)
    us++;
  return us;
}

static double per(double what, double of) {
  return of > 0 ? what / of : 0;
}

static int print_faults(void) {
  printf(
      "\"opened_a_second\":%.0f,\"refused\":%ld,\"cut\":%ld,\"broken\":%ld,\"unheard\":%ld,"
      "\"redis_errors\":%ld}\n",
      per((double)total.opened * 1e6, (double)total.opening_us), faults.refused, faults.cut,
      faults.broken, faults.unheard, faults.redis);
  return faults.refused || faults.cut || faults.broken || faults.unheard || faults.redis;
}

static int run_idle(double seconds) {
  int64_t private = private_bytes(), pss = pss_bytes();
  make_calls();
  open_all();
  turn_for(QUIET_US);
  int64_t before = cpu_ns();
  turn_for((int64_t)(seconds * 1e6));
  double cpu_s = (double)(cpu_ns() - before) / 1e9;
  printf("{\"sockets\":%d,\"private_bytes\":%.0f,\"pss_bytes\":%.0f,\"cpu_percent\":%.2f,",
         fan.ready, per((double)(private_bytes() - private), fan.ready),
         per((double)(pss_bytes() - pss), fan.ready), per(cpu_s * 100, seconds));
  close_all();
  return print_faults();
}

static int run_news(int rounds, long rate) {
  int *order = calloc((size_t)fan.call_count, sizeof(*order));
  if (!order)
    quit("memory");
  for (int i = 0; i < fan.call_count; i++)
    order[i] = i;
  for (int i = 0; i < rounds; i++)
    play_round(order, rate);
  free(order);
  long lost = total.expected - total.came;
  double publishing_s = (double)total.publishing_us / 1e6;
  printf("{\"sent\":%ld,\"came\":%ld,\"lost\":%ld,\"twice\":%ld,\"disordered\":%ld,",
         total.expected, total.came, lost, total.twice, total.disordered);
  printf(
      "\"frames_a_second\":%.0f,\"events_a_second\":%.0f,\"p50_us\":%ld,\"p99_us\":%ld,"
      "\"max_us\":%ld,\"publisher_late_us\":%" PRId64 ",\"cpu_s_a_million\":%.3f,",
      per((double)total.came, publishing_s), per((double)total.events, publishing_s),
      percentile_us(0.5), percentile_us(0.99), percentile_us(1), total.late_us,
      per((double)total.cpu_ns / 1e3, (double)total.came));
  return print_faults() || lost || total.twice || total.disordered;
}

/* --- start ------------------------------------------------------------------------------------ */

static void set_where(const char *where) {
  char host[64];
  fan.path = "/ws";
  if (*where == '/') {
    fan.address.un.sun_family = AF_UNIX;
    snprintf(fan.address.un.sun_path, sizeof(fan.address.un.sun_path), "%s", where);
    fan.address_len = sizeof(fan.address.un);
    return;
  }
  where += strncmp(where, "ws://", 5) == 0 ? 5 : 0;
  size_t len = strcspn(where, ":");
  snprintf(host, sizeof(host), "%.*s", (int)len, where);
  fan.address.in.sin_family = AF_INET;
  fan.address_len = sizeof(fan.address.in);
  if (where[len] != ':' || inet_pton(AF_INET, host, &fan.address.in.sin_addr) != 1)
    quit(where);
  fan.address.in.sin_port = htons((uint16_t)atoi(where + len + 1));
  if (strchr(where, '/'))
    fan.path = strchr(where, '/');
}

static void make_room(void) {
  struct rlimit files;
  fan.watchers = calloc((size_t)fan.sockets, sizeof(*fan.watchers));
  fan.calls = calloc((size_t)fan.call_count, sizeof(*fan.calls));
  fan.watched = calloc((size_t)fan.call_count, sizeof(*fan.watched));
  fan.sent_us = calloc((size_t)fan.call_count * (size_t)(fan.news + 1), sizeof(*fan.sent_us));
  if (!fan.watchers || !fan.calls || !fan.watched || !fan.sent_us)
    quit("memory");
  if (getrlimit(RLIMIT_NOFILE, &files) != 0)
    quit("limits");
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur < (rlim_t)fan.sockets + 16)
    quit("not so many descriptors");
}

int main(int argc, char **argv) {
  static struct config config;
  bool idle = argc == 8 && strcmp(argv[1], "idle") == 0;
  bool news = argc == 10 && strcmp(argv[1], "news") == 0;
  if (!idle && !news) {
    fprintf(stderr,
            "usage: fan idle WHO WHERE PIDS SOCKETS CALLS SECONDS\n"
            "       fan news WHO WHERE PIDS SOCKETS CALLS ROUNDS NEWS RATE\n");
    return 64;
  }
  alarm(TOTAL_S);
  config_start(&config, "fan", "Watches calls over WebSockets.", 1, argv);
  fan.is_wsd = strcmp(argv[2], "wsd") == 0;
  fan.pids = argv[4];
  fan.sockets = atoi(argv[5]);
  fan.call_count = atoi(argv[6]);
  fan.news = news ? atoi(argv[8]) : 0;
  if (fan.sockets < 1 || fan.call_count < 1 || fan.call_count > fan.sockets || fan.news < 0)
    quit("arguments");
  set_where(argv[3]);
  make_room();
  connect_redis(&config);
  make_loop();
  int result = idle ? run_idle(atof(argv[7])) : run_news(atoi(argv[7]), atol(argv[9]));
  redisFree(fan.redis);
  config_done(&config);
  return result;
}
