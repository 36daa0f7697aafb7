/* The names of everything in Redis. */

#include "common/keys.h"

#include <stdio.h>
#include <string.h>

int keys_shard(const char *id) {
  return id_owner_hash(id) % KEYS_SHARDS;
}

int keys_shard_of_owner(const char *api_key) {
  return id_hash_owner(api_key) % KEYS_SHARDS;
}

static void shard_key(int shard, const char *name, char out[KEYS_SIZE]) {
  snprintf(out, KEYS_SIZE, "mcs:{%x}:%s", (unsigned)shard, name);
}

void keys_whole(int shard, char out[KEYS_SIZE]) {
  shard_key(shard, "whole", out);
}
void keys_clock(int shard, char out[KEYS_SIZE]) {
  shard_key(shard, "clock", out);
}
void keys_due(int shard, char out[KEYS_SIZE]) {
  shard_key(shard, "due", out);
}
void keys_rebuild(int shard, char out[KEYS_SIZE]) {
  shard_key(shard, "rebuild", out);
}
void keys_events(int shard, char out[KEYS_SIZE]) {
  shard_key(shard, "events", out);
}
void keys_call(const char *id, char out[KEYS_SIZE]) {
  snprintf(out, KEYS_SIZE, "mcs:{%x}:call:%s", (unsigned)keys_shard(id), id);
}
void keys_slots(const char *api_key, char out[KEYS_SIZE]) {
  snprintf(out, KEYS_SIZE, "mcs:{%x}:slots:%s", (unsigned)keys_shard_of_owner(api_key), api_key);
}
void keys_window(const char *api_key, char out[KEYS_SIZE]) {
  snprintf(out, KEYS_SIZE, "mcs:{%x}:window:%s", (unsigned)keys_shard_of_owner(api_key), api_key);
}

bool keys_marker_is(const char *marker, size_t len, const char *run_id) {
  size_t id_len = strlen(run_id);
  return id_len && len > id_len && memcmp(marker, run_id, id_len) == 0 && marker[id_len] == ' ';
}
