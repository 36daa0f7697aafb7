#pragma once

#include <stdint.h>

/*
 * The event loop: one epoll set and a clock. What a load can do nothing about ends the program,
 * running out of descriptors for one.
 */

/* What waits for a descriptor. The struct is the caller's, and stays where it is meanwhile. */
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
/* Lets this process have as many descriptors as it may; ends it when these are fewer than that. */
void want_descriptors(long count);
/* Says what cannot be done, and why, if errno knows, and ends the program with 64. */
_Noreturn void quit(const char *what);
