#pragma once

#include <stdint.h>

/*
 * The connections that wait for a time-out, in one queue for each kind of waiting. All in one queue
 * wait equally long, so the last one that came is due last: putting and taking cost O(1), and one
 * timer a second serves all connections.
 */
enum roster_queue {
  ROSTER_REQUEST, /* until the handshake must have its response */
  ROSTER_OPEN,    /* until the next ping */
  ROSTER_LEAVING, /* until a connection that is being closed is dropped */
  ROSTER__MAX,
};

/* To be embedded. In a queue exactly while queue != ROSTER__MAX; set it so before the first use. */
struct roster_entry {
  struct roster_entry *prev, *next;
  int64_t due_ms; /* monotonic */
  enum roster_queue queue;
};

struct roster {
  struct roster_entry *head[ROSTER__MAX], *tail[ROSTER__MAX];
};

/* Puts the entry at the end of `queue`, out of the one it is in. */
void roster_put(struct roster *roster, struct roster_entry *entry, enum roster_queue queue);
void roster_remove(struct roster *roster, struct roster_entry *entry);
/* The first of the queue, if its time is up; NULL otherwise. */
struct roster_entry *roster_due(const struct roster *roster, enum roster_queue queue,
                                int64_t now_ms);
/* The first of the queue, or NULL. */
struct roster_entry *roster_first(const struct roster *roster, enum roster_queue queue);
