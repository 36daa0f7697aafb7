#pragma once

#include <stdbool.h>

/*
 * What the whole pool knows of its databases. When one process waited for a database in vain, all
 * answer 503 at once instead of waiting as well, until a probe, by one process at a time and about
 * once a second, has succeeded. In memory that the children share.
 */
enum backend { BACKEND_POSTGRES, BACKEND_REDIS, BACKEND__MAX };

struct breaker;

/* Before the children are forked; lives as long as the processes do. */
struct breaker *breaker_new(void);

/* A deadline passed: the backend hangs. */
void breaker_trip(struct breaker *b, enum backend which);
bool breaker_is_open(const struct breaker *b, enum backend which);
/* True for one caller about once a second while the breaker is open: that one is to probe. */
bool breaker_take_probe(struct breaker *b, enum backend which);
/* A probe succeeded. */
void breaker_close(struct breaker *b, enum backend which);

/* Whether the backend was seen, within the last second, to take what the creation of a call writes.
 */
bool breaker_takes_writes(const struct breaker *b, enum backend which);
/* It was seen to take it just now, or to refuse it. */
void breaker_note_write(struct breaker *b, enum backend which, bool taken);
