#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/* Binary values of a result. A NULL reads as 0. */
int32_t pg_i32(const PGresult *r, int row, int column);
int64_t pg_i64(const PGresult *r, int row, int column);
bool pg_bool(const PGresult *r, int row, int column);
/* A timestamptz in milliseconds since 1970. */
int64_t pg_ms(const PGresult *r, int row, int column);
/* One-dimensional int4[] and timestamptz[]; return the number of elements, at most `max`. */
int pg_i32_array(const PGresult *r, int row, int column, int32_t *out, int max);
int pg_ms_array(const PGresult *r, int row, int column, int64_t *out, int max);
