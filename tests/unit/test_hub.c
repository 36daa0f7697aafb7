/* The hub (wsd/hub.c): which subscriber gets which event, whatever order events, lookups and
 * subscribers come in. */

#include "wsd/hub.h"

#include "tests/unit/test.h"

#include <stdlib.h>

#define ID_A "0190aaaa-bbbb-7ccc-8ddd-0000000000a5"
#define ID_B "0190aaaa-bbbb-7ccc-8ddd-0000000000b6"

/* A subscriber that notes what it gets: "+" before the first event, each `seq`, "." at the last. */
struct client {
  struct subscriber subscriber;
  char got[128];
};

static struct ev_loop *loop;
static struct hub *hub;
static char asked[4096]; /* the last character of each id that was looked up */
static uint32_t last_ticket;
static bool can_ask;

static void note(struct client *client, const char *text) {
  size_t len = strlen(client->got);
  snprintf(client->got + len, sizeof(client->got) - len, "%s", text);
}

/* All payloads are below 126 bytes or in 2-byte form; each `seq` is read out of them. */
static void note_frames(struct client *client, const char *frames, size_t len) {
  const char *end = frames + len;
  for (const char *at = frames; at < end;) {
    size_t size = (unsigned char)at[1], header = 2;
    if (size == 126) {
      size = (size_t)(unsigned char)at[2] << 8 | (unsigned char)at[3];
      header = 4;
    }
    const char *seq = memmem(at, header + size, "\"seq\":", 6);
    if (seq) {
      char number[12];
      snprintf(number, sizeof(number), "%d", atoi(seq + 6));
      note(client, number);
    }
    at += header + size;
    CHECK(at <= end);
  }
}

static void on_events(struct subscriber *s, const char *frames, size_t len, bool first, bool last) {
  struct client *client = (struct client *)s;
  if (first)
    note(client, "+");
  note_frames(client, frames, len);
  if (last)
    note(client, ".");
  if (last)
    hub_leave(hub, s);
}

static void on_refused(struct subscriber *s, enum hub_refusal why) {
  static const char *const names[] = {
      [HUB_UNKNOWN] = "?", [HUB_UNAVAILABLE] = "!", [HUB_GONE] = "x"};
  note((struct client *)s, names[why]);
  hub_leave(hub, s);
}

static bool look_up(void *arg, const char *id, uint32_t ticket) {
  size_t len = strlen(asked);
  snprintf(asked + len, sizeof(asked) - len, "%c", id[ID_SIZE - 2]);
  last_ticket = ticket;
  return can_ask;
}

static void begin(void) {
  static const struct hub_owner owner = {on_events, on_refused, look_up, NULL};
  loop = ev_loop_new(0);
  hub = hub_new(loop, &owner);
  asked[0] = '\0';
  can_ask = true;
}

static void finish(void) {
  hub_free(hub); /* asserts that no topic is left */
  ev_loop_destroy(loop);
}

static struct call make_call(const char *id, int seq, bool final) {
  struct call call = {.seq = seq,
                      .updated_ms = 1000,
                      .upload = final ? UPLOAD_COMPLETED : UPLOAD_WAITING,
                      .from = "+1",
                      .to = "+2",
                      .api_key = "k"};
  snprintf(call.id, sizeof(call.id), "%s", id);
  return call;
}

static void event(const char *id, int seq, bool final) {
  struct call call = make_call(id, seq, final);
  cleanup_buf struct buf line = {0};
  call_pack(&line, &call);
  hub_event(hub, line.data, line.len);
}

static void found_with(const char *id, uint32_t ticket, int seq, bool final) {
  struct call call = make_call(id, seq, final);
  hub_lookup_done(hub, &(struct lookup_result){id, ticket, LOOKUP_FOUND, &call});
}

static void found(const char *id, int seq, bool final) {
  found_with(id, last_ticket, seq, final);
}

static void nothing(const char *id, enum lookup_outcome outcome) {
  hub_lookup_done(hub, &(struct lookup_result){id, last_ticket, outcome, NULL});
}

static void test_state_then_events(void) {
  struct client a = {0};
  begin();
  hub_join(hub, &a.subscriber, ID_A);
  CHECK_STR(a.got, "");
  found(ID_A, 2, false);
  CHECK_STR(a.got, "+2");
  event(ID_A, 3, false);
  event(ID_A, 4, false);
  event(ID_A, 5, true);
  CHECK_STR(a.got, "+2345.");
  CHECK_STR(asked, "5");
  finish();
}

static void test_old_and_repeated_events_are_dropped(void) {
  struct client a = {0};
  begin();
  hub_join(hub, &a.subscriber, ID_A);
  found(ID_A, 3, false);
  event(ID_A, 2, false);
  event(ID_A, 3, false);
  event(ID_A, 4, false);
  event(ID_A, 4, false);
  CHECK_STR(a.got, "+34");
  hub_leave(hub, &a.subscriber);
  finish();
}

static void test_gaps_are_filled(void) {
  struct client a = {0}, b = {0};
  begin();
  hub_join(hub, &a.subscriber, ID_A);
  found(ID_A, 1, false);
  hub_join(hub, &b.subscriber, ID_A);
  found(ID_A, 2, false); /* b's lookup: an event for a as well */
  CHECK_STR(a.got, "+12");
  CHECK_STR(b.got, "+2");
  event(ID_A, 5, true);
  CHECK_STR(a.got, "+12345.");
  CHECK_STR(b.got, "+2345.");
  finish();
}

static void join_after(struct client *client, int after) {
  client->subscriber.resumes = true;
  client->subscriber.after = after;
  hub_join(hub, &client->subscriber, ID_A);
}

static void test_resumed_subscribers_get_what_they_miss(void) {
  struct client all = {0}, two = {0}, newest = {0}, ahead = {0};
  begin();
  join_after(&all, 0);
  join_after(&two, 2);
  join_after(&ahead, 9);
  hub_join(hub, &newest.subscriber, ID_A);
  found(ID_A, 3, false);
  CHECK_STR(all.got, "+123");
  CHECK_STR(two.got, "+3");
  CHECK_STR(newest.got, "+3");
  CHECK_STR(ahead.got, "+");
  event(ID_A, 5, true);
  CHECK_STR(all.got, "+12345.");
  CHECK_STR(two.got, "+345.");
  CHECK_STR(newest.got, "+345.");
  CHECK_STR(ahead.got, "+.");
  finish();
}

/* One that has none yet, and comes when all is over. */
static void test_all_events_of_a_finished_call(void) {
  struct client all = {0};
  begin();
  join_after(&all, 0);
  found(ID_A, 5, true);
  CHECK_STR(all.got, "+12345.");
  finish();
}

static void test_event_serves_who_waits(void) {
  struct client a = {0};
  begin();
  hub_join(hub, &a.subscriber, ID_A);
  event(ID_A, 3, false);
  CHECK_STR(a.got, "+3");
  found(ID_A, 2, false); /* older than the event: asked again */
  CHECK_STR(a.got, "+3");
  CHECK_STR(asked, "55");
  found(ID_A, 3, false);
  CHECK_STR(a.got, "+3");
  hub_leave(hub, &a.subscriber);
  finish();
}

/* b joins while a's lookup is under way, after an event that the answer does not know yet. */
static void test_late_joiner_misses_nothing(void) {
  struct client a = {0}, b = {0};
  begin();
  hub_join(hub, &a.subscriber, ID_A);
  event(ID_A, 5, true);
  CHECK_STR(a.got, "+5.");
  hub_join(hub, &b.subscriber, ID_A);
  found(ID_A, 5, true);
  CHECK_STR(b.got, "+5.");

  struct client c = {0}, d = {0};
  hub_join(hub, &c.subscriber, ID_B);
  event(ID_B, 2, false);
  hub_join(hub, &d.subscriber, ID_B);
  CHECK_STR(asked, "556");
  found(ID_B, 1, false);
  CHECK_STR(d.got, "+1");
  CHECK_STR(asked, "5566");
  found(ID_B, 2, false);
  CHECK_STR(d.got, "+12");
  CHECK_STR(c.got, "+2");
  hub_leave(hub, &c.subscriber);
  hub_leave(hub, &d.subscriber);
  finish();
}

static void test_a_lagging_database_is_not_asked_for_ever(void) {
  struct client a = {0};
  begin();
  hub_join(hub, &a.subscriber, ID_A);
  event(ID_A, 4, false);
  for (int i = 0; i < 50; i++)
    found(ID_A, 1, false);
  CHECK(strlen(asked) < 10);
  hub_leave(hub, &a.subscriber);
  finish();
}

static void test_answers_to_old_questions_do_not_count(void) {
  struct client a = {0}, b = {0};
  begin();
  hub_join(hub, &a.subscriber, ID_A);
  uint32_t old = last_ticket;
  hub_leave(hub, &a.subscriber);
  found_with(ID_A, old, 1, false); /* nobody is there */
  hub_join(hub, &b.subscriber, ID_A);
  found_with(ID_A, old, 1, false);
  CHECK_STR(b.got, "");
  found(ID_A, 2, false);
  CHECK_STR(b.got, "+2");
  hub_leave(hub, &b.subscriber);
  finish();
}

static void test_refusals(void) {
  struct client a = {0}, b = {0}, c = {0}, d = {0};
  begin();
  hub_join(hub, &a.subscriber, ID_A);
  nothing(ID_A, LOOKUP_UNKNOWN);
  CHECK_STR(a.got, "?");
  hub_join(hub, &b.subscriber, ID_A);
  nothing(ID_A, LOOKUP_UNAVAILABLE);
  CHECK_STR(b.got, "!");
  can_ask = false;
  hub_join(hub, &c.subscriber, ID_A);
  CHECK_STR(c.got, "!");
  can_ask = true;
  hub_join(hub, &d.subscriber, ID_A);
  found(ID_A, 1, false);
  hub_recheck(hub);
  ev_run(loop, EVRUN_ONCE);
  nothing(ID_A, LOOKUP_UNKNOWN);
  CHECK_STR(d.got, "+1x");
  finish();
}

/* While no store replies, subscribers that wait are refused, the others are looked up again later.
 */
static void test_away_keeps_subscribers(void) {
  struct client a = {0}, b = {0};
  begin();
  hub_join(hub, &a.subscriber, ID_A);
  found(ID_A, 1, false);
  hub_join(hub, &b.subscriber, ID_A);
  nothing(ID_A, LOOKUP_UNAVAILABLE);
  CHECK_STR(a.got, "+1");
  CHECK_STR(b.got, "!");
  asked[0] = '\0';
  while (!*asked)
    ev_run(loop, EVRUN_ONCE);
  found(ID_A, 3, false);
  CHECK_STR(a.got, "+123");
  hub_leave(hub, &a.subscriber);
  finish();
}

static void test_recheck_asks_for_all_once(void) {
  enum { CLIENTS = 700 };
  static struct client clients[CLIENTS];
  char id[ID_SIZE];
  begin();
  for (int i = 0; i < CLIENTS; i++) {
    clients[i] = (struct client){0};
    snprintf(id, sizeof(id), "0190aaaa-bbbb-7ccc-8ddd-%012x", i);
    hub_join(hub, &clients[i].subscriber, id);
    found(id, 1, false);
  }
  CHECK_INT(strlen(asked), CLIENTS);
  asked[0] = '\0';
  hub_recheck(hub);
  while (strlen(asked) < CLIENTS)
    ev_run(loop, EVRUN_ONCE);
  ev_run(loop, EVRUN_NOWAIT);
  CHECK_INT(strlen(asked), CLIENTS);
  for (int i = 0; i < CLIENTS; i++)
    hub_leave(hub, &clients[i].subscriber);
  finish();
}

static void test_nonsense_events(void) {
  struct client a = {0};
  begin();
  hub_join(hub, &a.subscriber, ID_A);
  found(ID_A, 1, false);
  hub_event(hub, "", 0);
  hub_event(hub, ID_A, strlen(ID_A));
  hub_event(hub, ID_A " x", strlen(ID_A) + 2);
  hub_event(hub, ID_A " 2 5", strlen(ID_A) + 4);
  event(ID_B, 2, false);
  CHECK_STR(a.got, "+1");
  event(ID_A, CALL_SEQ_MAX + 1, false);
  event(ID_A, INT32_MAX, false);
  CHECK_STR(a.got, "+1");
  event(ID_A, CALL_SEQ_MAX, false); /* hardly true, but its last events only, not all */
  CHECK(strlen(a.got) > 2);
  hub_leave(hub, &a.subscriber);
  finish();
}

int main(void) {
  RUN(test_state_then_events);
  RUN(test_old_and_repeated_events_are_dropped);
  RUN(test_gaps_are_filled);
  RUN(test_resumed_subscribers_get_what_they_miss);
  RUN(test_all_events_of_a_finished_call);
  RUN(test_event_serves_who_waits);
  RUN(test_late_joiner_misses_nothing);
  RUN(test_a_lagging_database_is_not_asked_for_ever);
  RUN(test_answers_to_old_questions_do_not_count);
  RUN(test_refusals);
  RUN(test_away_keeps_subscribers);
  RUN(test_recheck_asks_for_all_once);
  RUN(test_nonsense_events);
  return test_done();
}
