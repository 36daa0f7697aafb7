/* The names of everything in Redis. */

#include "calls/keys.h"

#include <assert.h>
#include <string.h>

/* "mcs:2:{SHARD}:", then the kind, then whose: every request makes half a dozen of them. */
static void make_key(int shard, const char *kind, const char *whose, char out[KEYS_SIZE]) {
  static const char prefix[] = KEYS_PREFIX "{?}:", hex[] = "0123456789abcdef";
  size_t kind_len = strlen(kind), whose_len = strlen(whose);
  assert(sizeof(prefix) + kind_len + whose_len <= KEYS_SIZE);
  memcpy(out, prefix, sizeof(prefix) - 1);
  out[strcspn(prefix, "?")] = hex[shard];
  memcpy(out + sizeof(prefix) - 1, kind, kind_len);
  memcpy(out + sizeof(prefix) - 1 + kind_len, whose, whose_len + 1);
}

void keys_ready(int shard, char out[KEYS_SIZE]) {
  make_key(shard, "ready", "", out);
}
void keys_clock(int shard, char out[KEYS_SIZE]) {
  make_key(shard, "clock", "", out);
}
void keys_due(int shard, char out[KEYS_SIZE]) {
  make_key(shard, "due", "", out);
}
void keys_rebuild(int shard, char out[KEYS_SIZE]) {
  make_key(shard, "rebuild", "", out);
}
void keys_probe(int shard, char out[KEYS_SIZE]) {
  make_key(shard, "probe", "", out);
}
void keys_events(int shard, char out[KEYS_SIZE]) {
  make_key(shard, "events", "", out);
}
void keys_wake(int shard, char out[KEYS_SIZE]) {
  make_key(shard, "wake", "", out);
}
void keys_call(const char *id, char out[KEYS_SIZE]) {
  make_key(id_shard(id), "call:", id, out);
}
void keys_slots(const char *api_key, char out[KEYS_SIZE]) {
  make_key(id_shard_of_owner(api_key), "slots:", api_key, out);
}
void keys_window(const char *api_key, char out[KEYS_SIZE]) {
  make_key(id_shard_of_owner(api_key), "window:", api_key, out);
}

bool keys_outlives_rebuild(const char *key) {
  const char *kind = strstr(key, "}:");
  return strncmp(key, KEYS_PREFIX, strlen(KEYS_PREFIX)) == 0 && kind &&
         (strcmp(kind, "}:clock") == 0 || strcmp(kind, "}:rebuild") == 0);
}

bool keys_marker_is(const char *marker, size_t len, const char *run_id) {
  size_t id_len = strlen(run_id);
  return id_len && len > id_len && memcmp(marker, run_id, id_len) == 0 && marker[id_len] == ' ';
}
