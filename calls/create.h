#pragma once

#include "calls/call.h"
#include "calls/store.h"
#include "calls/verdict.h"

/* What the creation of a call says besides its verdict. */
struct creation {
  int64_t retry_ms;  /* after a limit: when a place is expected to be free */
  char refusal[240]; /* after VERDICT_REFUSED: which database refuses, and why; "": none said */
};

/*
 * Creates a call of the account `api_key`: draws its plan, makes its id, admits it and stores it,
 * in one round trip to each database. `call` brings the numbers (call_number_valid()) and the
 * metadata (a JSON object); all else is filled in. VERDICT_CREATED only after the commit. Blocks
 * for a few seconds at most.
 */
must_check enum verdict create_call(struct store *store, const char *api_key, struct call *call,
                                    struct creation *creation);
