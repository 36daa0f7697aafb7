#pragma once

#include "calls/call.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Whatever is to happen to a call later is a job: a member of its shard's sorted set `due`. Its
 * text tells all that its handler needs besides the record. A call has one job at a time.
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
  int64_t length_ms; /* of the upload attempt */
  int64_t number;    /* by which the log calls the upload */
};

/* Fills job->text from the other fields. */
void job_format(struct job *job);
/* Fills the fields from a text; false for anything malformed. */
must_check bool job_parse(const char *text, size_t len, struct job *job);

/*
 * The job that an open call now waits for, and the stage that it ends: when the stage began (wall
 * time) and its length. False for a call that is final.
 */
must_check bool job_next(const struct call *call, struct job *job, int64_t *began_ms,
                         int64_t *length_ms);
