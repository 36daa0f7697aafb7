/* The guard of the schema. */

#include "common/pg/schema.h"

#include "common/embedded.h"
#include "common/pg/value.h"

#include <stdio.h>
#include <string.h>

bool pg_schema_differs(const PGresult *r) {
  int last = PQnfields(r) - 1;
  return PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) == 1 && last >= 0 &&
         strcmp(PQfname(r, last), "schema") == 0 && pg_i32(r, 0, last) != embedded_schema;
}

void pg_schema_explain(int has, char out[PG_SCHEMA_TEXT_SIZE]) {
  snprintf(out, PG_SCHEMA_TEXT_SIZE, "the database has schema %d, this program needs %d: %s", has,
           embedded_schema,
           has > embedded_schema ? "a newer release has migrated it, so upgrade this one"
                                 : "migrate it with mcs-admin migrate");
}

void pg_schema_explain_result(const PGresult *r, char out[PG_SCHEMA_TEXT_SIZE]) {
  pg_schema_explain(pg_i32(r, 0, PQnfields(r) - 1), out);
}
