#pragma once

#include <libpq-fe.h>
#include <stdbool.h>

/*
 * The guard of the schema: a program works only on a database whose newest migration is the one
 * that it was built with. A statement whose last column is called `schema` tells the database's; so
 * sessions are checked in the round trip that sets them up, and later by some statements that they
 * run anyway (sql/queries/session.sql, ping.sql, rebuild_lock.sql, redis_use.sql).
 */

/* True when the result tells of another schema than this program's. */
bool pg_schema_differs(const PGresult *r);

/* What is wrong, and what to do, for a person: about a database that has the schema `has`, and
 * about a result whose schema differs. */
enum { PG_SCHEMA_TEXT_SIZE = 160 };
void pg_schema_explain(int has, char out[PG_SCHEMA_TEXT_SIZE]);
void pg_schema_explain_result(const PGresult *r, char out[PG_SCHEMA_TEXT_SIZE]);
