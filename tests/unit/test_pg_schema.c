/* Which results tell of another schema (common/pg/schema.c), and in which words. */

#include "common/pg/schema.h"

#include "common/embedded.h"
#include "common/pg/wire.h"
#include "tests/unit/test.h"

#include <endian.h>
#include <stdint.h>

/* A result of two columns and so many rows, the last column a number of four bytes. */
static PGresult *result(const char *last, int number, int rows) {
  PGresAttDesc columns[] = {{.name = (char *)"first", .format = 1, .typlen = -1},
                            {.name = (char *)last, .format = 1, .typlen = 4}};
  PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
  int32_t value = (int32_t)htobe32((uint32_t)number);
  CHECK(PQsetResultAttrs(r, 2, columns));
  for (int row = 0; row < rows; row++)
    CHECK(PQsetvalue(r, row, 0, (char *)"x", 1) && PQsetvalue(r, row, 1, (char *)&value, 4));
  return r;
}

static void test_differs(void) {
  const struct {
    const char *last;
    int number, rows;
    bool differs;
  } cases[] = {
      {"schema", embedded_schema, 1, false},     {"schema", embedded_schema + 1, 1, true},
      {"schema", embedded_schema - 1, 1, true},  {"schema", 0, 1, true},
      {"schema", embedded_schema + 1, 0, false}, /* a statement about rows, and there are none */
      {"epoch", embedded_schema + 1, 1, false},  {"schemas", embedded_schema + 1, 1, false},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    cleanup_pgresult PGresult *r = result(cases[i].last, cases[i].number, cases[i].rows);
    CHECK_INT(pg_schema_differs(r), cases[i].differs);
    CHECK_INT(pg_outcome_of(r), cases[i].differs ? PG_UNKNOWN : PG_DONE);
  }
}

static void test_results_without_rows(void) {
  static const ExecStatusType statuses[] = {PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_FATAL_ERROR};
  for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
    cleanup_pgresult PGresult *r = PQmakeEmptyPGresult(NULL, statuses[i]);
    CHECK(!pg_schema_differs(r));
  }
}

static void test_explain(void) {
  char text[PG_SCHEMA_TEXT_SIZE], expected[PG_SCHEMA_TEXT_SIZE];
  pg_schema_explain(embedded_schema + 1, text);
  snprintf(expected, sizeof(expected),
           "the database has schema %d, this program needs %d: a newer release has migrated it, so "
           "upgrade this one",
           embedded_schema + 1, embedded_schema);
  CHECK_STR(text, expected);
  cleanup_pgresult PGresult *r = result("schema", embedded_schema - 1, 1);
  pg_schema_explain_result(r, text);
  snprintf(expected, sizeof(expected),
           "the database has schema %d, this program needs %d: migrate it with mcs-admin migrate",
           embedded_schema - 1, embedded_schema);
  CHECK_STR(text, expected);
}

int main(void) {
  RUN(test_differs);
  RUN(test_results_without_rows);
  RUN(test_explain);
  return test_done();
}
