/*
 * load traffic: creates calls at a steady rate on several API keys, reads some of them, and follows
 * them over WebSockets. It judges little: each answer is a line of the journal, and
 * tests/faults/account.bash holds those against the database.
 *
 * The journal's lines; times are in ms since the start, status 0 is no answer:
 *   post BEGAN TOOK STATUS KEY ID      ID is "?" when the answer says that it is not known whether
 *                                      there is a call, "-" when there is none
 *   get BEGAN TOOK STATUS ID STATE
 *   metrics BEGAN TOOK STATUS
 *   shake BEGAN TOOK STATUS            a WebSocket's handshake
 *   watch BEGAN TOOK VERDICT ID EVENTS CUTS LONGEST_AWAY_MS
 *                                      EVENTS is SEQ:STATUS,… as received. VERDICT: ok; twice,
 *                                      missed, illegal, refused (a 404), bad (the protocol),
 *                                      unfinished (no end within the grace)
 *   mark AT                            a SIGUSR1
 * SIGTERM ends it earlier, as if SECONDS were over. Prints totals as a line of JSON.
 */

#include "calls/id.h"
#include "common/http_head.h"
#include "common/log.h"
#include "tests/harness/load/commands.h"
#include "tests/harness/load/journal.h"
#include "tests/harness/load/subscriber.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  TICK_MS = 5,
  GIVE_UP_MS = 30000, /* a request without an answer */
  RECENT = 64,
  ID_LEN = ID_SIZE - 1,
};

enum kind { KIND_POST, KIND_GET, KIND_METRICS };

struct request {
  struct client client;
  enum kind kind;
  int64_t began_us;
  const char *key;
  char id[ID_SIZE];
  struct buf answer;
  struct request *next, **link; /* of all under way */
};

static struct {
  struct client_server server;
  char **keys;
  int key_count, turn;
  struct request *requests;
  char recent[RECENT][ID_SIZE];
  const char *recent_key[RECENT];
  unsigned recent_count;
} load;

static struct {
  long requests, created, limited, unavailable, failed, no_answer, reads;
  int64_t slowest_us;
} total;

static volatile sig_atomic_t marks_wanted, end_wanted;

static void on_signal(int signal) {
  if (signal == SIGUSR1)
    marks_wanted++;
  else
    end_wanted = 1;
}

/* --- a request -------------------------------------------------------------------------------- */

static struct request *request_of(struct client *c) {
  return (struct request *)c; /* its first member */
}

static void on_connected(struct client *c) {
  static const char body[] =
      "{\"from\":\"+1234567890\",\"to\":\"+0987654321\",\"metadata\":{\"by\":\"load\"}}";
  const struct request *r = request_of(c);
  cleanup_buf struct buf text = {0};
  if (r->kind == KIND_POST)
    buf_str(&text, "POST /calls");
  else if (r->kind == KIND_GET)
    buf_printf(&text, "GET /calls/%s", r->id);
  else
    buf_str(&text, "GET /metrics");
  buf_printf(&text, " HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\n",
             load.server.host, r->key);
  if (r->kind == KIND_POST)
    buf_printf(&text, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
               sizeof(body) - 1, body);
  else
    buf_str(&text, "\r\n");
  (void)client_send(c, text.data, text.len); /* where that fails, the end of file follows */
}

static void on_bytes(struct client *c, const char *data, size_t len) {
  buf_add(&request_of(c)->answer, data, len);
}

static void note_created(struct request *r, int64_t now) {
  const char *at = strstr(buf_text(&r->answer), "\"call_id\":\"");
  if (!at || strlen(at) < 11 + ID_LEN)
    return;
  memcpy(r->id, at + 11, ID_LEN);
  unsigned place = load.recent_count++ % RECENT;
  memcpy(load.recent[place], r->id, ID_SIZE);
  load.recent_key[place] = r->key;
  subscribers_add(r->id, now);
}

static void count_request(const struct request *r, int status, int64_t took_us) {
  total.requests++;
  total.reads += r->kind != KIND_POST;
  total.created += r->kind == KIND_POST && status == 201;
  total.limited += status == 429;
  total.unavailable += status == 503;
  total.no_answer += status == 0;
  total.failed += status != 0 && status != 200 && status != 201 && status != 429 && status != 503;
  if (took_us > total.slowest_us)
    total.slowest_us = took_us;
}

static void log_request(const struct request *r, int status, int64_t now) {
  static const char *const names[] = {
      [KIND_POST] = "post", [KIND_GET] = "get", [KIND_METRICS] = "metrics"};
  const char *answer = buf_text(&r->answer), *state = strstr(answer, "\"status\":\"");
  FILE *out = journal_line(names[r->kind], r->began_us, now);
  int len = state ? (int)strspn(state + 10, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") : 0;
  fprintf(out, "\t%d", status);
  if (r->kind == KIND_POST)
    fprintf(out, "\t%s\t%s", r->key, *r->id ? r->id : strstr(answer, "not known") ? "?" : "-");
  else if (r->kind == KIND_GET)
    fprintf(out, "\t%s\t%.*s", r->id, len ? len : 1, len ? state + 10 : "-");
  putc('\n', out);
}

static void end_request(struct request *r, int64_t now) {
  int status = http_head_status(buf_text(&r->answer), r->answer.len);
  if (r->kind == KIND_POST && status == 201)
    note_created(r, now);
  log_request(r, status, now);
  count_request(r, status, now - r->began_us);
  client_leave(&r->client);
  buf_done(&r->answer);
  *r->link = r->next;
  if (r->next)
    r->next->link = r->link;
  free(r);
}

static void on_end(struct client *c, enum client_end why, int code) {
  end_request(request_of(c), now_us());
}

static void start_request(enum kind kind, const char *key, const char *id, int64_t now) {
  static const struct client_kind client = {
      .on_connected = on_connected, .on_bytes = on_bytes, .on_end = on_end};
  struct request *r = calloc(1, sizeof(*r));
  if (!r)
    log_oom();
  r->kind = kind;
  r->key = key;
  r->began_us = now;
  if (id)
    snprintf(r->id, sizeof(r->id), "%s", id);
  r->next = load.requests;
  r->link = &load.requests;
  if (r->next)
    r->next->link = &r->next;
  load.requests = r;
  client_start(&r->client, &client, &load.server, 0);
}

/* --- time ------------------------------------------------------------------------------------- */

static const char *next_key(void) {
  return load.keys[load.turn++ % load.key_count];
}

/* A post each turn, a read of a recent call every third, the metrics every thirtieth. */
static void make_requests(int64_t now) {
  start_request(KIND_POST, next_key(), NULL, now);
  if (load.turn % 3 == 0 && load.recent_count) {
    unsigned known = load.recent_count < RECENT ? load.recent_count : RECENT;
    unsigned place = (unsigned)rand() % known;
    start_request(KIND_GET, load.recent_key[place], load.recent[place], now);
  }
  if (load.turn % 30 == 0)
    start_request(KIND_METRICS, load.keys[0], NULL, now);
}

static void give_up_requests(int64_t now, int64_t after_us) {
  for (struct request *r = load.requests, *next; r; r = next) {
    next = r->next;
    if (now - r->began_us < after_us)
      continue;
    buf_clear(&r->answer);
    end_request(r, now);
  }
}

/* Returns for how many seconds it made requests. */
static double run(double seconds, double rate, double grace_s) {
  int64_t start_us = journal_start_us(), next_us = start_us, now;
  int64_t pace_us = (int64_t)(1e6 / rate), end_us = start_us + (int64_t)(seconds * 1e6);
  int64_t grace_us = (int64_t)(grace_s * 1e6);
  int marks = 0;
  while ((now = now_us()) < end_us ||
         ((subscribers_busy() || load.requests) && now < end_us + grace_us)) {
    if (end_wanted && now < end_us)
      end_us = now;
    while (next_us <= now && now < end_us) {
      make_requests(now);
      next_us += pace_us;
    }
    for (; marks < marks_wanted; marks++)
      journal_mark();
    give_up_requests(now, GIVE_UP_MS * INT64_C(1000));
    subscribers_tick(now, now < end_us);
    loop_turn(TICK_MS);
  }
  subscribers_give_up(now);
  give_up_requests(now, 0);
  return (double)(end_us - start_us) / 1e6;
}

static void print_totals(double seconds) {
  printf(
      "{\"requests\":%ld,\"created\":%ld,\"created_a_second\":%.1f,\"limited\":%ld,"
      "\"unavailable\":%ld,\"other\":%ld,\"no_answer\":%ld,\"reads\":%ld,\"slowest_ms\":%.0f,",
      total.requests, total.created, (double)total.created / seconds, total.limited,
      total.unavailable, total.failed, total.no_answer, total.reads,
      (double)total.slowest_us / 1000);
  subscribers_print();
  puts("}");
}

int command_traffic(int argc, char **argv) {
  if (argc < 8)
    return 64;
  cleanup_buf struct buf where = {0};
  buf_printf(&where, "%s:%s", argv[0], argv[1]);
  client_find(&load.server, buf_text(&where));
  load.keys = argv + 7;
  load.key_count = argc - 7;
  const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  subscribers_init(&load.server, atoi(argv[5]));
  journal_open(argv[2]);
  print_totals(run(strtod(argv[3], NULL), strtod(argv[4], NULL), strtod(argv[6], NULL)));
  journal_close();
  subscribers_done();
  return 0;
}
