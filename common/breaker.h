#pragma once

#include <stdbool.h>

/*
 * What all children of the pool know of the databases. When one child waited for a database until
 * its deadline, all of them answer 503 at once instead of waiting as well. About once a second one
 * child probes, and a success closes the breaker. It is in memory that the children share.
 */
enum backend { BACKEND_POSTGRES, BACKEND_REDIS, BACKEND__MAX };

struct breaker;

/* Before the children are forked; lives as long as the processes do. */
struct breaker *breaker_new(void);

/* A deadline passed: the backend hangs. */
void breaker_trip(struct breaker *b, enum backend which);
bool breaker_is_open(const struct breaker *b, enum backend which);
/* True for one caller about once a second while the breaker is open: that one must probe. */
bool breaker_take_probe(struct breaker *b, enum backend which);
/* A probe succeeded. */
void breaker_close(struct breaker *b, enum backend which);

/* Whether the backend took, within the last second, what the creation of a call writes. */
bool breaker_takes_writes(const struct breaker *b, enum backend which);
/* It has just taken it, or refused it. */
void breaker_note_write(struct breaker *b, enum backend which, bool taken);
