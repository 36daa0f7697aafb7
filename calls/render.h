#pragma once

#include "calls/call.h"

/* A call as clients read it: the JSON of GET /calls/{id}, and the members that it shares with
 * messages (calls/message.h), so that both say the same in the same words. */

/* The JSON object; needs the metadata, whose blanks are left out. */
void render_call(struct buf *out, const struct call *call);

/* A further member of an object, with the comma in front of it. `value` is text that needs no
 * escaping: ids, names of states. */
void render_member(struct buf *out, const char *name, const char *value);
void render_time(struct buf *out, const char *name, int64_t ms);
/* "" is null. */
void render_recording(struct buf *out, const char *url);
/* How the call had ended at `seq`; null while it was open: what is planned is not shown. */
void render_outcome(struct buf *out, const struct call *call, int seq);
