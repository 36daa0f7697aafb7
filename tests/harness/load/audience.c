/* The subscribers of the bench's calls. */

#include "tests/harness/load/audience.h"

#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  AT_ONCE = 64, /* sockets being opened */
  TURN_MS = 100,
  ID_AT = 12, /* where a call's id is in its messages */
};

struct member {
  struct client client;
  const struct call *call;
  int seq; /* of the last event that it got; 0: it waits for the state that its call is in */
};

static struct {
  struct audience is;
  struct member *members;
  int *subscribed; /* of each call */
  int started, ready, gone;
  int64_t progress_us; /* when one became ready */
} audience;

struct audience_totals audience_totals;

static struct member *member_of(struct client *c) {
  return (struct member *)c; /* its first member */
}

/* --- one of them ------------------------------------------------------------------------------ */

static void be_ready(struct member *m) {
  m->seq = 1;
  audience.ready++;
  audience.progress_us = now_us();
}

static void take_event(struct member *m, int seq) {
  audience_totals.twice += seq == m->seq;
  audience_totals.disordered += seq < m->seq;
  if (seq <= m->seq)
    return;
  audience_totals.came++;
  m->seq = seq;
  audience.is.on_event(m->call, seq, m->client.read_us);
}

/* The seq of a message about the call, {"call_id":"ID",…,"seq":N…}; 0 when it is another one. */
static int seq_of(const struct call *call, const char *text, size_t len) {
  const char *at = len > ID_AT + ID_SIZE && memcmp(text + ID_AT, call->id, ID_SIZE - 1) == 0
                       ? memmem(text, len, "\"seq\":", 6)
                       : NULL;
  return at ? atoi(at + 6) : 0;
}

static void on_end(struct client *c, enum client_end why, int code) {
  audience.ready -= member_of(c)->seq > 0;
  audience.gone++;
  audience_totals.refused += why == CLIENT_REFUSED;
  audience_totals.cut += why == CLIENT_CUT || why == CLIENT_CLOSED;
  audience_totals.broken += why == CLIENT_BROKEN;
}

static void on_text(struct client *c, const char *text, size_t len) {
  struct member *m = member_of(c);
  int seq = seq_of(m->call, text, len);
  if (!m->seq && memmem(text, len, "\"type\":\"connected\"", 18))
    return;
  if (seq < 1 || seq > m->call->seq || (!m->seq && seq != 1)) {
    client_leave(c);
    on_end(c, CLIENT_BROKEN, 0);
  } else if (m->seq) {
    take_event(m, seq);
  } else {
    be_ready(m);
  }
}

static void on_response(struct client *c, int status) {
  if (status == 101 && !audience.is.told_state)
    be_ready(member_of(c));
}

static void on_connected(struct client *c) {
  char target[256];
  snprintf(target, sizeof(target), "%s?call_id=%s", audience.is.target, member_of(c)->call->id);
  client_ask(c, &audience.is.server, target);
}

static const struct client_kind kind = {.resets = true,
                                        .on_connected = on_connected,
                                        .on_response = on_response,
                                        .on_text = on_text,
                                        .on_end = on_end};

/* --- all of them ------------------------------------------------------------------------------ */

void audience_init(const struct audience *is) {
  audience.is = *is;
  audience.members = calloc((size_t)is->sockets, sizeof(*audience.members));
  audience.subscribed = calloc((size_t)is->call_count, sizeof(*audience.subscribed));
  if (!audience.members || !audience.subscribed)
    log_oom();
}

void audience_done(void) {
  free(audience.members);
  free(audience.subscribed);
}

static void start_one(int number) {
  struct member *m = &audience.members[number];
  *m = (struct member){.call = &audience.is.calls[number % audience.is.call_count]};
  client_start(&m->client, &kind, &audience.is.server, number);
}

int audience_open(int64_t stall_us) {
  int64_t begun = audience.progress_us = now_us();
  audience.started = audience.ready = audience.gone = 0;
  while (audience.ready + audience.gone < audience.is.sockets &&
         now_us() - audience.progress_us < stall_us) {
    while (audience.started < audience.is.sockets &&
           audience.started - audience.ready - audience.gone < AT_ONCE)
      start_one(audience.started++);
    loop_turn(TURN_MS);
  }
  audience_totals.opening_us += audience.progress_us - begun;
  audience_totals.opened += audience.ready;
  audience_totals.refused += audience.is.sockets - audience.ready - audience.gone;
  memset(audience.subscribed, 0, (size_t)audience.is.call_count * sizeof(*audience.subscribed));
  for (int i = 0; i < audience.started; i++)
    audience.subscribed[i % audience.is.call_count] +=
        audience.members[i].seq && audience.members[i].client.stage == CLIENT_OPEN;
  return audience.ready;
}

int audience_of(int n) {
  return audience.subscribed[n];
}

void audience_close(void) {
  for (int i = 0; i < audience.started; i++)
    client_leave(&audience.members[i].client);
}
