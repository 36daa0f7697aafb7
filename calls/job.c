/* Jobs: their text. */

#include "calls/job.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[JOB_KIND__MAX] = {
    [JOB_ADVANCE] = "advance",
    [JOB_UPLOAD] = "upload",
    [JOB_FINISH] = "finish",
};

void job_format(struct job *job) {
  int len = snprintf(job->text, JOB_SIZE, "%s %s %d", job->id, kind_names[job->kind], job->n);
  if (job->kind != JOB_ADVANCE)
    len += snprintf(job->text + len, JOB_SIZE - (size_t)len, " %" PRId64 " %" PRId64,
                    job->length_ms, job->number);
  assert(len < JOB_SIZE);
}

bool job_parse(const char *text, size_t len, struct job *job) {
  char id[ID_SIZE], kind[16];
  *job = (struct job){0};
  if (len >= JOB_SIZE || memchr(text, '\0', len))
    return false;
  memcpy(job->text, text, len);
  int fields = sscanf(job->text, "%36s %15s %d %" SCNd64 " %" SCNd64, id, kind, &job->n,
                      &job->length_ms, &job->number);
  if (fields < 3 || !id_parse(id, job->id))
    return false;
  for (int i = 0; i < JOB_KIND__MAX; i++)
    if (strcmp(kind, kind_names[i]) == 0)
      job->kind = (enum job_kind)i;
  struct job canonical = *job; /* to the letter what we would have written */
  job_format(&canonical);
  return strcmp(canonical.text, job->text) == 0 && job->n >= 0 && job->length_ms >= 0;
}
