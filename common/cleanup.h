#pragma once

#include <stdlib.h>
#include <unistd.h>

/* Scope-exit cleanup: `cleanup_free char *s = strdup(...)`, `cleanup_fd int fd = open(...)`. */
static inline void cleanup_free_(void *p) {
  free(*(void **)p);
}
static inline void cleanup_fd_(int *fd) {
  if (*fd >= 0)
    close(*fd);
}
#define cleanup_free __attribute__((cleanup(cleanup_free_)))
#define cleanup_fd __attribute__((cleanup(cleanup_fd_)))

#define must_check __attribute__((warn_unused_result))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
