/* Queues of equal waits. What happens when one is over is the caller's business. */

#include "wsd/roster.h"

#include "common/clock.h"

#include <assert.h>
#include <stddef.h>

static const int64_t wait_ms[ROSTER__MAX] = {
    [ROSTER_REQUEST] = 10000,
    [ROSTER_OPEN] = 25000, /* web servers close what is silent for 60 s */
    [ROSTER_LEAVING] = 2000,
};

void roster_remove(struct roster *roster, struct roster_entry *entry) {
  enum roster_queue queue = entry->queue;
  if (queue == ROSTER__MAX)
    return;
  if (entry->prev)
    entry->prev->next = entry->next;
  else
    roster->head[queue] = entry->next;
  if (entry->next)
    entry->next->prev = entry->prev;
  else
    roster->tail[queue] = entry->prev;
  entry->prev = entry->next = NULL;
  entry->queue = ROSTER__MAX;
}

void roster_put(struct roster *roster, struct roster_entry *entry, enum roster_queue queue) {
  assert(queue < ROSTER__MAX);
  roster_remove(roster, entry);
  entry->queue = queue;
  entry->due_ms = clock_monotonic_ms() + wait_ms[queue];
  entry->prev = roster->tail[queue];
  entry->next = NULL;
  if (entry->prev)
    entry->prev->next = entry;
  else
    roster->head[queue] = entry;
  roster->tail[queue] = entry;
}

struct roster_entry *roster_first(const struct roster *roster, enum roster_queue queue) {
  return roster->head[queue];
}

struct roster_entry *roster_due(const struct roster *roster, enum roster_queue queue,
                                int64_t now_ms) {
  struct roster_entry *first = roster->head[queue];
  return first && first->due_ms <= now_ms ? first : NULL;
}
