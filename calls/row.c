/* Rows of calls in PostgreSQL. */

#include "calls/row.h"

#include "common/log.h"
#include "common/pg/value.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the metrics table: rows 1 to 48 for responders, 49 to 64 for workers and mcs-admin. */
enum { CHILD_STRIPES = ROW_WORKER_STRIPE - 1 };

enum column {
#define COLUMN(name, column) COL_##name,
#include "calls/columns.def"
#undef COLUMN
  COL_METADATA,
};

int row_stripe_of_child(unsigned first, int child) {
  return 1 + (int)((first % CHILD_STRIPES + (unsigned)child) % CHILD_STRIPES);
}

int row_stripe_of_worker(void) {
  return ROW_WORKER_STRIPE + (int)arc4random_uniform(ROW_WORKER_STRIPES);
}

static enum row_insert insert_once(struct pg *pg, const char *const values[11],
                                   int64_t deadline_ms) {
  cleanup_pgresult PGresult *r = NULL;
  switch (pg_exec(pg, "call_insert", 11, values, deadline_ms, &r)) {
  case PG_DONE:
    return pg_bool(r, 0, 0) ? ROW_STORED : ROW_OUTDATED;
  case PG_REFUSED:
    return strncmp(pg_sqlstate(pg), "22", 2) == 0 ? ROW_INVALID : ROW_REFUSED;
  case PG_UNKNOWN:
    break;
  }
  return ROW_UNKNOWN;
}

enum row_insert row_insert(struct pg *pg, const struct call *call, int64_t epoch, int stripe,
                           int64_t deadline_ms) {
  char created[24], failures[12], epoch_text[24], stripe_text[12], stages[80];
  snprintf(created, sizeof(created), "%lld", (long long)call->entered_ms[0]);
  snprintf(failures, sizeof(failures), "%d", call->plan.upload_failures);
  snprintf(epoch_text, sizeof(epoch_text), "%lld", (long long)epoch);
  snprintf(stripe_text, sizeof(stripe_text), "%d", stripe);
  const int32_t *ms = call->plan.duration_ms;
  snprintf(stages, sizeof(stages), "{%d,%d,%d,%d}", ms[0], ms[1], ms[2], ms[3]);
  static_assert(PLAN_STAGES == 4, "the list above");
  cleanup_free char *metadata = strndup(call->metadata, call->metadata_len);
  if (!metadata)
    log_oom();
  const char *const values[11] = {call->id,
                                  call->from,
                                  call->to,
                                  metadata,
                                  call->api_key,
                                  created,
                                  lifecycle_outcome_name(call->plan.outcome),
                                  stages,
                                  failures,
                                  epoch_text,
                                  stripe_text};
  enum row_insert result = insert_once(pg, values, deadline_ms);
  /* A connection that broke says nothing about the row; asking again does, for the id decides.
   * A refusal of the second try does not tell whether the first one is still on its way. */
  if (result == ROW_UNKNOWN && insert_once(pg, values, deadline_ms) == ROW_STORED)
    result = ROW_STORED;
  return result;
}

/* The epoch is one that never is, so that nothing is stored; rights, locks and whether the server
 * can be written to are checked nevertheless. */
enum row_insert row_probe(struct pg *pg, int stripe, int64_t deadline_ms) {
  const struct call call = {.id = "00000000-0000-0000-0000-000000000000",
                            .from = "1",
                            .to = "1",
                            .metadata = "{}",
                            .metadata_len = 2};
  return row_insert(pg, &call, -1, stripe, deadline_ms);
}

static void copy_text(char *out, size_t size, const PGresult *r, int row, int column) {
  snprintf(out, size, "%s", PQgetvalue(r, row, column));
}

bool row_read(const PGresult *r, int row, struct call *call) {
  *call = (struct call){0};
  if (PQnfields(r) < ROW_COLUMNS || PQgetlength(r, row, COL_ID) != 16)
    return false;
  id_format((const uint8_t *)PQgetvalue(r, row, COL_ID), call->id);
  call->seq = pg_i32(r, row, COL_SEQ);
  int states = call->seq < LIFECYCLE_STATES ? call->seq : LIFECYCLE_STATES;
  if (call->seq < 1 || call->seq > CALL_SEQ_MAX ||
      !lifecycle_outcome_parse(PQgetvalue(r, row, COL_OUTCOME), &call->plan.outcome) ||
      !call_upload_parse(PQgetvalue(r, row, COL_UPLOAD_STATUS), &call->upload) ||
      pg_i32_array(r, row, COL_DURATION_MS, call->plan.duration_ms, PLAN_STAGES) != PLAN_STAGES ||
      pg_ms_array(r, row, COL_ENTERED_AT, call->entered_ms,
                  call->seq < CALL_TIMES ? call->seq : CALL_TIMES) < states)
    return false;
  call->plan.upload_failures = pg_i32(r, row, COL_UPLOAD_FAILURES);
  call->updated_ms = pg_ms(r, row, COL_UPDATED_AT);
  call->upload_attempts = pg_i32(r, row, COL_UPLOAD_ATTEMPTS);
  call->upload_job = pg_i64(r, row, COL_UPLOAD_JOB);
  call->retry_ms = pg_ms(r, row, COL_UPLOAD_RETRY_AT);
  copy_text(call->from, sizeof(call->from), r, row, COL_FROM);
  copy_text(call->to, sizeof(call->to), r, row, COL_TO);
  copy_text(call->api_key, sizeof(call->api_key), r, row, COL_API_KEY);
  copy_text(call->recording_url, sizeof(call->recording_url), r, row, COL_RECORDING_URL);
  if (!PQgetisnull(r, row, COL_METADATA)) {
    call->metadata = PQgetvalue(r, row, COL_METADATA);
    call->metadata_len = (size_t)PQgetlength(r, row, COL_METADATA);
  }
  return true;
}

enum pg_outcome row_find(struct pg *pg, const char *id, int64_t deadline_ms, struct call *call,
                         PGresult **result) {
  char list[ID_SIZE + 2];
  snprintf(list, sizeof(list), "{%s}", id);
  const char *const values[] = {list};
  enum pg_outcome outcome = pg_exec(pg, "calls_find", 1, values, deadline_ms, result);
  if (outcome == PG_UNKNOWN) /* reading twice does no harm: try a new connection */
    outcome = pg_exec(pg, "calls_find", 1, values, deadline_ms, result);
  if (outcome == PG_DONE && (PQntuples(*result) == 0 || !row_read(*result, 0, call))) {
    PQclear(*result);
    *result = NULL;
  }
  return outcome;
}
