/* Call ids: how they are made, checked, and what they tell. */

#include "calls/id.h"

#include "common/clock.h"

#include <assert.h>
#include <stddef.h>
#include <uuid/uuid.h>

static const char hex[] = "0123456789abcdef";

void id_format(const uint8_t bytes[16], char out[ID_SIZE]) {
  char *p = out;
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      *p++ = '-';
    *p++ = hex[bytes[i] >> 4];
    *p++ = hex[bytes[i] & 15];
  }
  *p = '\0';
}

void id_new(int shard, char out[ID_SIZE]) {
  uint8_t bytes[16];
  uuid_generate_random(bytes); /* brings the variant's bits; the rest of rand_a and rand_b stays */
  uint64_t now = (uint64_t)clock_wall_ms();
  for (int i = 0; i < 6; i++)
    bytes[i] = (uint8_t)(now >> (40 - 8 * i));
  bytes[6] = (uint8_t)(0x70 | (bytes[6] & 0x0f));
  bytes[15] = (uint8_t)((bytes[15] & ~(ID_SHARDS - 1)) | shard);
  id_format(bytes, out);
}

static int nibble(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

bool id_parse(const char *text, char out[ID_SIZE]) {
  for (int i = 0; i < ID_SIZE - 1; i++) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : nibble(text[i]) < 0)
      return false; /* also where the text ends early: a NUL is neither */
    out[i] = dash ? '-' : hex[nibble(text[i])];
  }
  out[ID_SIZE - 1] = '\0';
  return text[ID_SIZE - 1] == '\0';
}

bool id_is_ours(const char *id) {
  return id[14] == '7';
}

int64_t id_created_ms(const char *id) {
  uint64_t ms = 0;
  for (int i = 0; i < 13; i++)
    if (i != 8) /* a dash */
      ms = ms << 4 | (uint64_t)nibble(id[i]);
  return (int64_t)ms;
}

int id_shard(const char *id) {
  return nibble(id[ID_SIZE - 2]) & (ID_SHARDS - 1);
}

int id_shard_of_owner(const char *api_key) {
  uint32_t h = 2166136261u; /* FNV-1a, folded to four bits */
  for (const char *p = api_key; *p; p++)
    h = (h ^ (uint8_t)*p) * 16777619u;
  return (int)((h ^ h >> 8 ^ h >> 16 ^ h >> 24) & (ID_SHARDS - 1));
}
