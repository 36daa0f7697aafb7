#pragma once

#include "calls/id.h"
#include "common/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * All that is to happen to a call later is a job: a member of its shard's sorted set `due`. Its
 * text tells all that its handler needs besides the row. Which job a call waits for: calls/next.h.
 */
enum job_kind {
  JOB_ADVANCE, /* leave the state number `n` */
  JOB_UPLOAD,  /* start the upload attempt number `n` (0 = the first) */
  JOB_FINISH,  /* the upload attempt number `n` is over */
  JOB_KIND__MAX,
};

enum { JOB_SIZE = 96 };

struct job {
  char text[JOB_SIZE]; /* "ID KIND N" and, for uploads, " LENGTH_MS NUMBER" */
  char id[ID_SIZE];
  enum job_kind kind;
  int n;
  int64_t length_ms; /* of an upload attempt */
  int64_t number;    /* of an upload, by which the log names it */
};

/* Fills job->text from the other fields. */
void job_format(struct job *job);
/* Fills the fields from a text; false for anything malformed. */
must_check bool job_parse(const char *text, size_t len, struct job *job);
