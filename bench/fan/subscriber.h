#pragma once

#include "common/buf.h"
#include "calls/call.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A WebSocket that watches a call, and takes apart what it is told: it knows the frames that wsd
 * sends, and no others. A socket is in an epoll set, with the watcher as its data.
 */

enum subscriber_stage {
  SUBSCRIBER_CONNECTING,
  SUBSCRIBER_ASKED, /* waits for the 101 */
  SUBSCRIBER_OPEN,  /* waits for the state that its call is in */
  SUBSCRIBER_READY, /* waits for news */
  SUBSCRIBER_GONE,
};

struct subscriber {
  int fd;
  enum subscriber_stage stage;
  const struct call *call;
  int seq;         /* of the last news that it got */
  struct buf rest; /* the beginning of what is not whole yet */
};

/* What all watchers share. The functions are called from watcher_start() and watcher_turn(). */
struct watching {
  const char *where; /* a unix socket's path, or [ws://]HOST:PORT[/PATH]; HOST is an IPv4 address */
  bool told_state;   /* the server says first which state the call is in */
  int epoll;
  void (*on_ready)(struct subscriber *w);
  /* News that are newer than what it had (w->seq is still the old one), as old, or older. */
  void (*on_news)(struct subscriber *w, int seq, int64_t now_us);
  void (*on_gone)(struct subscriber *w, bool was_ready);
};

/* Why watchers went: a connect or a handshake that failed; the server closed; a frame that is none,
 * or is not about the call. */
struct subscriber_errors {
  long refused, cut, broken;
};
extern struct subscriber_errors subscriber_errors;

/* `shared` is copied. Ends the program if there is no such address. */
void subscriber_share(const struct watching *shared);
/* Begins to connect; the number chooses the local address, which has few ports. */
void subscriber_start(struct subscriber *w, const struct call *call, int number);
/* Its socket can be written, or read. */
void subscriber_turn(struct subscriber *w);
/* Hangs up, if it has not; that is no fault. */
void subscriber_leave(struct subscriber *w);
