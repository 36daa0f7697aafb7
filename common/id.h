#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Call ids: UUIDs of version 7 (RFC 9562 section 5.7), whose last byte is a hash of the API key
 * that the call belongs to. So whoever holds only an id finds the call's shard in Redis, and a
 * stranger's id is known as such without asking anybody.
 */
#define ID_SIZE 37 /* 36 characters and a NUL */

/* A new id, made now, for the owner with that hash; 66 bits of it are random. */
void id_new(uint8_t owner_hash, char out[ID_SIZE]);
/* Writes the 16 bytes of a UUID in lower case. */
void id_format(const uint8_t bytes[16], char out[ID_SIZE]);
/* Reads a UUID of any version in either case; writes it in lower case. False if it is none. */
bool id_parse(const char *text, char out[ID_SIZE]);
/* The owner's hash in a well-formed id. */
uint8_t id_owner_hash(const char *id);
/* The hash of an API key that id_new() takes. */
uint8_t id_hash_owner(const char *api_key);
