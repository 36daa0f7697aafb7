#pragma once

#include "wsd/lookup_result.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Who watches which call. A topic is a call that is watched; it has its watchers, and each watcher
 * knows the number of the last news that it got. News come from two sides, events and lookups, and
 * both carry the whole history, so every watcher gets every number once and in order whatever was
 * missed in between: subscribe first, read second, drop what is not newer.
 */
struct hub;
struct topic;

/* To be embedded. Zeroed when new; the hub's own while it is joined. */
struct subscriber {
  struct topic *topic; /* NULL: has not joined */
  struct subscriber *prev, *next;
  int seq; /* of the last news delivered; 0 while the record is being looked up */
  /* To be set before joining: it wants every event later than `after`, 0 for all of them; else the
   * present state, and what comes after that. */
  bool resumes;
  int after;
};

enum hub_refusal {
  HUB_UNKNOWN,     /* there is no such call */
  HUB_UNAVAILABLE, /* it could not be looked up */
  HUB_GONE,        /* there was one, but the record has it no longer */
};

/* The callbacks may call hub_leave() for the watcher that they are called for and no other. */
struct hub_owner {
  /* Frames to be sent to the watcher, in one piece; `first` when they are the first ones, `last`
   * when they end in a close frame. */
  void (*on_news)(struct subscriber *subscriber, const char *frames, size_t len, bool first,
                  bool last);
  /* The watcher gets nothing more, and is to leave. Only HUB_GONE comes after news. */
  void (*on_refused)(struct subscriber *subscriber, enum hub_refusal refusal);
  /* Starts a lookup, whose answer goes to hub_lookup_done() later. False if that is impossible now.
   */
  bool (*look_up)(void *arg, const char *id, uint32_t ticket);
  void *arg; /* for look_up */
};

struct hub *hub_new(struct ev_loop *loop, const struct hub_owner *owner);
/* Nobody may be joined any more. */
void hub_free(struct hub *hub);

/* Lets the watcher wait for the call's present state (one that resumes: for all that it does not
 * have) and all later news. The callbacks may be called before this returns. `id` is a well-formed
 * id in lower case. */
void hub_join(struct hub *hub, struct subscriber *subscriber, const char *id);
/* Also for one that has not joined. */
void hub_leave(struct hub *hub, struct subscriber *subscriber);
/* The call that a joined watcher watches. */
const char *hub_id(const struct subscriber *subscriber);

/* A packed line came on a channel of events. */
void hub_event(struct hub *hub, const char *line, size_t len);
void hub_lookup_done(struct hub *hub, const struct lookup_result *result);
/* Events may have been missed: looks every topic up again, in paces. */
void hub_recheck(struct hub *hub);
