#pragma once

#include "calls/call.h"
#include "calls/store.h"

enum found {
  FIND_FOUND,
  FIND_ABSENT, /* there is none, or it is another account's */
  FIND_DOWN,   /* no database that could tell answers */
};

/* What a found call points into. */
struct find_held {
  redisReply *reply;
  PGresult *result;
};

/*
 * Finds the call of the account `api_key` with that id (as id_parse() writes it): in Redis if it is
 * live there, in one round trip, else in PostgreSQL. `*held` is to be ended by find_done() when the
 * call is not used any more, whatever the result. Blocks for a few seconds at most.
 */
must_check enum found find_call(struct store *store, const char *api_key, const char *id,
                                struct call *call, struct find_held *held);
void find_done(struct find_held *held);
