/* The pool's shared knowledge of hanging databases. */

#include "common/breaker.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

enum { PROBE_EVERY_MS = 1000, WRITE_HOLDS_MS = 1000 };

static const char *const names[BACKEND__MAX] = {
    [BACKEND_POSTGRES] = "postgres",
    [BACKEND_REDIS] = "redis",
};

struct breaker {
  _Atomic int64_t probe_at_ms[BACKEND__MAX]; /* 0 while closed */
  _Atomic int64_t written_ms[BACKEND__MAX];  /* when a write last succeeded, or 0 */
};

struct breaker *breaker_new(void) {
  struct breaker *b =
      mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (b == MAP_FAILED)
    log_oom();
  return b;
}

void breaker_trip(struct breaker *b, enum backend which) {
  int64_t closed = 0;
  if (atomic_compare_exchange_strong(&b->probe_at_ms[which], &closed,
                                     clock_monotonic_ms() + PROBE_EVERY_MS))
    log_warn("breaker.open",
             "backend=%s msg=\"it does not respond: requests that need it get 503\"", names[which]);
}

bool breaker_is_open(const struct breaker *b, enum backend which) {
  return atomic_load_explicit(&b->probe_at_ms[which], memory_order_relaxed) != 0;
}

bool breaker_take_probe(struct breaker *b, enum backend which) {
  int64_t at = atomic_load(&b->probe_at_ms[which]), now = clock_monotonic_ms();
  return at != 0 && now >= at &&
         atomic_compare_exchange_strong(&b->probe_at_ms[which], &at, now + PROBE_EVERY_MS);
}

void breaker_close(struct breaker *b, enum backend which) {
  if (atomic_exchange(&b->probe_at_ms[which], 0) != 0)
    log_warn("breaker.close", "backend=%s msg=\"it answers again\"", names[which]);
}

bool breaker_takes_writes(const struct breaker *b, enum backend which) {
  int64_t at = atomic_load_explicit(&b->written_ms[which], memory_order_relaxed);
  return at != 0 && clock_monotonic_ms() - at < WRITE_HOLDS_MS;
}

void breaker_note_write(struct breaker *b, enum backend which, bool taken) {
  atomic_store_explicit(&b->written_ms[which], taken ? clock_monotonic_ms() : 0,
                        memory_order_relaxed);
}
