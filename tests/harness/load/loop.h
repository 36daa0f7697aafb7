#pragma once

#include <stdint.h>

/*
 * The event loop: one epoll set and a clock. Errors of the system, such as too many open files, end
 * the program.
 */

/* A descriptor that is waited for. The caller owns the struct and does not move it meanwhile. */
struct loop_io {
  int fd;
  void (*on_ready)(struct loop_io *io, uint32_t events); /* epoll's events */
};

void loop_open(void);
/* Waits for events of io->fd; closing that ends it. */
void loop_add(struct loop_io *io, uint32_t events);
void loop_change(struct loop_io *io, uint32_t events);
/* Waits for an event, `timeout_ms` at most, and calls those whose descriptors are ready. */
void loop_turn(int timeout_ms);

/* Of a clock that only goes forward; what is measured takes less than the service's milliseconds.
 */
int64_t now_us(void);
/* Raises the limit of open files to its maximum; ends the program when that is below `count`. */
void want_descriptors(long count);
/* Prints `what` and errno's text, and ends the program with status 64. */
_Noreturn void quit(const char *what);
