/* The valid API keys, and their lookup in constant time. */

#include "calls/keyring.h"

#include "common/log.h"

#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <stdint.h>
#include <string.h>

struct entry {
  char *key;
  uint8_t digest[SHA256_DIGEST_SIZE];
};

struct keyring {
  struct entry *entries;
  size_t count;
};

static void digest(const char *text, size_t len, uint8_t out[SHA256_DIGEST_SIZE]) {
  struct sha256_ctx ctx;
  sha256_init(&ctx);
  sha256_update(&ctx, len, (const uint8_t *)text);
  sha256_digest(&ctx, SHA256_DIGEST_SIZE, out);
}

static void add(struct keyring *ring, const char *key, size_t len) {
  ring->entries = realloc(ring->entries, (ring->count + 1) * sizeof(*ring->entries));
  if (!ring->entries)
    log_oom();
  struct entry *e = &ring->entries[ring->count++];
  e->key = strndup(key, len);
  if (!e->key)
    log_oom();
  digest(key, len, e->digest);
}

struct keyring *keyring_new(const char *list) {
  struct keyring *ring = calloc(1, sizeof(*ring));
  if (!ring)
    log_oom();
  while (*list) {
    list += strspn(list, ", ");
    size_t len = strcspn(list, ", ");
    if (len && !keyring_find(ring, list, len))
      add(ring, list, len);
    list += len;
  }
  return ring;
}

void keyring_free(struct keyring *ring) {
  if (!ring)
    return;
  for (size_t i = 0; i < ring->count; i++)
    free(ring->entries[i].key);
  free(ring->entries);
  free(ring);
}

const char *keyring_find(const struct keyring *ring, const char *token, size_t len) {
  uint8_t wanted[SHA256_DIGEST_SIZE];
  const char *found = NULL;
  digest(token, len, wanted);
  for (size_t i = 0; i < ring->count; i++)
    if (memeql_sec(ring->entries[i].digest, wanted, sizeof(wanted)))
      found = ring->entries[i].key;
  return found;
}

size_t keyring_count(const struct keyring *ring) {
  return ring->count;
}

const char *keyring_key(const struct keyring *ring, size_t i) {
  return ring->entries[i].key;
}
