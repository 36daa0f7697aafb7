#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Call ids: UUIDs of version 7 (RFC 9562 section 5.7), whose last hexadecimal digit is the shard of
 * the API key that the call belongs to, so that an id alone leads to the call's keys in Redis. It
 * says no more: whose call it is stands in its row and in its live call. (In ids of an earlier
 * version the digit in front of it was hashed from the key as well.)
 */
#define ID_SIZE 37 /* 36 characters and a NUL */
enum { ID_SHARDS = 16 };

/* A new id, made now, for an owner of that shard; 70 bits of it are random. */
void id_new(int shard, char out[ID_SIZE]);
/* Writes the 16 bytes of a UUID in lower case. */
void id_format(const uint8_t bytes[16], char out[ID_SIZE]);
/* Reads a UUID of any version in either case; writes it in lower case. False if it is none. */
bool id_parse(const char *text, char out[ID_SIZE]);
/* Whether a well-formed id was made by id_new(): the Node.js program's are of version 4, all
 * random. */
bool id_is_ours(const char *id);
/* When the id says that it was made, in ms since 1970; no time that means anything unless it is
 * ours. */
int64_t id_created_ms(const char *id);
/* The shard in a well-formed id, and that of an API key: 0 … ID_SHARDS-1. */
int id_shard(const char *id);
int id_shard_of_owner(const char *api_key);
