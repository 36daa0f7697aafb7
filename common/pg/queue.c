/* Statements that wait for a connection: memory and order. */

#include "common/pg/queue.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>

void pg_queue_init(struct pg_queue *queue) {
  *queue = (struct pg_queue){.tail = &queue->head};
}

static void push(struct pg_queue *queue, struct pg_statement *statement) {
  statement->next = NULL;
  *queue->tail = statement;
  queue->tail = &statement->next;
  queue->count++;
}

struct pg_statement *pg_queue_pop(struct pg_queue *queue) {
  struct pg_statement *statement = queue->head;
  if (!statement)
    return NULL;
  queue->head = statement->next;
  if (!queue->head)
    queue->tail = &queue->head;
  queue->count--;
  return statement;
}

struct pg_statement *pg_queue_add(struct pg_queue *queue, const char *name, int count,
                                  const char *const *values) {
  size_t head = sizeof(struct pg_statement) + (size_t)count * sizeof(char *), size = head;
  for (int i = 0; i < count; i++)
    size += values[i] ? strlen(values[i]) + 1 : 0;
  struct pg_statement *statement = malloc(size);
  if (!statement)
    log_oom();
  *statement = (struct pg_statement){.name = name, .count = count};
  char *text = (char *)statement + head;
  for (int i = 0; i < count; i++) {
    statement->values[i] = values[i] ? text : NULL;
    if (values[i])
      text = stpcpy(text, values[i]) + 1;
  }
  push(queue, statement);
  return statement;
}

void pg_statement_end(struct pg_statement *statement, enum pg_outcome outcome,
                      const PGresult *result) {
  statement->on_result(statement->arg, outcome, result);
  free(statement);
}

void pg_queue_expire(struct pg_queue *queue, int64_t now_ms) {
  struct pg_queue late;
  struct pg_statement *statement;
  pg_queue_init(&late);
  for (int left = queue->count; left > 0; left--) {
    statement = pg_queue_pop(queue);
    push(statement->due_ms <= now_ms ? &late : queue, statement);
  }
  /* Only now, so that what the callbacks queue stays behind the others. */
  while ((statement = pg_queue_pop(&late)))
    pg_statement_end(statement, PG_REFUSED, NULL);
}

void pg_queue_done(struct pg_queue *queue) {
  for (struct pg_statement *statement; (statement = pg_queue_pop(queue));)
    free(statement);
}
