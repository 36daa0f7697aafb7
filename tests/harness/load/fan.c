/*
 * load idle, load events: what ./mcs bench measures of WebSockets. Publisher and subscribers are in
 * one process, so that one clock says how long an event takes from the PUBLISH to the client. The
 * calls are its own, written into Redis as if the service had made them, so the worker has to be
 * stopped meanwhile.
 *
 *   load idle SERVER URL PIDS SOCKETS CALLS SECONDS
 *   load events SERVER URL PIDS SOCKETS CALLS ROUNDS EVENTS RATE
 *
 * SERVER says what listens to Redis: `wsd` gets packed lines on the channels of events, as
 * lua/apply.lua publishes them; `push` (bench/push.c) gets ready frames. Redis has the same to do
 * for both. The sockets are opened at URL, which may be a web server's. PIDS, separated by commas,
 * are the processes whose memory and processor time count. Which Redis: by the environment, as for
 * the service's programs.
 *
 * idle opens the sockets, waits SECONDS and says what they cost: sockets opened a second; bytes of
 * private memory and of Pss a socket; processor time in percent of a core while they idled.
 *
 * events works in ROUNDS, each on fresh calls with fresh sockets, as a call has few events. Once
 * each socket has got its first state, it publishes EVENTS events (3: RINGING … COMPLETED; more: a
 * call gets a recording again and again) of all calls in an order that is shuffled for each seq,
 * RATE a second in ticks of a millisecond; 0: as fast as they go while at most IN_FLIGHT frames are
 * under way. It says how many frames came and how many should have, lost, twice, out of order;
 * frames and events a second; latency; how late the publisher was at the most; processor seconds a
 * million frames.
 *
 * Both print a line of JSON, and count what must not be: sockets refused (a connect or a handshake
 * that failed), cut (closed by the server), broken (a frame that is none, or is not about the
 * call), events unheard (that nobody had subscribed to), errors of Redis. They return 1 when there
 * was any of that or a frame was lost, twice or out of order. They wait STALL_US for whatever comes
 * next, and never run longer than TOTAL_S.
 */

#include "common/config.h"
#include "common/log.h"
#include "tests/harness/load/audience.h"
#include "tests/harness/load/commands.h"
#include "tests/harness/load/processes.h"
#include "tests/harness/load/publisher.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
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
  struct loop_io timer, replies;
  bool ticked;
  struct call *calls;
  int call_count, events;
  int64_t *sent_us;    /* of each call, its events from seq 2 on */
  int64_t progress_us; /* when something came that was waited for */
} fan;

static struct {
  long expected, events;
  int64_t publishing_us, late_us, cpu_ns;
  uint32_t latency[LATENCY_MAX_US + 1]; /* how many frames took so long */
} total;

static bool is_stalled(void) {
  return now_us() - fan.progress_us > STALL_US;
}

/* Where it is noted when this event was published. */
static int64_t *sent_at(const struct call *call, int seq) {
  return &fan.sent_us[(call - fan.calls) * fan.events + seq - 2];
}

static void on_event(const struct call *call, int seq, int64_t read_us) {
  int64_t took = read_us - *sent_at(call, seq);
  total.latency[took < LATENCY_MAX_US ? took : LATENCY_MAX_US]++;
  fan.progress_us = read_us;
}

/* --- the loop --------------------------------------------------------------------------------- */

static void on_tick(struct loop_io *io, uint32_t events) {
  uint64_t ticks;
  fan.ticked |= read(io->fd, &ticks, sizeof(ticks)) > 0;
}

static void on_replies(struct loop_io *io, uint32_t events) {
  publisher_take_replies();
}

/* Waits for a tick at the most, and takes what is there. True once a tick. */
static bool turn(void) {
  fan.ticked = false;
  loop_turn(STALL_US / 1000);
  return fan.ticked;
}

static void turn_for(int64_t us) {
  for (int64_t end = now_us() + us; now_us() < end;)
    turn();
}

static void start_ticks(void) {
  const struct itimerspec tick = {{0, TICK_US * 1000L}, {0, TICK_US * 1000L}};
  fan.timer = (struct loop_io){.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
                               .on_ready = on_tick};
  fan.replies = (struct loop_io){.fd = publisher_fd(), .on_ready = on_replies};
  if (fan.timer.fd < 0 || timerfd_settime(fan.timer.fd, 0, &tick, NULL) != 0)
    quit("timer");
  loop_add(&fan.timer, EPOLLIN);
  loop_add(&fan.replies, EPOLLIN);
}

/* --- a round ---------------------------------------------------------------------------------- */

static void make_calls(void) {
  for (int i = 0; i < fan.call_count; i++) {
    publisher_new_call(&fan.calls[i]);
    publisher_store(&fan.calls[i]);
  }
  publisher_flush();
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
    return total.expected - audience_totals.came - audience_totals.twice < IN_FLIGHT ? sent + 1
                                                                                     : sent;
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
  total.expected += audience_of(i);
  return sent_at(call, call->seq);
}

/* Publishes what is due by now, in one write, at whose beginning the events count as sent. */
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
  long count = (long)fan.call_count * fan.events, sent = 0;
  int64_t begun = fan.progress_us = now_us();
  while (sent < count && !is_stalled()) {
    sent = publish_due(order, count, sent, begun, rate);
    while (!turn() && rate)
      continue;
  }
  while (audience_totals.came < total.expected && !is_stalled())
    turn();
  total.publishing_us += fan.progress_us - begun;
}

static void play_round(int *order, long rate) {
  make_calls();
  audience_open(STALL_US);
  turn_for(QUIET_US);
  int64_t before = processes_cpu_ns(fan.pids);
  publish_all(order, rate);
  turn_for(QUIET_US);
  total.cpu_ns += processes_cpu_ns(fan.pids) - before;
  audience_close();
}

/* --- results ---------------------------------------------------------------------------------- */

static long percentile_us(double share) {
  double rest = (double)audience_totals.came * share;
  long us = 0;
  while (us < LATENCY_MAX_US && (rest -= total.latency[us]) > 0)
    us++;
  return us;
}

static double per(double what, double of) {
  return of > 0 ? what / of : 0;
}

static int print_errors(void) {
  const struct publisher_errors *p = &publisher_errors;
  const struct audience_totals *a = &audience_totals;
  printf(
      "\"opened_a_second\":%.0f,\"refused\":%ld,\"cut\":%ld,\"broken\":%ld,\"unheard\":%ld,"
      "\"redis_errors\":%ld}\n",
      per((double)a->opened * 1e6, (double)a->opening_us), a->refused, a->cut, a->broken,
      p->unheard, p->redis);
  return a->refused || a->cut || a->broken || p->unheard || p->redis;
}

static int run_idle(double seconds) {
  int64_t private = processes_private_bytes(fan.pids), pss = processes_pss_bytes(fan.pids);
  make_calls();
  int ready = audience_open(STALL_US);
  turn_for(QUIET_US);
  int64_t before = processes_cpu_ns(fan.pids);
  turn_for((int64_t)(seconds * 1e6));
  double cpu_s = (double)(processes_cpu_ns(fan.pids) - before) / 1e9;
  printf("{\"sockets\":%d,\"private_bytes\":%.0f,\"pss_bytes\":%.0f,\"cpu_percent\":%.2f,", ready,
         per((double)(processes_private_bytes(fan.pids) - private), ready),
         per((double)(processes_pss_bytes(fan.pids) - pss), ready), per(cpu_s * 100, seconds));
  audience_close();
  return print_errors();
}

static int run_events(int rounds, long rate) {
  int *order = calloc((size_t)fan.call_count, sizeof(*order));
  if (!order)
    log_oom();
  for (int i = 0; i < fan.call_count; i++)
    order[i] = i;
  for (int i = 0; i < rounds; i++)
    play_round(order, rate);
  free(order);
  long lost = total.expected - audience_totals.came;
  double publishing_s = (double)total.publishing_us / 1e6;
  printf("{\"sent\":%ld,\"came\":%ld,\"lost\":%ld,\"twice\":%ld,\"disordered\":%ld,",
         total.expected, audience_totals.came, lost, audience_totals.twice,
         audience_totals.disordered);
  printf(
      "\"frames_a_second\":%.0f,\"events_a_second\":%.0f,\"p50_us\":%ld,\"p99_us\":%ld,"
      "\"max_us\":%ld,\"publisher_late_us\":%" PRId64 ",\"cpu_s_a_million\":%.3f,",
      per((double)audience_totals.came, publishing_s), per((double)total.events, publishing_s),
      percentile_us(0.5), percentile_us(0.99), percentile_us(1), total.late_us,
      per((double)total.cpu_ns / 1e3, (double)audience_totals.came));
  return print_errors() || lost || audience_totals.twice || audience_totals.disordered;
}

/* --- start ------------------------------------------------------------------------------------ */

static void make_room(const struct audience *audience) {
  fan.call_count = audience->call_count;
  fan.calls = calloc((size_t)fan.call_count, sizeof(*fan.calls));
  fan.sent_us = calloc((size_t)fan.call_count * (size_t)(fan.events + 1), sizeof(*fan.sent_us));
  if (!fan.calls || !fan.sent_us)
    log_oom();
  want_descriptors(audience->sockets + 16);
}

/* SERVER URL PIDS SOCKETS CALLS */
static void start(struct config *config, char **argv) {
  static char name[] = "load";
  char *no_arguments[] = {name, NULL};
  cleanup_buf struct buf where = {0};
  struct audience audience = {.told_state = strcmp(argv[0], "wsd") == 0,
                              .sockets = atoi(argv[3]),
                              .call_count = atoi(argv[4]),
                              .on_event = on_event};
  alarm(TOTAL_S);
  config_start(config, "load", "Subscribes to calls over WebSockets.", 1, no_arguments);
  fan.pids = argv[2];
  if (audience.sockets < 1 || audience.call_count < 1 || audience.call_count > audience.sockets ||
      fan.events < 0 || !ws_url(argv[1], &where, &audience.target))
    quit("arguments");
  make_room(&audience);
  audience.calls = fan.calls;
  client_find(&audience.server, buf_text(&where));
  audience_init(&audience);
  publisher_open(config, !audience.told_state, STALL_US);
  start_ticks();
}

static int finish(struct config *config, int status) {
  publisher_close();
  config_done(config);
  audience_done();
  free(fan.calls);
  free(fan.sent_us);
  return status;
}

int command_idle(int argc, char **argv) {
  static struct config config;
  if (argc != 6)
    return 64;
  start(&config, argv);
  return finish(&config, run_idle(strtod(argv[5], NULL)));
}

int command_events(int argc, char **argv) {
  static struct config config;
  if (argc != 8)
    return 64;
  fan.events = atoi(argv[6]);
  start(&config, argv);
  return finish(&config, run_events(atoi(argv[5]), atol(argv[7])));
}
