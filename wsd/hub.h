#pragma once

#include "wsd/lookup_result.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Which subscriber wants which call. A topic is a call with subscribers, and each subscriber knows
 * the `seq` of the last event that it got. Events come from two sides, the feed and lookups, and
 * both carry the call's whole history. So a subscriber gets every event once and in order, whatever
 * was missed in between: subscribe first, read second, drop what is not newer.
 */
struct hub;
struct topic;

/* To be embedded. Zeroed when new; the hub's own while it is joined. */
struct subscriber {
  struct topic *topic; /* NULL: has not joined */
  struct subscriber *prev, *next;
  int seq; /* of the last event delivered; 0 while the call is being looked up */
  /* Set both before joining. With `resumes` the subscriber gets every event later than `after`, 0
   * for all of them; else the present state and every later event. */
  bool resumes;
  int after;
};

enum hub_refusal {
  HUB_UNKNOWN,     /* there is no such call */
  HUB_UNAVAILABLE, /* it could not be looked up */
  HUB_GONE,        /* there was one, but the database no longer has it */
};

/* A callback may call hub_leave() for its own subscriber, and for no other one. */
struct hub_owner {
  /* Frames to be sent to the subscriber, in one piece; `first` when they are the first ones, `last`
   * when they end in a close frame. */
  void (*on_events)(struct subscriber *subscriber, const char *frames, size_t len, bool first,
                    bool last);
  /* The subscriber gets nothing more, and must leave. Only HUB_GONE comes after events. */
  void (*on_refused)(struct subscriber *subscriber, enum hub_refusal refusal);
  /* Starts a lookup, whose result goes to hub_lookup_done() later. False if that is impossible now.
   */
  bool (*look_up)(void *arg, const char *id, uint32_t ticket);
  void *arg; /* for look_up */
};

struct hub *hub_new(struct ev_loop *loop, const struct hub_owner *owner);
/* All subscribers must have left. */
void hub_free(struct hub *hub);

/* The subscriber waits for the call's present state (one that resumes: for all events that it does
 * not have) and gets all later events. The callbacks may be called before this returns. `id` is a
 * well-formed id in lower case. */
void hub_join(struct hub *hub, struct subscriber *subscriber, const char *id);
/* Also for a subscriber that has not joined. */
void hub_leave(struct hub *hub, struct subscriber *subscriber);
/* The call of a subscriber that has joined. */
const char *hub_id(const struct subscriber *subscriber);

/* A packed line came on a channel of events. */
void hub_event(struct hub *hub, const char *line, size_t len);
void hub_lookup_done(struct hub *hub, const struct lookup_result *result);
/* Events may have been missed: looks every topic up again, some at a time. */
void hub_recheck(struct hub *hub);
