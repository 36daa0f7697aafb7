/* The growing buffer (common/buf.c): what is added, at the lengths where it grows or formats twice.
 */

#include "common/buf.h"

#include "common/cleanup.h"
#include "tests/unit/test.h"

#include <limits.h>

static void test_empty(void) {
  struct buf b = {0};
  CHECK_STR(buf_text(&b), "");
  buf_clear(&b);
  buf_add(&b, NULL, 0);
  CHECK_INT(b.len, 0);
  CHECK_STR(buf_text(&b), "");
  buf_done(&b);
  CHECK(!b.data && !b.len && !b.cap);
  buf_done(&b);
}

static void test_additions(void) {
  cleanup_buf struct buf b = {0};
  buf_str(&b, "one");
  buf_chr(&b, ' ');
  buf_add(&b, "two|not this", 3);
  buf_str(&b, "");
  CHECK_STR(buf_text(&b), "one two");
  CHECK_INT(b.len, 7);
}

static void test_nul_bytes_count(void) {
  cleanup_buf struct buf b = {0};
  buf_add(&b, "a\0b", 3);
  buf_chr(&b, '\0');
  CHECK_INT(b.len, 4);
  CHECK_INT(memcmp(b.data, "a\0b\0", 5), 0);
}

static void test_clear_keeps_memory(void) {
  cleanup_buf struct buf b = {0};
  buf_str(&b, "something");
  const char *before = b.data;
  size_t cap = b.cap;
  buf_clear(&b);
  CHECK_STR(buf_text(&b), "");
  buf_str(&b, "else");
  CHECK(b.data == before);
  CHECK_INT(b.cap, cap);
  CHECK_STR(buf_text(&b), "else");
}

static void test_growth_byte_by_byte(void) {
  cleanup_buf struct buf b = {0};
  for (int i = 0; i < 5000; i++) {
    buf_chr(&b, (char)('a' + i % 26));
    CHECK(b.len == (size_t)i + 1 && b.cap > b.len && b.data[b.len] == '\0');
  }
  for (int i = 0; i < 5000; i++)
    CHECK(b.data[i] == 'a' + i % 26);
}

static void test_reserve(void) {
  cleanup_buf struct buf b = {0};
  buf_str(&b, "head ");
  char *at = buf_reserve(&b, 100000);
  memset(at, 'x', 100000);
  b.len += 100000;
  buf_str(&b, " tail");
  CHECK_INT(b.len, 100010);
  CHECK_INT(memcmp(b.data, "head x", 6), 0);
  CHECK_STR(b.data + 100004, "x tail");
}

static void test_numbers(void) {
  static const struct {
    long long n;
    const char *text;
  } cases[] = {
      {0, "0"},
      {-1, "-1"},
      {42, "42"},
      {LLONG_MAX, "9223372036854775807"},
      {LLONG_MIN, "-9223372036854775808"},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    cleanup_buf struct buf b = {0};
    buf_i64(&b, cases[i].n);
    CHECK_STR(buf_text(&b), cases[i].text);
  }
}

/* Up to 64 bytes are formatted at once, longer text a second time. */
static void test_printf_lengths(void) {
  char text[400];
  memset(text, 'y', sizeof(text));
  for (size_t len = 0; len < sizeof(text); len++) {
    cleanup_buf struct buf b = {0};
    buf_printf(&b, "%.*s", (int)len, text);
    CHECK_INT(b.len, len);
    CHECK_INT(strlen(buf_text(&b)), len);
    buf_printf(&b, "|%d", (int)len);
    CHECK_INT(strspn(buf_text(&b), "y"), len);
    CHECK(b.data[len] == '|');
  }
}

static void test_printf_appends(void) {
  cleanup_buf struct buf b = {0};
  for (int i = 0; i < 1000; i++)
    buf_printf(&b, "%d,", i % 10);
  CHECK_INT(b.len, 2000);
  CHECK_INT(memcmp(b.data + 1980, "0,1,2,3,4,5,6,7,8,9,", 21), 0);
}

int main(void) {
  RUN(test_empty);
  RUN(test_additions);
  RUN(test_nul_bytes_count);
  RUN(test_clear_keeps_memory);
  RUN(test_growth_byte_by_byte);
  RUN(test_reserve);
  RUN(test_numbers);
  RUN(test_printf_lengths);
  RUN(test_printf_appends);
  return test_done();
}
