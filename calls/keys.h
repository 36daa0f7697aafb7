#pragma once

#include "calls/id.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The names of everything in Redis. Keys carry the hash tag of their shard, so that all that one
 * script touches lies in one slot of a cluster. A call's shard is the last digit of its id, which
 * is hashed from its API key; so a key's calls all live in one shard.
 */
enum { KEYS_SIZE = 160 };

/* The digit is the version of what the keys hold: a program that knows another version reads none
 * of them. Keys of version 1 had no digit ("mcs:{0}:due"). */
#define KEYS_PREFIX "mcs:2:"

/* What SCAN finds all keys of all shards by, those of version 1 as well. */
#define KEYS_PATTERN "mcs:*{?}:*"

void keys_ready(int shard, char out[KEYS_SIZE]);     /* marker "RUN_ID EPOCH" */
void keys_clock(int shard, char out[KEYS_SIZE]);     /* string "WALL_US LOGICAL_US" */
void keys_due(int shard, char out[KEYS_SIZE]);       /* sorted set: job → due time, logical µs */
void keys_rebuild(int shard, char out[KEYS_SIZE]);   /* the token of a rebuild under way */
void keys_probe(int shard, char out[KEYS_SIZE]);     /* key and channel of lua/probe.lua */
void keys_events(int shard, char out[KEYS_SIZE]);    /* pub/sub channel of packed lines */
void keys_wake(int shard, char out[KEYS_SIZE]);      /* pub/sub channel: a job is due earlier */
void keys_call(const char *id, char out[KEYS_SIZE]); /* packed line, newline, metadata */
void keys_slots(const char *api_key, char out[KEYS_SIZE]);  /* sorted set: id → expected end */
void keys_window(const char *api_key, char out[KEYS_SIZE]); /* sorted set: id → admission time */

/* True if the marker's text says that the live state in the Redis with that run id is ready. */
bool keys_marker_is(const char *marker, size_t len, const char *run_id);

/* True for the keys that a rebuild does not remove: its token and the clock. */
bool keys_outlives_rebuild(const char *key);
