#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A body that is produced while it is sent, so that it is never in memory as a whole. The producer
 * is asked for one piece after the other; it is not asked again when the client has gone.
 */
struct stream {
  int64_t len; /* of the whole body, in bytes; -1 when the producer does not know it */
  /* Writes the next bytes to `out` and returns how many: 1 to `size`, 0 at the end, -1 on an error.
   * It may block, but for less than the gateway's deadline. */
  ssize_t (*fill)(void *context, char *out, size_t size);
  /* Frees the context; called once, whether the body was sent or not. May be NULL. */
  void (*done)(void *context);
  void *context;
};
