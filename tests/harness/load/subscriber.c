/* Follows calls over WebSockets, and judges what it is told. */

#include "tests/harness/load/subscriber.h"

#include "calls/id.h"
#include "common/log.h"
#include "tests/harness/load/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  BACKOFF_MS = 100, /* the pause before it connects again; then twice that, … */
  BACKOFF_MAX_MS = 400,
  EVENTS_SIZE = 400,
  FINAL_SEQ = 5,
};

struct subscriber {
  struct client client;
  struct subscriber *next; /* in the list of those without a call */
  bool busy;
  char id[ID_SIZE];
  int64_t began_us;
  int64_t try_us;  /* since when it connects; 0 when it does not */
  int64_t back_us; /* when away: the next try */
  int64_t away_us; /* since when it is cut; 0 when it is not */
  int64_t longest_away_us;
  int backoff_ms, seq, cuts;
  const char *verdict;
  char events[EVENTS_SIZE]; /* SEQ:STATUS,… */
  size_t events_len;
};

static struct {
  const struct client_server *server;
  struct subscriber *all, *idle;
  int count, busy, open, open_max;
  long long open_sum, samples;
} subscribers;

static struct {
  long followed, events, cuts, wrong, refused_tries;
  int64_t longest_away_us;
} total;

static struct subscriber *subscriber_of(struct client *c) {
  return (struct subscriber *)c; /* its first member */
}

/* --- a call that is followed ------------------------------------------------------------------ */

static void log_handshake(struct subscriber *s, int status, int64_t now) {
  if (s->try_us)
    fprintf(journal_line("shake", s->try_us, now), "\t%d\n", status);
  s->try_us = 0;
}

static void go_away(struct subscriber *s, int64_t now) {
  s->back_us = now + s->backoff_ms * 1000;
  s->backoff_ms = s->backoff_ms * 2 < BACKOFF_MAX_MS ? s->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static void follow(struct subscriber *s, const char *id, int64_t now) {
  subscribers.idle = s->next;
  subscribers.busy++;
  *s = (struct subscriber){
      .busy = true, .began_us = now, .back_us = now, .backoff_ms = BACKOFF_MS, .verdict = "ok"};
  snprintf(s->id, sizeof(s->id), "%s", id);
}

static void finish(struct subscriber *s, int64_t now) {
  subscribers.open -= s->client.stage == CLIENT_OPEN;
  client_leave(&s->client);
  log_handshake(s, 0, now);
  fprintf(journal_line("watch", s->began_us, now), "\t%s\t%s\t%s\t%d\t%.1f\n", s->verdict, s->id,
          s->events, s->cuts, (double)s->longest_away_us / 1000);
  total.followed++;
  total.wrong += strcmp(s->verdict, "ok") != 0;
  if (s->longest_away_us > total.longest_away_us)
    total.longest_away_us = s->longest_away_us;
  s->busy = false;
  s->next = subscribers.idle;
  subscribers.idle = s;
  subscribers.busy--;
}

/* The first violation is the one that is told. */
static void blame(struct subscriber *s, const char *verdict) {
  if (strcmp(s->verdict, "ok") == 0)
    s->verdict = verdict;
}

/* --- what it is told -------------------------------------------------------------------------- */

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

static void note_event(struct subscriber *s, int seq, const char *status) {
  size_t left = EVENTS_SIZE - s->events_len;
  int n =
      snprintf(s->events + s->events_len, left, "%s%d:%s", s->events_len ? "," : "", seq, status);
  if ((size_t)n < left)
    s->events_len += (size_t)n;
  total.events++;
  if (!is_legal(seq, status))
    blame(s, "illegal");
  else if (s->seq && seq <= s->seq)
    blame(s, "twice");
  else if (s->seq && seq > s->seq + 1)
    blame(s, "missed");
  s->seq = seq;
}

static void on_text(struct client *c, const char *payload, size_t len) {
  struct subscriber *s = subscriber_of(c);
  char text[4096], status[16];
  snprintf(text, sizeof(text), "%.*s", (int)len, payload);
  const char *seq_at = strstr(text, "\"seq\":"), *status_at = strstr(text, "\"status\":\"");
  if (strstr(text, "\"type\":\"connected\""))
    return;
  if (!seq_at || !status_at) {
    blame(s, "bad");
    return;
  }
  snprintf(status, sizeof(status), "%.*s", (int)strcspn(status_at + 10, "\""), status_at + 10);
  note_event(s, atoi(seq_at + 6), status);
}

static void on_connected(struct client *c) {
  const struct subscriber *s = subscriber_of(c);
  char target[100], after[24] = "";
  if (s->seq)
    snprintf(after, sizeof(after), "&after=%d", s->seq);
  snprintf(target, sizeof(target), "/ws?call_id=%s%s", s->id, after);
  client_ask(c, subscribers.server, target);
}

static void on_response(struct client *c, int status) {
  struct subscriber *s = subscriber_of(c);
  log_handshake(s, status, c->read_us);
  if (status != 101) {
    total.refused_tries++;
    if (status == 404)
      blame(s, "refused");
    return;
  }
  subscribers.open++;
  s->backoff_ms = BACKOFF_MS;
  if (s->away_us && c->read_us - s->away_us > s->longest_away_us)
    s->longest_away_us = c->read_us - s->away_us;
  s->away_us = 0;
}

/* Code 1001, going away, asks for another try, like a cut. */
static void on_end(struct client *c, enum client_end why, int code) {
  struct subscriber *s = subscriber_of(c);
  int64_t now = now_us();
  bool is_over = why == CLIENT_BROKEN || (why == CLIENT_CLOSED && code != 1001);
  if (why != CLIENT_REFUSED)
    subscribers.open--;
  if (why == CLIENT_BROKEN || (is_over && code != 1000))
    blame(s, "bad");
  else if (is_over && s->seq != FINAL_SEQ)
    blame(s, "missed");
  if (is_over || (why == CLIENT_REFUSED && strcmp(s->verdict, "refused") == 0)) {
    finish(s, now);
    return;
  }
  if (why != CLIENT_REFUSED) {
    s->cuts++;
    total.cuts++;
    s->away_us = now;
    s->backoff_ms = BACKOFF_MS;
  }
  log_handshake(s, 0, now);
  go_away(s, now);
}

static const struct client_kind kind = {
    .on_connected = on_connected, .on_response = on_response, .on_text = on_text, .on_end = on_end};

/* --- all of them ------------------------------------------------------------------------------ */

void subscribers_init(const struct client_server *server, int count) {
  subscribers.server = server;
  subscribers.count = count;
  subscribers.all = calloc((size_t)count + 1, sizeof(*subscribers.all));
  if (!subscribers.all)
    log_oom();
  for (int i = 0; i < count; i++) {
    subscribers.all[i].next = subscribers.idle;
    subscribers.idle = &subscribers.all[i];
  }
}

void subscribers_done(void) {
  free(subscribers.all);
}

void subscribers_add(const char *id, int64_t now) {
  int idle = subscribers.count - subscribers.busy;
  for (int i = 0, max = 2 + idle / 16; i < max && subscribers.idle; i++)
    follow(subscribers.idle, id, now);
}

void subscribers_tick(int64_t now, bool counts) {
  for (int i = 0; i < subscribers.count; i++) {
    struct subscriber *s = &subscribers.all[i];
    if (!s->busy || s->client.stage != CLIENT_GONE || now < s->back_us)
      continue;
    s->try_us = now;
    client_start(&s->client, &kind, subscribers.server, 0);
  }
  if (!counts)
    return;
  subscribers.open_sum += subscribers.open;
  subscribers.samples++;
  if (subscribers.open > subscribers.open_max)
    subscribers.open_max = subscribers.open;
}

bool subscribers_busy(void) {
  return subscribers.busy > 0;
}

void subscribers_give_up(int64_t now) {
  for (int i = 0; i < subscribers.count; i++)
    if (subscribers.all[i].busy) {
      blame(&subscribers.all[i], "unfinished");
      finish(&subscribers.all[i], now);
    }
}

void subscribers_print(void) {
  printf(
      "\"sockets_mean\":%.0f,\"sockets_max\":%d,\"followed\":%ld,\"events\":%ld,\"cuts\":%ld,"
      "\"refused_tries\":%ld,\"longest_away_ms\":%.0f,\"wrong\":%ld",
      (double)subscribers.open_sum / (double)(subscribers.samples ? subscribers.samples : 1),
      subscribers.open_max, total.followed, total.events, total.cuts, total.refused_tries,
      (double)total.longest_away_us / 1000, total.wrong);
}
