/*
 * `mcs-admin failed`: uploads that failed permanently; --retry opens them again, in the rows
 * first, then as jobs.
 */

#include "admin/commands.h"

#include "common/clock.h"
#include "calls/live/apply.h"
#include "calls/live/rebuild.h"
#include "common/log.h"
#include "common/privileges.h"
#include "calls/row.h"

#include <stdio.h>
#include <string.h>

enum { PAGE = 500, DEADLINE_MS = 5000 };

static const char *const statements[] = {"calls_failed", "uploads_retry", NULL};

static int error(const char *what) {
  fprintf(stderr, "mcs: %s\n", what);
  return 1;
}

static void print_row(const struct call *call) {
  char iso[CLOCK_ISO_SIZE];
  clock_iso(call->updated_ms, iso);
  printf("%s  job %lld  %d attempts  failed %s\n", call->id, (long long)call->upload_job,
         call->upload_attempts, iso);
}

/* Opens the uploads of one page again, adds to `*opened` how many, and queues their jobs. Those
 * that Redis did not take get their jobs by the worker's audit. */
static bool retry_page(struct pg *pg, struct redis *redis, const char *ids, long *opened) {
  cleanup_pgresult PGresult *r = NULL;
  char stripe[12];
  snprintf(stripe, sizeof(stripe), "%d", row_stripe_of_worker());
  const char *const values[] = {ids, stripe};
  int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
  if (pg_exec(pg, "uploads_retry", 2, values, deadline, &r) != PG_DONE)
    return false;
  *opened += PQntuples(r);
  int queued = 0;
  struct call call;
  if (!redis_connect(redis))
    return false;
  for (int row = 0; row < PQntuples(r); row++)
    if (row_read(r, row, &call))
      queued += live_restore_queue(redis, &call);
  return live_drain(redis, queued);
}

static void print_total(bool retry, long total, long opened) {
  long count = retry ? opened : total;
  printf("%ld failed upload%s%s\n", count, count == 1 ? "" : "s",
         retry && total ? " queued for retry" : "");
  if (retry && total > opened)
    printf("%ld left as %s: a number is not of digits, or it was retried meanwhile\n",
           total - opened, total - opened == 1 ? "it is" : "they are");
}

static int each_page(struct pg *pg, struct redis *redis, bool retry) {
  char after[ID_SIZE] = "00000000-0000-0000-0000-000000000000", max[12];
  snprintf(max, sizeof(max), "%d", PAGE);
  for (long total = 0, opened = 0;;) {
    cleanup_pgresult PGresult *r = NULL;
    const char *const values[] = {after, max};
    if (pg_exec(pg, "calls_failed", 2, values, clock_monotonic_ms() + DEADLINE_MS, &r) != PG_DONE)
      return error(*pg_schema_error(pg) ? pg_schema_error(pg) : "PostgreSQL did not answer");
    cleanup_buf struct buf ids = {0};
    struct call call;
    for (int row = 0; row < PQntuples(r); row++) {
      if (!row_read(r, row, &call))
        continue;
      print_row(&call);
      buf_printf(&ids, "%c%s", ids.len ? ',' : '{', call.id);
      memcpy(after, call.id, ID_SIZE);
      total++;
    }
    buf_chr(&ids, '}');
    if (retry && PQntuples(r) && !retry_page(pg, redis, buf_text(&ids), &opened))
      return error("some uploads could not be queued; the worker queues them within a minute");
    if (PQntuples(r) < PAGE) {
      print_total(retry, total, opened);
      return 0;
    }
  }
}

int command_failed(const struct config *config, int argc, char **argv) {
  bool retry = argc == 2 && strcmp(argv[1], "--retry") == 0;
  if (argc > 1 && !retry)
    return error("usage: failed [--retry]");
  privileges_drop();
  struct pg *pg = pg_new(config, "mcs-admin", statements, false);
  struct redis *redis = redis_new(config);
  int status = retry && !redis_connect(redis) ? error("Redis does not answer; nothing was changed")
                                              : each_page(pg, redis, retry);
  redis_free(redis);
  pg_free(pg);
  return status;
}
