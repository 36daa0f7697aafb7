#pragma once

#include "common/buf.h"
#include "common/cleanup.h"
#include "calls/id.h"
#include "calls/lifecycle.h"
#include "calls/plan.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A call, and the packed line that lives in Redis. The texts that clients read: calls/render.h and
 * calls/message.h.
 */

/* A number as we take it, and as it may stand in a row: the original took any 20 characters. */
enum { CALL_NUMBER_SIZE = 17, CALL_PARTY_SIZE = 81, CALL_KEY_SIZE = 101, CALL_URL_SIZE = 256 };

/* No call has more events than that; a larger `seq` is corrupt. */
enum { CALL_SEQ_MAX = 1000000 };
/* A packed line is shorter (its numbers of 64 bits are times and counters). */
enum { CALL_LINE_SIZE = 1024 };
/* Times that a call keeps: of its states, then of the uploads that failed permanently and were
 * tried again. A plan lets one round of attempts fail, so one would do; the rest is room for rows
 * that an operator changed. */
enum { CALL_TIMES = LIFECYCLE_STATES + 12 };

enum upload_status {
  UPLOAD_WAITING,   /* the call is not over yet */
  UPLOAD_PENDING,   /* being uploaded, or waiting for its next attempt */
  UPLOAD_COMPLETED, /* recording_url is set */
  UPLOAD_FAILED,    /* permanently, after UPLOAD_ATTEMPTS */
  UPLOAD_STATUS__MAX,
};

struct call {
  char id[ID_SIZE];
  int seq;                        /* 1 in the first state; grows by 1 with each event */
  int64_t entered_ms[CALL_TIMES]; /* when the events came about, the first one first; 0: not kept */
  int64_t updated_ms;             /* when the newest visible event did */
  struct call_plan plan;
  enum upload_status upload;
  int upload_attempts; /* failed ones */
  int64_t upload_job;  /* the number that the log calls the upload by; 0 before there is one */
  int64_t retry_ms;    /* when the next attempt starts; 0 for at once. Not in the packed line */
  char from[CALL_PARTY_SIZE];
  char to[CALL_PARTY_SIZE];
  char api_key[CALL_KEY_SIZE];
  char recording_url[CALL_URL_SIZE]; /* "" until there is one */
  const char *metadata; /* JSON text of an object, not NUL-terminated; NULL = unknown */
  size_t metadata_len;  /* both belong to the code that filled them in */
};

enum call_status call_status(const struct call *call);
/* No more events follow: the recording is there, or its upload has failed permanently. */
bool call_is_final(const struct call *call);
const char *call_upload_name(enum upload_status status);
must_check bool call_upload_parse(const char *name, enum upload_status *status);

/* "+" (optional) and 1 to 15 digits. */
must_check bool call_number_valid(const char *text);

/*
 * The packed line: one text line without the metadata (and without a newline), fields separated by
 * single blanks; it starts `ID SEQ ENTERED[,ENTERED…] UPDATED ` so that Lua can read and write
 * those. call_unpack() takes such a line, and the metadata where a newline and more follow it
 * (pointing into `line`); false for anything malformed.
 */
void call_pack(struct buf *out, const struct call *call);
must_check bool call_unpack(const char *line, size_t len, struct call *call);
/* The rest of the line behind the three numbers that admit.lua fills in. */
void call_pack_rest(struct buf *out, const struct call *call);
