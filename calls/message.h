#pragma once

#include "calls/call.h"

/* The texts of all messages that clients get over /ws. */

/* The first message of a subscription. */
void message_connected(struct buf *out, const char *id);

/* The event number `seq` (1 … call->seq) of a call. It stays the same whatever happens to the call
 * later: an upload that failed permanently is told as that, also once a retry has brought the
 * recording. */
void message_event(struct buf *out, const struct call *call, int seq);
