/* The log of refused requests, bounded so that it cannot fill a disk. */

#include "fcgi/http/refusals.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>

static struct {
  double tokens;
  int64_t filled_ms;
  long left_out;
} bucket = {.tokens = REFUSALS_BURST};

static bool take_token(void) {
  int64_t now_ms = clock_monotonic_ms();
  bucket.tokens += (double)(now_ms - bucket.filled_ms) * REFUSALS_PER_SECOND / 1000;
  if (bucket.tokens > REFUSALS_BURST)
    bucket.tokens = REFUSALS_BURST;
  bucket.filled_ms = now_ms;
  if (bucket.tokens < 1)
    return false;
  bucket.tokens -= 1;
  return true;
}

void refusals_log(const struct request *request, const struct reply *reply) {
  if (reply->status < 400 || !log_enabled(LOG_INFO))
    return;
  if (!take_token()) {
    bucket.left_out++;
    return;
  }
  char method[sizeof(request->method_shown)], path[REQUEST_SHOWN_SIZE], reason[256], more[40] = "";
  if (bucket.left_out)
    snprintf(more, sizeof(more), " left_out=%ld", bucket.left_out);
  bucket.left_out = 0;
  log_info("request.refused", "method=%s path=\"%s\" status=%d reason=\"%s\"%s",
           log_quote(request->method_shown, method, sizeof(method)),
           log_quote(request->path_shown, path, sizeof(path)), reply->status,
           log_quote(buf_text(&reply->reason), reason, sizeof(reason)), more);
}
