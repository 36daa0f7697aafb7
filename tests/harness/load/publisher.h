#pragma once

#include "calls/call.h"
#include "common/config.h"

/*
 * Calls of the bench's own and their events, written into Redis and published as the service does
 * it. Commands wait until they are sent, all in one write; their replies are taken when there are
 * any, and only counted. Ends the program when Redis does not answer for `patience_us`.
 */

/* What must not be: events that nobody had subscribed to, and errors that Redis replied. */
struct publisher_errors {
  long unheard, redis;
};
extern struct publisher_errors publisher_errors;

/* By the settings for Redis. `ready_frames`: for bench/push.c instead of wsd. */
void publisher_open(const struct config *config, bool ready_frames, int64_t patience_us);
void publisher_close(void);
/* Readable when there are replies; publisher_take_replies() takes those, or waits for one. */
int publisher_fd(void);
void publisher_take_replies(void);

/* Makes a new call in its first state; gives it its next state, or its recording once more. */
void publisher_new_call(struct call *call);
void publisher_move_on(struct call *call);

/* Adds to what is to be sent: the call's live state; that, and its latest event. */
void publisher_store(const struct call *call);
void publisher_announce(const struct call *call);
void publisher_send(void);
/* Sends, and waits for all replies. */
void publisher_flush(void);
