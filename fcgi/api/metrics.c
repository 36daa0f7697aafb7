/* GET /metrics. */

#include "fcgi/api/metrics.h"

#include "calls/metrics.h"
#include "fcgi/api/error.h"
#include "fcgi/responder.h"

void metrics_get(const struct exchange *x) {
  struct metrics m;
  if (!metrics_read(x->responder->store, &m)) {
    error_unavailable(x->reply, 1, "The database does not answer. Try again shortly");
    return;
  }
  buf_printf(&x->reply->body,
             "{\"total_calls\":%lld,\"active_calls\":%lld,\"completed_calls\":%lld,"
             "\"current_cps\":%lld,\"uploads_in_progress\":%lld,\"uploads_completed\":%lld}",
             (long long)m.total_calls, (long long)m.active_calls, (long long)m.completed_calls,
             (long long)m.current_cps, (long long)m.uploads_in_progress,
             (long long)m.uploads_completed);
}
