/* PostgreSQL's binary formats, as far as our statements return them. */

#include "common/pg/value.h"

#include <endian.h>
#include <string.h>

static int64_t read_be64(const char *p) {
  uint64_t n;
  memcpy(&n, p, sizeof(n));
  return (int64_t)be64toh(n);
}

static int32_t read_be32(const char *p) {
  uint32_t n;
  memcpy(&n, p, sizeof(n));
  return (int32_t)be32toh(n);
}

int32_t pg_i32(const PGresult *r, int row, int column) {
  return PQgetlength(r, row, column) == 4 ? read_be32(PQgetvalue(r, row, column)) : 0;
}

int64_t pg_i64(const PGresult *r, int row, int column) {
  return PQgetlength(r, row, column) == 8 ? read_be64(PQgetvalue(r, row, column)) : 0;
}

bool pg_bool(const PGresult *r, int row, int column) {
  return PQgetlength(r, row, column) == 1 && *PQgetvalue(r, row, column);
}

/* PostgreSQL counts microseconds from 2000. Rounded down, as all our times are whole ms. */
static int64_t ms_of_pg_us(int64_t us) {
  return (us + INT64_C(946684800000000)) / 1000;
}

int64_t pg_ms(const PGresult *r, int row, int column) {
  return PQgetlength(r, row, column) == 8 ? ms_of_pg_us(read_be64(PQgetvalue(r, row, column))) : 0;
}

/* The binary form of an array: dimensions, has-NULLs flag, element type, then for each dimension
 * size and lower bound, then each element's length and bytes (array_send in PostgreSQL). */
static int read_array(const PGresult *r, int row, int column, int width, int max,
                      void (*put)(void *out, int i, const char *p), void *out) {
  const char *p = PQgetvalue(r, row, column), *end = p + PQgetlength(r, row, column);
  if (end - p < 20 || read_be32(p) != 1)
    return 0;
  int count = read_be32(p + 12), got = 0;
  for (p += 20; got < count && got < max && end - p >= 4 + width; p += 4 + width) {
    if (read_be32(p) != width)
      break;
    put(out, got++, p + 4);
  }
  return got;
}

static void put_i32(void *out, int i, const char *p) {
  ((int32_t *)out)[i] = read_be32(p);
}

static void put_ms(void *out, int i, const char *p) {
  ((int64_t *)out)[i] = ms_of_pg_us(read_be64(p));
}

int pg_i32_array(const PGresult *r, int row, int column, int32_t *out, int max) {
  return read_array(r, row, column, 4, max, put_i32, out);
}

int pg_ms_array(const PGresult *r, int row, int column, int64_t *out, int max) {
  return read_array(r, row, column, 8, max, put_ms, out);
}
