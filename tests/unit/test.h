/*
 * The whole framework of the unit tests: one program for each module, which runs its test functions
 * one after the other and says `ok N - name` or `not ok N - name` for each.
 *
 *   static void test_empty(void) {
 *     CHECK_INT(buf_len(&buf), 0);
 *   }
 *
 *   int main(void) {
 *     RUN(test_empty);
 *     return test_done();
 *   }
 *
 * A failed check says where and goes on, so that one run shows all that is wrong.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int test_count, test_failed; /* functions run, and those of them that failed */
static int test_errors;             /* failed checks of the function that runs */

__attribute__((format(printf, 3, 4))) static inline void test_error(const char *file, int line,
                                                                    const char *format, ...) {
  __builtin_va_list args;
  __builtin_va_start(args, format);
  printf("#   %s:%d: ", file, line);
  vprintf(format, args);
  putchar('\n');
  __builtin_va_end(args);
  test_errors++;
}

static inline void test_check_str(const char *file, int line, const char *what, const char *a,
                                  const char *b) {
  if (a == b || (a && b && strcmp(a, b) == 0))
    return;
  test_error(file, line, "%s is \"%s\", expected \"%s\"", what, a ? a : "(null)", b ? b : "(null)");
}

static inline void test_check_int(const char *file, int line, const char *what, long long a,
                                  long long b) {
  if (a != b)
    test_error(file, line, "%s is %lld, expected %lld", what, a, b);
}

static inline void test_run(const char *name, void (*function)(void)) {
  test_errors = 0;
  function();
  test_count++;
  test_failed += test_errors > 0;
  printf("%s %d - %s\n", test_errors ? "not ok" : "ok", test_count, name);
  fflush(stdout);
}

/* Ends the program: prints the plan and returns main's exit status. */
static inline int test_done(void) {
  printf("1..%d\n", test_count);
  return test_failed ? 1 : 0;
}

/* Holds? */
#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition))                                                                              \
      test_error(__FILE__, __LINE__, "not so: %s", #condition);                                    \
  } while (0)
/* Equal? What was got comes first, what was expected second; strings may be NULL. */
#define CHECK_STR(got, expected) test_check_str(__FILE__, __LINE__, #got, (got), (expected))
#define CHECK_INT(got, expected)                                                                   \
  test_check_int(__FILE__, __LINE__, #got, (long long)(got), (long long)(expected))
#define RUN(function) test_run(#function, function)
