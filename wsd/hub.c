/* Topics, their subscribers, and the delivery of events. Knows no sockets and no databases. */

#include "wsd/hub.h"

#include "calls/message.h"
#include "common/log.h"
#include "wsd/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
  BUCKETS_MIN = 64,
  BACKLOG_MAX = 64,   /* a subscriber gets no more of the events that it missed */
  STALE_TRIES = 3,    /* lookups in a row whose result may be older than an event */
  RECHECK_PACE = 256, /* lookups started at a time */
};
static const double recheck_pause_s = 0.05;
static const double recheck_retry_s = 1;

struct topic {
  struct topic *next; /* in its bucket */
  struct subscriber *subscribers;
  int seq;          /* of the newest event that we know of */
  uint32_t ticket;  /* of the lookup whose result counts; 0 when there is none */
  uint32_t checked; /* the hub's round in which it was last looked up */
  uint8_t stale_tries;
  uint8_t busy; /* how many functions up the stack use it: do not free it */
  char id[ID_SIZE];
};

struct hub {
  struct ev_loop *loop;
  struct hub_owner owner;
  struct topic **buckets; /* a power of two of them */
  size_t bucket_count, topic_count;
  uint32_t seed;
  uint32_t tickets;   /* the last one given out */
  uint32_t round;     /* grows with each recheck */
  size_t recheck_at;  /* the next bucket of the round under way */
  bool recheck_again; /* some topic of this round could not be looked up */
  ev_timer recheck_timer;
  struct buf frames, text; /* scratch */
};

/* --- the table -------------------------------------------------------------------------------- */

static size_t bucket_of(const struct hub *hub, const char *id) {
  uint32_t h = 2166136261u ^ hub->seed;
  for (int i = 0; i < ID_SIZE - 1; i++)
    h = (h ^ (uint8_t)id[i]) * 16777619u;
  h ^= h >> 15;
  return h & (hub->bucket_count - 1);
}

static struct topic *topic_find(const struct hub *hub, const char *id) {
  struct topic *topic = hub->buckets[bucket_of(hub, id)];
  while (topic && memcmp(topic->id, id, ID_SIZE) != 0)
    topic = topic->next;
  return topic;
}

static void set_buckets(struct hub *hub, size_t count) {
  struct topic **old = hub->buckets;
  size_t old_count = hub->bucket_count;
  hub->buckets = calloc(count, sizeof(struct topic *));
  if (!hub->buckets)
    log_oom();
  hub->bucket_count = count;
  for (size_t i = 0; i < old_count; i++)
    for (struct topic *topic = old[i], *next; topic; topic = next) {
      next = topic->next;
      struct topic **bucket = &hub->buckets[bucket_of(hub, topic->id)];
      topic->next = *bucket;
      *bucket = topic;
    }
  free(old);
  hub->recheck_at = 0; /* topics that the round has seen are known by `checked` */
}

static struct topic *topic_add(struct hub *hub, const char *id) {
  if (hub->topic_count >= hub->bucket_count)
    set_buckets(hub, hub->bucket_count * 2);
  struct topic *topic = calloc(1, sizeof(*topic));
  if (!topic)
    log_oom();
  memcpy(topic->id, id, ID_SIZE);
  struct topic **bucket = &hub->buckets[bucket_of(hub, id)];
  topic->next = *bucket;
  *bucket = topic;
  hub->topic_count++;
  return topic;
}

/* Frees the topic if it has no subscribers and no function uses it. */
static void topic_release(struct hub *hub, struct topic *topic) {
  if (topic->subscribers || topic->busy)
    return;
  struct topic **link = &hub->buckets[bucket_of(hub, topic->id)];
  while (*link != topic)
    link = &(*link)->next;
  *link = topic->next;
  free(topic);
  hub->topic_count--;
}

/* --- delivery --------------------------------------------------------------------------------- */

/* The `seq` of the last event that the subscriber has, or does not want. */
static int known(const struct subscriber *s, int newest) {
  if (s->seq == 0 && !s->resumes)
    return newest - 1;
  return s->seq > s->after ? s->seq : s->after;
}

/* The `seq` of the oldest event that one of the topic's subscribers has not got. */
static int oldest_missing(const struct topic *topic, int newest) {
  int oldest = newest;
  for (const struct subscriber *s = topic->subscribers; s; s = s->next)
    if (known(s, newest) + 1 < oldest)
      oldest = known(s, newest) + 1;
  return newest - oldest < BACKLOG_MAX ? oldest : newest - BACKLOG_MAX + 1;
}

/* Writes the frames of the events `from` … call->seq, and the close frame of a final call after
 * them; starts[i] is where the frame of `from + i` begins. */
static void render(struct hub *hub, const struct call *call, int from, size_t *starts) {
  buf_clear(&hub->frames);
  for (int seq = from; seq <= call->seq; seq++) {
    starts[seq - from] = hub->frames.len;
    buf_clear(&hub->text);
    message_event(&hub->text, call, seq);
    frame_text(&hub->frames, hub->text.data, hub->text.len);
  }
  starts[call->seq + 1 - from] = hub->frames.len;
  if (call_is_final(call))
    frame_close(&hub->frames, CLOSE_NORMAL, "Call finished");
}

/* Gives every subscriber the events that it has not got. One that waits gets the present state
 * only, unless it resumes (and a stale result may even be older than what it has). Each
 * subscriber's share is the tail of one buffer, so all is rendered once and sent in one piece. */
static void deliver(struct hub *hub, struct topic *topic, const struct call *call) {
  size_t starts[BACKLOG_MAX + 1] = {0};
  int newest = call->seq, from = oldest_missing(topic, newest);
  bool last = call_is_final(call);
  render(hub, call, from, starts);
  if (topic->seq < newest)
    topic->seq = newest;
  topic->busy++;
  for (struct subscriber *s = topic->subscribers, *next; s; s = next) {
    next = s->next;
    if (s->seq >= newest && !last)
      continue;
    bool first = s->seq == 0;
    int has = known(s, newest), want = has < from ? from : has + 1;
    size_t at = starts[(want <= newest ? want : newest + 1) - from];
    s->seq = has > newest ? has : newest;
    hub->owner.on_events(s, hub->frames.data + at, hub->frames.len - at, first, last);
  }
  topic->busy--;
}

/* Refuses all subscribers (`all`), or those that still wait for their first event. */
static void refuse(struct hub *hub, struct topic *topic, enum hub_refusal why, bool all) {
  topic->busy++;
  for (struct subscriber *s = topic->subscribers, *next; s; s = next) {
    next = s->next;
    if (s->seq == 0)
      hub->owner.on_refused(s, why);
    else if (all)
      hub->owner.on_refused(s, HUB_GONE);
  }
  topic->busy--;
}

/* No store can be read now: subscribers that wait are refused, the others' topic is looked up again
 * later. */
static void on_unavailable(struct hub *hub, struct topic *topic) {
  refuse(hub, topic, HUB_UNAVAILABLE, false);
  topic->checked = hub->round - 1;
  hub->recheck_again = true;
  if (topic->subscribers && !ev_is_active(&hub->recheck_timer)) {
    ev_timer_set(&hub->recheck_timer, recheck_retry_s, 0.);
    ev_timer_start(hub->loop, &hub->recheck_timer);
  }
}

/* May refuse subscribers, which then leave; the caller releases the topic. */
static void look_up(struct hub *hub, struct topic *topic) {
  if (++hub->tickets == 0)
    hub->tickets = 1;
  topic->ticket = hub->tickets;
  topic->checked = hub->round;
  if (hub->owner.look_up(hub->owner.arg, topic->id, topic->ticket))
    return;
  topic->ticket = 0;
  topic->busy++;
  on_unavailable(hub, topic);
  topic->busy--;
}

void hub_event(struct hub *hub, const char *line, size_t len) {
  char id[ID_SIZE];
  if (len < ID_SIZE)
    return;
  memcpy(id, line, ID_SIZE - 1);
  id[ID_SIZE - 1] = '\0';
  struct topic *topic = topic_find(hub, id);
  if (!topic)
    return; /* most events, where there are many wsds */
  struct call call;
  if (!call_unpack(line, len, &call)) {
    log_warn("event.malformed", "id=%s", id);
    return;
  }
  deliver(hub, topic, &call);
  topic_release(hub, topic);
}

/* The result may be older than an event that came meanwhile: then the call is looked up again. */
static void on_found(struct hub *hub, struct topic *topic, const struct call *call) {
  bool stale = call->seq < topic->seq;
  topic->stale_tries = stale ? topic->stale_tries + 1 : 0;
  deliver(hub, topic, call);
  if (stale && topic->subscribers && topic->stale_tries <= STALE_TRIES)
    look_up(hub, topic);
}

void hub_lookup_done(struct hub *hub, const struct lookup_result *result) {
  struct topic *topic = topic_find(hub, result->id);
  if (!topic || topic->ticket != result->ticket)
    return; /* all subscribers left, or it was looked up anew */
  topic->ticket = 0;
  topic->busy++;
  switch (result->outcome) {
  case LOOKUP_FOUND:
    on_found(hub, topic, result->call);
    break;
  case LOOKUP_UNKNOWN:
    refuse(hub, topic, HUB_UNKNOWN, true);
    break;
  case LOOKUP_UNAVAILABLE:
    on_unavailable(hub, topic);
    break;
  }
  topic->busy--;
  topic_release(hub, topic);
}

/* --- joining and leaving ---------------------------------------------------------------------- */

void hub_join(struct hub *hub, struct subscriber *subscriber, const char *id) {
  assert(!subscriber->topic);
  struct topic *topic = topic_find(hub, id);
  if (!topic)
    topic = topic_add(hub, id);
  *subscriber = (struct subscriber){.topic = topic,
                                    .next = topic->subscribers,
                                    .resumes = subscriber->resumes,
                                    .after = subscriber->after};
  if (subscriber->next)
    subscriber->next->prev = subscriber;
  topic->subscribers = subscriber;
  /* A lookup under way will do: what happened since it began came, or will come, as an event, and
   * on_found() notices when the result is the older one. */
  if (!topic->ticket) {
    topic->busy++;
    look_up(hub, topic);
    topic->busy--;
    topic_release(hub, topic);
  }
}

void hub_leave(struct hub *hub, struct subscriber *subscriber) {
  struct topic *topic = subscriber->topic;
  if (!topic)
    return;
  if (subscriber->prev)
    subscriber->prev->next = subscriber->next;
  else
    topic->subscribers = subscriber->next;
  if (subscriber->next)
    subscriber->next->prev = subscriber->prev;
  *subscriber = (struct subscriber){0};
  topic_release(hub, topic);
}

const char *hub_id(const struct subscriber *subscriber) {
  assert(subscriber->topic);
  return subscriber->topic->id;
}

/* --- looking up again ------------------------------------------------------------------------- */

/* Looks up the topics of one bucket that this round has not seen, and returns how many. */
static int recheck_bucket(struct hub *hub, size_t bucket) {
  int started = 0;
  for (struct topic *topic = hub->buckets[bucket], *next; topic; topic = next) {
    if (topic->checked != hub->round) {
      started++;
      topic->busy++;
      look_up(hub, topic);
      topic->busy--;
    }
    next = topic->next;
    topic_release(hub, topic);
  }
  return started;
}

static void on_recheck(struct ev_loop *loop, ev_timer *timer, int events) {
  struct hub *hub = timer->data;
  int started = 0;
  ev_timer_stop(loop, timer);
  while (hub->recheck_at < hub->bucket_count && started < RECHECK_PACE)
    started += recheck_bucket(hub, hub->recheck_at++);
  bool done = hub->recheck_at >= hub->bucket_count;
  if (done && !hub->recheck_again)
    return;
  if (done) {
    hub->recheck_at = 0;
    hub->recheck_again = false;
  }
  ev_timer_set(timer, done ? recheck_retry_s : recheck_pause_s, 0.);
  ev_timer_start(loop, timer);
}

void hub_recheck(struct hub *hub) {
  hub->round++;
  hub->recheck_at = 0;
  hub->recheck_again = false;
  ev_timer_stop(hub->loop, &hub->recheck_timer);
  ev_timer_set(&hub->recheck_timer, 0., 0.);
  ev_timer_start(hub->loop, &hub->recheck_timer);
}

/* --- life ------------------------------------------------------------------------------------- */

struct hub *hub_new(struct ev_loop *loop, const struct hub_owner *owner) {
  struct hub *hub = calloc(1, sizeof(*hub));
  if (!hub)
    log_oom();
  hub->loop = loop;
  hub->owner = *owner;
  hub->seed = arc4random();
  set_buckets(hub, BUCKETS_MIN);
  ev_timer_init(&hub->recheck_timer, on_recheck, 0., 0.);
  hub->recheck_timer.data = hub;
  return hub;
}

void hub_free(struct hub *hub) {
  assert(hub->topic_count == 0);
  ev_timer_stop(hub->loop, &hub->recheck_timer);
  free(hub->buckets);
  buf_done(&hub->frames);
  buf_done(&hub->text);
  free(hub);
}
