#pragma once

#include "common/cleanup.h"
#include "common/pg.h"

#include <stdint.h>

/* The statements of a pg_async that have not been sent yet: a queue of copies. */
struct pg_statement {
  struct pg_statement *next;
  const char *name; /* a file of sql/queries; not copied */
  int64_t due_ms;   /* monotonic */
  void (*on_result)(void *arg, enum pg_outcome outcome, const PGresult *result);
  void *arg;
  int count;
  const char *values[]; /* the texts follow in the same piece of memory */
};

struct pg_queue {
  struct pg_statement *head, **tail;
  int count;
};

void pg_queue_init(struct pg_queue *queue);
/* Frees what is queued; the callbacks are not called. */
void pg_queue_done(struct pg_queue *queue);

/* Appends a statement with copies of its parameters (NULL = SQL NULL). The caller fills in the
 * rest. */
struct pg_statement *pg_queue_add(struct pg_queue *queue, const char *name, int count,
                                  const char *const *values);
/* The first statement, the caller's to end; NULL when there is none. */
must_check struct pg_statement *pg_queue_pop(struct pg_queue *queue);
/* Refuses (PG_REFUSED) the statements whose deadline has passed. */
void pg_queue_expire(struct pg_queue *queue, int64_t now_ms);

/* Calls back and frees. */
void pg_statement_end(struct pg_statement *statement, enum pg_outcome outcome,
                      const PGresult *result);
