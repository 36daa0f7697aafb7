/* Queries and forms (common/params.c), and the escapes in them (common/percent.c). */

#include "common/params.h"

#include "common/percent.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static void test_percent(void) {
  static const struct {
    const char *text;
    int byte;
  } cases[] = {
      {"%41", 'A'}, {"%2f", '/'}, {"%2F", '/'}, {"%00", 0},  {"%ff", 255},      {"%FFx", 255},
      {"", -1},     {"%", -1},    {"%4", -1},   {"%4g", -1}, {"%g4", -1},       {"41", -1},
      {"x41", -1},  {"%%41", -1}, {"% 4", -1},  {"%-1", -1}, {"%+1", -1},       {"%@1", -1},
      {"%`1", -1},  {"%:1", -1},  {"%/1", -1},  {"%1G", -1}, {"%\xc3\xa9", -1},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    size_t len = strlen(cases[i].text);
    cleanup_free char *exact = malloc(len ? len : 1); /* no NUL: nothing is read behind it */
    memcpy(exact, cases[i].text, len);
    int byte = percent_byte(exact, len);
    if (byte != cases[i].byte)
      test_error(__FILE__, __LINE__, "\"%s\" is %d", cases[i].text, byte);
  }
}

/* Every parameter as NAME=VALUE; of malformed ones !NAME=VALUE. */
static void show(const char *text, size_t len, struct buf *out) {
  cleanup_free char *exact = malloc(len ? len : 1);
  memcpy(exact, text, len);
  cleanup_params struct params params = {.at = exact, .len = len};
  for (enum params_step step; (step = params_next(&params)) != PARAMS_END;) {
    if (step == PARAMS_TOO_MANY) {
      buf_str(out, "…");
      return;
    }
    buf_printf(out, "%s[%s|%s]", step == PARAMS_MALFORMED ? "!" : "", buf_text(&params.name),
               buf_text(&params.value));
  }
  CHECK_INT(params_next(&params), PARAMS_END);
}

static void test_parameters(void) {
  static const struct {
    const char *text, *shown;
  } cases[] = {
      {"", ""},
      {"&", ""},
      {"&&&", ""},
      {"a=1", "[a|1]"},
      {"a=1&b=2", "[a|1][b|2]"},
      {"&a=1&&b=2&", "[a|1][b|2]"},
      {"a", "[a|]"},
      {"a=", "[a|]"},
      {"=1", "[|1]"},
      {"=", "[|]"},
      {"a==1=", "[a|=1=]"},
      {"a=1&a=2&A=3", "[a|1][a|2][A|3]"},
      {"a=b+c&d+e=f", "[a|b c][d e|f]"},
      {"a=b%2Bc%20d", "[a|b+c d]"},
      {"a%3D=%26%3d", "[a=|&=]"},
      {"a=%C3%A9&b=\xc3\xa9", "[a|\xc3\xa9][b|\xc3\xa9]"},
      {"a=%ff&b=\xff", "[a|\xff][b|\xff]"},
      {"a=%2541", "[a|%41]"}, /* decoded once */
      {"a=1;b=2", "[a|1;b=2]"},
      {"a=1#b=2", "[a|1#b=2]"},
      {"a=%", "![a|%]"},
      {"a=x%4&b=1", "![a|x%4][b|1]"},
      {"a=x%4&1", "![a|x%4][1|]"}, /* no escape goes on behind the parameter */
      {"a=+%zz+", "![a|+%zz+]"},
      {"a=%00", "![a|%00]"},
      {"a=b%00c&d=1", "![a|b%00c][d|1]"},
      {"%zz=%41", "![%zz|A]"},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    cleanup_buf struct buf out = {0};
    show(cases[i].text, strlen(cases[i].text), &out);
    test_check_str(__FILE__, __LINE__, cases[i].text, buf_text(&out), cases[i].shown);
  }
}

static void test_nul(void) {
  cleanup_buf struct buf out = {0};
  show("a=b\0c&d=1", 9, &out);
  CHECK_STR(buf_text(&out), "![a|b][d|1]"); /* as a C string it ends there */
}

static void test_every_byte(void) {
  for (int c = 1; c < 256; c++) {
    char text[8], expected[16];
    cleanup_buf struct buf out = {0};
    snprintf(text, sizeof(text), "a=%%%02x", (unsigned)c);
    snprintf(expected, sizeof(expected), "[a|%c]", c);
    show(text, strlen(text), &out);
    CHECK_STR(buf_text(&out), expected);
  }
}

static void test_many(void) {
  for (int more = 0; more < 2; more++) {
    cleanup_buf struct buf text = {0};
    for (int i = 0; i < PARAMS_MAX + more; i++)
      buf_str(&text, "&&a=1");
    cleanup_params struct params params = {.at = text.data, .len = text.len};
    for (int i = 0; i < PARAMS_MAX; i++)
      CHECK_INT(params_next(&params), PARAMS_GOOD);
    for (int i = 0; i < 2; i++)
      CHECK_INT(params_next(&params), more ? PARAMS_TOO_MANY : PARAMS_END);
  }
}

int main(void) {
  RUN(test_percent);
  RUN(test_parameters);
  RUN(test_nul);
  RUN(test_every_byte);
  RUN(test_many);
  return test_done();
}
