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
 * lua/apply.lua publishes them; `push` (push.c) gets ready frames. Redis has the same to do for
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

#include "bench/fan/base.h"
#include "bench/fan/processes.h"
#include "bench/fan/publisher.h"
#include "bench/fan/subscriber.h"
#include "common/config.h"

#include <inttypes.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
  AT_ONCE = 64, /* sockets being opened */
  IN_FLIGHT = 4000,
  BATCH = 256, /* events that are written together, at the most */
  TICK_US = 1000,
  STALL_US = 5000000,
  QUIET_US = 50000, /* in which what comes twice has to come, too */
  TOTAL_S = 600,
  LATENCY_MAX_US = 1000000, /* beyond a second it is a second */
};

static struct {
  const char *pids;
  int epoll, timer;
  struct subscriber *subscribers;
  int sockets, started, ready, gone;
  struct call *calls;
  int call_count, *watched; /* how many watch a call */
  int news;
  int64_t *sent_us;    /* of each call, its news from seq 2 on */
  int64_t progress_us; /* when something came that was waited for */
} fan;

static struct {
  long expected, came, twice, disordered, events;
  long opened;
  int64_t opening_us, publishing_us, late_us, cpu_ns;
  uint32_t latency[LATENCY_MAX_US + 1]; /* how many frames took so long */
} total;

static bool is_stalled(void) {
  return now_us() - fan.progress_us > STALL_US;
}

/* --- what watchers say ------------------------------------------------------------------------ */

/* Where it is noted when these news were published. */
static int64_t *sent_at(const struct call *call, int seq) {
  return &fan.sent_us[(call - fan.calls) * fan.news + seq - 2];
}

static void on_ready(struct subscriber *w) {
  fan.ready++;
  fan.progress_us = now_us();
}

static void on_gone(struct subscriber *w, bool was_ready) {
  fan.ready -= was_ready;
  fan.gone++;
}

static void on_news(struct subscriber *w, int seq, int64_t now) {
  total.twice += seq == w->seq;
  total.disordered += seq < w->seq;
  if (seq <= w->seq)
    return;
  int64_t took = now - *sent_at(w->call, seq);
  total.latency[took < LATENCY_MAX_US ? took : LATENCY_MAX_US]++;
  total.came++;
  fan.progress_us = now;
}

/* --- the loop --------------------------------------------------------------------------------- */

/* Waits for a tick at the most, and takes what is there. True once a tick. */
static bool turn(void) {
  struct epoll_event events[256];
  bool tick = false;
  uint64_t ticks;
  int n = epoll_wait(fan.epoll, events, ARRAY_LEN(events), STALL_US / 1000);
  for (int i = 0; i < n; i++) {
    if (events[i].data.ptr == &fan.timer)
      tick = read(fan.timer, &ticks, sizeof(ticks)) > 0;
    else if (events[i].data.ptr == &fan.calls)
      publisher_take_replies();
    else
      subscriber_turn(events[i].data.ptr);
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
                     replies = {.events = EPOLLIN, .data.ptr = &fan.calls};
  if (fan.epoll < 0 || fan.timer < 0 || timerfd_settime(fan.timer, 0, &tick, NULL) != 0 ||
      epoll_ctl(fan.epoll, EPOLL_CTL_ADD, fan.timer, &timer) != 0 ||
      epoll_ctl(fan.epoll, EPOLL_CTL_ADD, publisher_fd(), &replies) != 0)
    quit("epoll");
}

/* --- a round ---------------------------------------------------------------------------------- */

static void make_calls(void) {
  for (int i = 0; i < fan.call_count; i++) {
    publisher_new_call(&fan.calls[i]);
    publisher_store(&fan.calls[i]);
    fan.watched[i] = 0;
  }
  publisher_flush();
}

/* Opens all the sockets; those that wait for nothing but news by then are counted. */
static void open_all(void) {
  int64_t begun = fan.progress_us = now_us();
  fan.started = fan.ready = fan.gone = 0;
  while (fan.ready + fan.gone < fan.sockets && !is_stalled()) {
    while (fan.started < fan.sockets && fan.started - fan.ready - fan.gone < AT_ONCE) {
      subscriber_start(&fan.subscribers[fan.started], &fan.calls[fan.started % fan.call_count],
                       fan.started);
      fan.started++;
    }
    turn();
  }
  total.opening_us += fan.progress_us - begun;
  total.opened += fan.ready;
  subscriber_errors.refused += fan.sockets - fan.ready - fan.gone;
  for (int i = 0; i < fan.started; i++)
    fan.watched[i % fan.call_count] += fan.subscribers[i].stage == SUBSCRIBER_READY;
}

static void close_all(void) {
  for (int i = 0; i < fan.started; i++)
    subscriber_leave(&fan.subscribers[i]);
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

static int64_t *publish(int i) {
  struct call *call = &fan.calls[i];
  publisher_move_on(call);
  publisher_announce(call);
  total.events++;
  total.expected += fan.watched[i];
  return sent_at(call, call->seq);
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
  publisher_send();
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
  int64_t before = processes_cpu_ns(fan.pids);
  publish_all(order, rate);
  turn_for(QUIET_US);
  total.cpu_ns += processes_cpu_ns(fan.pids) - before;
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

static int print_errors(void) {
  const struct subscriber_errors *w = &subscriber_errors;
  const struct publisher_errors *p = &publisher_errors;
  printf(
      "\"opened_a_second\":%.0f,\"refused\":%ld,\"cut\":%ld,\"broken\":%ld,\"unheard\":%ld,"
      "\"redis_errors\":%ld}\n",
      per((double)total.opened * 1e6, (double)total.opening_us), w->refused, w->cut, w->broken,
      p->unheard, p->redis);
  return w->refused || w->cut || w->broken || p->unheard || p->redis;
}

static int run_idle(double seconds) {
  int64_t private = processes_private_bytes(fan.pids), pss = processes_pss_bytes(fan.pids);
  make_calls();
  open_all();
  turn_for(QUIET_US);
  int64_t before = processes_cpu_ns(fan.pids);
  turn_for((int64_t)(seconds * 1e6));
  double cpu_s = (double)(processes_cpu_ns(fan.pids) - before) / 1e9;
  printf("{\"sockets\":%d,\"private_bytes\":%.0f,\"pss_bytes\":%.0f,\"cpu_percent\":%.2f,",
         fan.ready, per((double)(processes_private_bytes(fan.pids) - private), fan.ready),
         per((double)(processes_pss_bytes(fan.pids) - pss), fan.ready), per(cpu_s * 100, seconds));
  close_all();
  return print_errors();
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
  return print_errors() || lost || total.twice || total.disordered;
}

/* --- start ------------------------------------------------------------------------------------ */

static void make_room(void) {
  struct rlimit files;
  fan.subscribers = calloc((size_t)fan.sockets, sizeof(*fan.subscribers));
  fan.calls = calloc((size_t)fan.call_count, sizeof(*fan.calls));
  fan.watched = calloc((size_t)fan.call_count, sizeof(*fan.watched));
  fan.sent_us = calloc((size_t)fan.call_count * (size_t)(fan.news + 1), sizeof(*fan.sent_us));
  if (!fan.subscribers || !fan.calls || !fan.watched || !fan.sent_us)
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
  bool is_wsd = strcmp(argv[2], "wsd") == 0;
  fan.pids = argv[4];
  fan.sockets = atoi(argv[5]);
  fan.call_count = atoi(argv[6]);
  fan.news = news ? atoi(argv[8]) : 0;
  if (fan.sockets < 1 || fan.call_count < 1 || fan.call_count > fan.sockets || fan.news < 0)
    quit("arguments");
  make_room();
  publisher_open(&config, !is_wsd, STALL_US);
  make_loop();
  subscriber_share(&(struct watching){.where = argv[3],
                                      .told_state = is_wsd,
                                      .epoll = fan.epoll,
                                      .on_ready = on_ready,
                                      .on_news = on_news,
                                      .on_gone = on_gone});
  int result = idle ? run_idle(atof(argv[7])) : run_news(atoi(argv[7]), atol(argv[9]));
  publisher_close();
  config_done(&config);
  return result;
}
