#pragma once

#include "calls/call.h"
#include "tests/harness/load/client.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The subscribers of the bench's calls: a number of WebSockets, spread evenly over the calls. There
 * is one audience, which can be opened and closed again and again.
 */

struct audience {
  struct client_server server;
  const char *target; /* the path of the WebSockets */
  bool told_state;    /* the server says first which state the call is in */
  int sockets, call_count;
  const struct call *calls;
  /* An event that is newer than what the subscriber had, read at `read_us`. */
  void (*on_event)(const struct call *call, int seq, int64_t read_us);
};

/* Of all that were opened so far: sockets, why some ended, events that came, and those that came
 * again or after a newer one. */
struct audience_totals {
  long opened, refused, cut, broken, came, twice, disordered;
  int64_t opening_us;
};
extern struct audience_totals audience_totals;

/* `audience` is copied, its calls and target are borrowed. Out of memory ends the program. */
void audience_init(const struct audience *audience);
void audience_done(void);

/* Opens all sockets, and returns how many then wait for nothing but events. It turns the loop, and
 * gives up when nothing happens for `stall_us`. */
int audience_open(int64_t stall_us);
/* How many of them subscribed to the nth call. */
int audience_of(int n);
/* Hangs up. */
void audience_close(void);
