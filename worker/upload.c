/*
 * Uploads of recordings: the mock of a slow store. An attempt is two jobs, its start and its end,
 * so that thousands are under way at once and none occupies the worker.
 */

#include "worker/batch.h"

#include "calls/live/apply.h"
#include "calls/next.h"
#include "calls/recording.h"
#include "common/log.h"
#include "calls/row.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool upload_start(struct worker *w, const struct batch *batch) {
  for (int i = 0; i < batch->count; i++) {
    const struct job *start = &batch->jobs[i];
    log_info("upload.start",
             "id=%s job=%" PRId64 " attempt=%d msg=\"[Job %" PRId64
             "] Processing recording upload for call: %s\"",
             start->id, start->number, start->n + 1, start->number, start->id);
    log_info("upload.send",
             "id=%s job=%" PRId64 " msg=\"[Job %" PRId64 "] Uploading recording to S3...\"",
             start->id, start->number, start->number);
    struct job finish = *start;
    finish.kind = JOB_FINISH;
    job_format(&finish);
    live_requeue_queue(w->redis, start->text, &finish, batch_time(batch, start->id),
                       start->length_ms);
    worker_queued(w, start->length_ms);
  }
  return true;
}

static void log_ended(const struct call *call, int64_t now_ms) {
  int64_t job = call->upload_job;
  if (call->upload == UPLOAD_COMPLETED) {
    log_info("upload.sent", "id=%s job=%" PRId64 " msg=\"Mock upload completed for call %s\"",
             call->id, job, call->id);
    log_info("upload.record",
             "id=%s job=%" PRId64 " msg=\"[Job %" PRId64 "] Updating call record with URL\"",
             call->id, job, job);
    log_info("upload.done",
             "id=%s job=%" PRId64 " msg=\"[Job %" PRId64 "] Recording upload completed\"", call->id,
             job, job);
  } else if (call->upload == UPLOAD_FAILED) {
    log_error("upload.failed",
              "id=%s job=%" PRId64 " attempts=%d msg=\"[Job %" PRId64
              "] Recording upload failed permanently\"",
              call->id, job, call->upload_attempts, job);
  } else {
    log_warn("upload.retry",
             "id=%s job=%" PRId64 " attempt=%d msg=\"[Job %" PRId64
             "] Upload attempt failed; next in %.1f s\"",
             call->id, job, call->upload_attempts, job, (double)(call->retry_ms - now_ms) / 1000.0);
  }
}

static void on_row(struct worker *w, const struct batch *batch, const struct job *job,
                   const struct call *call, bool moved) {
  const struct next next = next_of(call);
  if (moved)
    log_ended(call, batch->wall_ms);
  if (next.is_open) { /* no event, but another attempt */
    /* At most the backoff itself: the wall clock may have been set back since. */
    int64_t delay_ms = next.began_ms + next.length_ms - batch->wall_ms;
    int64_t max_ms = plan_backoff_ms(call->upload_attempts, w->config->time_scale);
    if (delay_ms > max_ms)
      delay_ms = max_ms;
    if (delay_ms < 0)
      delay_ms = 0;
    live_requeue_queue(w->redis, job->text, &next.job, batch_time(batch, job->id), delay_ms);
    worker_queued(w, delay_ms);
  } else {
    worker_queued(w, live_apply_queue(w->redis, job->text, call, batch_time(batch, call->id)));
  }
}

static void add_url(struct buf *out, const struct worker *w, const struct job *job) {
  char url[CALL_URL_SIZE];
  recording_url(w->config, job->id, url);
  buf_str(out, url);
}

static bool finish(struct worker *w, const struct batch *batch, bool *seen) {
  cleanup_buf struct buf backoffs = {0};
  for (int i = 1; i <= UPLOAD_ATTEMPTS; i++)
    buf_printf(&backoffs, "%c%" PRId64, i == 1 ? '{' : ',',
               plan_backoff_ms(i, w->config->time_scale));
  buf_chr(&backoffs, '}');
  char round[12];
  snprintf(round, sizeof(round), "%d", UPLOAD_ATTEMPTS);
  const char *const values[] = {round, buf_text(&backoffs)};
  const struct batch_statement statement = {.name = "uploads_finish",
                                            .add_text = add_url,
                                            .values = values,
                                            .count = ARRAY_LEN(values),
                                            .on_row = on_row};
  return batch_exec(w, batch, &statement, seen);
}

bool upload_finish(struct worker *w, const struct batch *batch) {
  cleanup_free bool *seen = calloc((size_t)batch->count, sizeof(*seen));
  if (!seen)
    log_oom();
  if (!finish(w, batch, seen))
    return false;
  for (int i = 0; i < batch->count; i++)
    if (!seen[i]) { /* the row was removed by hand */
      live_drop_queue(w->redis, &batch->jobs[i], NULL);
      worker_queued(w, -1);
    }
  return true;
}
