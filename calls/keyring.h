#pragma once

#include "common/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The valid API keys. Looking one up takes the same time whether it is there or not, and whatever
 * its length: SHA-256 digests of all keys are compared, each in constant time.
 */
struct keyring;

/* From the text of VALID_API_KEYS: keys between commas, blanks around them ignored. */
struct keyring *keyring_new(const char *list);
void keyring_free(struct keyring *ring);
/* The key that equals the `len` bytes of `token` (owned by the ring), or NULL. */
const char *keyring_find(const struct keyring *ring, const char *token, size_t len);
size_t keyring_count(const struct keyring *ring);
const char *keyring_key(const struct keyring *ring, size_t i);
