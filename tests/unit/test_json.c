/*
 * JSON as clients send it (common/json_check.c): every rule of its header as a table. Each text is
 * checked in memory of just its size, so that the sanitizers see a read beyond it.
 */

#include "common/json.h"
#include "common/json_check.h"

#include "tests/unit/test.h"

#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>

#define NOT_JSON "Request body is not valid JSON"
#define NOT_OBJECT "Request body must be a JSON object"
#define TRAILING "Request body has trailing characters after the JSON object"
#define NUL "Request body must not contain \\u0000"
#define SURROGATE "Request body contains a lone surrogate"
#define NOT_UTF8 "Request body is not valid UTF-8"
#define RANGE "Request body contains a number that is out of range"
#define DEPTH "Request body is nested too deeply (32 levels at most)"

/* The error that the check finds, NULL for a good text. */
static const char *error_of(const char *text, size_t len) {
  cleanup_free char *exact = malloc(len ? len : 1);
  memcpy(exact, text, len);
  const char *error = NULL;
  bool good = json_object_check(exact, len, NULL, 0, &error);
  CHECK(good == !error);
  return error;
}

static void check_error(const char *text, size_t len, const char *expected) {
  const char *error = error_of(text, len);
  if (error != expected && (!error || !expected || strcmp(error, expected) != 0))
    test_error(__FILE__, __LINE__, "%.*s gives \"%s\", expected \"%s\"", (int)(len < 60 ? len : 60),
               text, error ? error : "good", expected ? expected : "good");
}

/* --- whole texts ------------------------------------------------------------------------------ */

#define TEXT(text) text, sizeof(text) - 1

static void test_whole_texts(void) {
  static const struct {
    const char *text;
    size_t len;
    const char *error;
  } cases[] = {
      {TEXT("{}"), NULL},
      {TEXT(" \t\r\n{ \t\r\n} \t\r\n"), NULL},
      {TEXT("{\"a\":1}"), NULL},
      {TEXT(" { \"a\" : 1 , \"b\" : [ ] } "), NULL},
      {TEXT("{\"a\":1,\"a\":2}"), NULL},
      {TEXT("{\"\":1}"), NULL},
      {TEXT("{\"a\":{\"b\":[{\"c\":null}]}}"), NULL},
      {TEXT(""), NOT_JSON},
      {TEXT(" "), NOT_JSON},
      {TEXT("{"), NOT_JSON},
      {TEXT("}"), NOT_JSON},
      {TEXT("{,}"), NOT_JSON},
      {TEXT("{\"a\"}"), NOT_JSON},
      {TEXT("{\"a\":}"), NOT_JSON},
      {TEXT("{\"a\":1,}"), NOT_JSON},
      {TEXT("{\"a\":1 \"b\":2}"), NOT_JSON},
      {TEXT("{\"a\":1;\"b\":2}"), NOT_JSON},
      {TEXT("{\"a\" 1}"), NOT_JSON},
      {TEXT("{\"a\"::1}"), NOT_JSON},
      {TEXT("{a:1}"), NOT_JSON},
      {TEXT("{'a':1}"), NOT_JSON},
      {TEXT("{1:1}"), NOT_JSON},
      {TEXT("{null:1}"), NOT_JSON},
      {TEXT("{[]:1}"), NOT_JSON},
      {TEXT("{\"a\":1]"), NOT_JSON},
      {TEXT("{\"a\":[1}"), NOT_JSON},
      {TEXT("{\"a\":1"), NOT_JSON},
      {TEXT("{/* */}"), NOT_JSON},
      {TEXT("// \n{}"), NOT_JSON},
      {TEXT("\xef\xbb\xbf{}"), NULL}, /* RFC 8259 section 8.1: a byte order mark is ignored */
      {TEXT("\xef\xbb\xbf {}"), NULL},
      {TEXT("\xef\xbb\xbf"), NOT_JSON},
      {TEXT("\xef\xbb\xbf\xef\xbb\xbf{}"), NOT_JSON},
      {TEXT(" \xef\xbb\xbf{}"), NOT_JSON},
      {TEXT("\xef\xbb{}"), NOT_JSON},
      {TEXT("{}\xef\xbb\xbf"), TRAILING},
      {TEXT("{\v}"), NOT_JSON},
      {TEXT("{\f}"), NOT_JSON},
      {TEXT("{\xc2\xa0}"), NOT_JSON},
      {TEXT("\0{}"), NOT_JSON},
      {TEXT("{\0}"), NOT_JSON},
      {TEXT("{\"a\":1}\0"), TRAILING},
      {TEXT("{\"a\":1}x"), TRAILING},
      {TEXT("{}{}"), TRAILING},
      {TEXT("{} ,"), TRAILING},
      {TEXT("{}}"), TRAILING},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++)
    check_error(cases[i].text, cases[i].len, cases[i].error);
}

static void test_not_an_object(void) {
  static const struct {
    const char *text;
    size_t len;
    const char *error;
  } cases[] = {
      {TEXT("[]"), NOT_OBJECT},       {TEXT("[{\"a\":1}]"), NOT_OBJECT},
      {TEXT("\"text\""), NOT_OBJECT}, {TEXT(" 1 "), NOT_OBJECT},
      {TEXT("-0.5e-3"), NOT_OBJECT},  {TEXT("null"), NOT_OBJECT},
      {TEXT("true"), NOT_OBJECT},     {TEXT("false"), NOT_OBJECT},
      {TEXT("[1"), NOT_JSON},         {TEXT("[]]"), NOT_JSON},
      {TEXT("nul"), NOT_JSON},        {TEXT("from=+1&to=+2"), NOT_JSON},
      {TEXT("<xml/>"), NOT_JSON},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++)
    check_error(cases[i].text, cases[i].len, cases[i].error);
}

/* --- values: each as a member, in an array and deeper ----------------------------------------- */

static void check_value(const char *value, size_t len, const char *error) {
  static const struct {
    const char *before, *behind;
  } places[] = {
      {"{\"a\":", "}"},
      {"{\"a\": ", " }"},
      {"{\"a\":[", "]}"},
      {"{\"a\":[0,", ",0]}"},
      {"{\"a\":{\"b\":", "},\"c\":1}"},
  };
  for (size_t i = 0; i < ARRAY_LEN(places); i++) {
    cleanup_buf struct buf text = {0};
    buf_str(&text, places[i].before);
    buf_add(&text, value, len);
    buf_str(&text, places[i].behind);
    check_error(buf_text(&text), text.len, error);
  }
}

struct value_case {
  const char *text;
  const char *error;
};

static void check_values(const struct value_case *cases, size_t count) {
  for (size_t i = 0; i < count; i++)
    check_value(cases[i].text, strlen(cases[i].text), cases[i].error);
}

static void test_words(void) {
  static const struct value_case cases[] = {
      {"true", NULL},         {"false", NULL},         {"null", NULL},          {"True", NOT_JSON},
      {"TRUE", NOT_JSON},     {"tru", NOT_JSON},       {"truee", NOT_JSON},     {"nulls", NOT_JSON},
      {"nil", NOT_JSON},      {"none", NOT_JSON},      {"undefined", NOT_JSON}, {"NaN", NOT_JSON},
      {"Infinity", NOT_JSON}, {"-Infinity", NOT_JSON}, {"fals e", NOT_JSON},
  };
  check_values(cases, ARRAY_LEN(cases));
}

static void test_numbers(void) {
  static const struct value_case cases[] = {
      {"0", NULL},
      {"-0", NULL},
      {"-0.0", NULL},
      {"7", NULL},
      {"-12", NULL},
      {"10", NULL},
      {"0.1", NULL},
      {"0.10", NULL},
      {"1e5", NULL},
      {"1E5", NULL},
      {"1e+5", NULL},
      {"1e-5", NULL},
      {"1.5e05", NULL},
      {"0e0", NULL},
      {"18446744073709551616", NULL},
      {"-99999999999999999999999999999999", NULL},
      {"0.1234567890123456789012345678901234567890", NULL},
      {"1.7976931348623157e308", NULL},
      {"-1.7976931348623157e308", NULL},
      {"5e-324", NULL},
      {"0.000e-9", NULL},
      {"1e309", RANGE},
      {"-1e309", RANGE},
      {"1e400", RANGE},
      {"1.8e308", RANGE},
      {"1e-400", RANGE},
      {"1e99999999999999999999", RANGE},
      {"1e-99999999999999999999", RANGE},
      {"01", NOT_JSON},
      {"00", NOT_JSON},
      {"-01", NOT_JSON},
      {"+1", NOT_JSON},
      {"-", NOT_JSON},
      {"--1", NOT_JSON},
      {"- 1", NOT_JSON},
      {".5", NOT_JSON},
      {"-.5", NOT_JSON},
      {"1.", NOT_JSON},
      {"1.e5", NOT_JSON},
      {"1e", NOT_JSON},
      {"1e+", NOT_JSON},
      {"1e-", NOT_JSON},
      {"1e+-5", NOT_JSON},
      {"1e5.5", NOT_JSON},
      {"1 2", NOT_JSON},
      {"1.2.3", NOT_JSON},
      {"0x10", NOT_JSON},
      {"1_000", NOT_JSON},
      {"1f", NOT_JSON},
      {"\xd9\xa1", NOT_JSON}, /* a digit, but not one of JSON's */
  };
  check_values(cases, ARRAY_LEN(cases));
}

/* Digits that an ordinary number never has are a matter of range, not of luck. */
static void test_long_numbers(void) {
  static const struct {
    int zeros;
    const char *error;
  } cases[] = {{300, NULL}, {1022, NULL}, {1023, RANGE}, {20000, RANGE}};
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    cleanup_buf struct buf number = {0};
    buf_str(&number, "0.");
    memset(buf_reserve(&number, (size_t)cases[i].zeros), '0', (size_t)cases[i].zeros);
    number.len += (size_t)cases[i].zeros;
    check_value(number.data, number.len, cases[i].error);
  }
}

static void test_strings(void) {
  static const struct value_case cases[] = {
      {"\"\"", NULL},
      {"\"plain\"", NULL},
      {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", NULL},
      {"\"\\u0001\\u001f\\u007f\\u00e9\\u20AC\\uabCD\"", NULL},
      {"\"\x7f\"", NULL}, /* not among RFC 8259's control characters */
      {"\"// not a comment\"", NULL},
      {"\"", NOT_JSON},
      {"\"open", NOT_JSON},
      {"\"open\\\"", NOT_JSON},
      {"\"\\\"", NOT_JSON},
      {"'single'", NOT_JSON},
      {"\"\\x41\"", NOT_JSON},
      {"\"\\a\"", NOT_JSON},
      {"\"\\v\"", NOT_JSON},
      {"\"\\'\"", NOT_JSON},
      {"\"\\0\"", NOT_JSON},
      {"\"\\U0041\"", NOT_JSON},
      {"\"\\ \"", NOT_JSON},
      {"\"\\u\"", NOT_JSON},
      {"\"\\u1\"", NOT_JSON},
      {"\"\\u12\"", NOT_JSON},
      {"\"\\u123\"", NOT_JSON},
      {"\"\\u123g\"", NOT_JSON},
      {"\"\\u+123\"", NOT_JSON},
      {"\"\\u 123\"", NOT_JSON},
      {"\"\\u0000\"", NUL},
      {"\"a\\u0000b\"", NUL},
      {"\"tab\there\"", NOT_JSON},
      {"\"line\nbreak\"", NOT_JSON},
      {"\"\x01\"", NOT_JSON},
      {"\"\x1f\"", NOT_JSON},
  };
  check_values(cases, ARRAY_LEN(cases));
  check_value("\"a\0b\"", 5, NOT_JSON);
  check_value("\"a\\\0b\"", 6, NOT_JSON);
}

static void test_surrogates(void) {
  static const struct value_case cases[] = {
      {"\"\\ud83d\\ude00\"", NULL},        {"\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", NULL},
      {"\"\\ud7ff\\ue000\\uffff\"", NULL}, {"\"\\ud83d\"", SURROGATE},
      {"\"\\ud83d \\ude00\"", SURROGATE},  {"\"\\ude00\"", SURROGATE},
      {"\"\\ude00\\ud83d\"", SURROGATE},   {"\"\\ud83d\\ud83d\\ude00\"", SURROGATE},
      {"\"\\ud83d\\u0041\"", SURROGATE},   {"\"\\ud83d\\n\"", SURROGATE},
      {"\"\\ud83dx\"", SURROGATE},         {"\"\\ud83d\\ude0\"", SURROGATE},
      {"\"\\ud83d\\u\"", SURROGATE},       {"\"\\udfff\"", SURROGATE},
      {"\"\\ud800\"", SURROGATE},          {"\"\\ud83d\xf0\x9f\x98\x80\"", SURROGATE},
  };
  check_values(cases, ARRAY_LEN(cases));
}

/* Unicode's table 3-7: the well-formed sequences, and their neighbours on each side. */
static void test_utf8(void) {
  static const struct value_case cases[] = {
      {"\"\xc2\x80\xdf\xbf\"", NULL},
      {"\"\xe0\xa0\x80\xe0\xbf\xbf\"", NULL},
      {"\"\xe1\x80\x80\xec\xbf\xbf\"", NULL},
      {"\"\xed\x80\x80\xed\x9f\xbf\"", NULL},
      {"\"\xee\x80\x80\xef\xbf\xbf\"", NULL},
      {"\"\xf0\x90\x80\x80\xf0\xbf\xbf\xbf\"", NULL},
      {"\"\xf1\x80\x80\x80\xf3\xbf\xbf\xbf\"", NULL},
      {"\"\xf4\x80\x80\x80\xf4\x8f\xbf\xbf\"", NULL},
      {"\"\x80\"", NOT_UTF8},
      {"\"\xbf\"", NOT_UTF8},
      {"\"\xc0\xaf\"", NOT_UTF8}, /* overlong */
      {"\"\xc1\xbf\"", NOT_UTF8},
      {"\"\xe0\x80\xaf\"", NOT_UTF8},
      {"\"\xe0\x9f\xbf\"", NOT_UTF8},
      {"\"\xf0\x80\x80\xaf\"", NOT_UTF8},
      {"\"\xf0\x8f\xbf\xbf\"", NOT_UTF8},
      {"\"\xed\xa0\x80\"", NOT_UTF8}, /* surrogates */
      {"\"\xed\xbf\xbf\"", NOT_UTF8},
      {"\"\xed\xa0\xbd\xed\xb8\x80\"", NOT_UTF8},
      {"\"\xf4\x90\x80\x80\"", NOT_UTF8}, /* beyond U+10FFFF */
      {"\"\xf5\x80\x80\x80\"", NOT_UTF8},
      {"\"\xf8\x88\x80\x80\x80\"", NOT_UTF8},
      {"\"\xfe\"", NOT_UTF8},
      {"\"\xff\"", NOT_UTF8},
      {"\"\xc2\"", NOT_UTF8}, /* cut short */
      {"\"\xe2\x82\"", NOT_UTF8},
      {"\"\xf0\x9f\x98\"", NOT_UTF8},
      {"\"\xc2 \"", NOT_UTF8},
      {"\"\xe2\x82 \"", NOT_UTF8},
      {"\"\xf0\x9f\x98 \"", NOT_UTF8},
      {"\"\xe2(\xa1\"", NOT_UTF8},
  };
  check_values(cases, ARRAY_LEN(cases));
}

/* The same in names, where json-c would let most of it pass. */
static void test_names(void) {
  static const struct value_case cases[] = {
      {"{\"\\ud83d\\ude00\":1}", NULL},
      {"{\"\xf0\x9f\x98\x80\":1}", NULL},
      {"{\"a\\u0000b\":1}", NUL},
      {"{\"\\ud83d\":1}", SURROGATE},
      {"{\"\xc0\xaf\":1}", NOT_UTF8},
      {"{\"a\nb\":1}", NOT_JSON},
      {"{\"\\q\":1}", NOT_JSON},
      {"{\"a\":{\"b\\u0000\":1}}", NUL},
      {"{\"a\":[{\"\xff\":1}]}", NOT_UTF8},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++)
    check_error(cases[i].text, strlen(cases[i].text), cases[i].error);
}

/* --- depth and length ------------------------------------------------------------------------- */

/* `levels` in all, the object outside among them; `kinds` says what each level is, in turn. */
static void check_depth(int levels, const char *kinds, const char *error) {
  cleanup_buf struct buf text = {0};
  for (int i = 0; i < levels; i++) {
    bool object = i == 0 || kinds[(size_t)i % strlen(kinds)] == '{';
    buf_str(&text, object ? i + 1 < levels ? "{\"a\":" : "{" : "[");
  }
  for (int i = levels - 1; i >= 0; i--)
    buf_chr(&text, i == 0 || kinds[(size_t)i % strlen(kinds)] == '{' ? '}' : ']');
  check_error(buf_text(&text), text.len, error);
}

static void test_depth(void) {
  static const char *const kinds[] = {"[", "{", "{[", "[{", "[[{"};
  for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
    for (int levels = 1; levels <= 32; levels++)
      check_depth(levels, kinds[i], NULL);
    check_depth(33, kinds[i], DEPTH);
    check_depth(34, kinds[i], DEPTH);
    check_depth(20000, kinds[i], DEPTH);
  }
}

/* Depth is depth, not the number of objects and arrays. */
static void test_breadth(void) {
  cleanup_buf struct buf text = {0};
  buf_str(&text, "{\"a\":[");
  for (int i = 0; i < 1000; i++)
    buf_printf(&text, "%s[[{\"b\":[{}]}]]", i ? "," : "");
  buf_str(&text, "]}");
  check_error(buf_text(&text), text.len, NULL);
}

static const char rich[] =
    " {\"from\": \"+1234567890\",\"to\":\"\\u002b\\ud83d\\ude00\", \"metadata\" : "
    "{\"n\":[1,-2.5e+3,"
    "true,false,null,{}, [] ],\"e\\\"\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"} }";

static void test_every_truncation(void) {
  check_error(rich, sizeof(rich) - 1, NULL);
  for (size_t len = 0; len < sizeof(rich) - 1; len++)
    CHECK(error_of(rich, len));
}

/* Whatever byte is damaged: what is still accepted, json-c must accept as well when it is strict.
 */
static void test_every_damage(void) {
  char text[sizeof(rich)];
  for (size_t at = 0; at < sizeof(rich) - 1; at++)
    for (int c = 0; c < 256; c++) {
      memcpy(text, rich, sizeof(rich));
      text[at] = (char)c;
      if (error_of(text, sizeof(rich) - 1))
        continue;
      struct json_tokener *tokener = json_tokener_new_ex(33);
      json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
      struct json_object *o = json_tokener_parse_ex(tokener, text, (int)sizeof(rich));
      if (!json_object_is_type(o, json_type_object))
        test_error(__FILE__, __LINE__, "byte %d at %zu passed", c, at);
      json_object_put(o);
      json_tokener_free(tokener);
    }
}

static void test_random_bytes(void) {
  static const char alphabet[] = "{}[]\",:\\u0dtruefalsn1-+.eE \n\xc3\xa9\xed";
  uint64_t state = 2463534242u; /* xorshift: the same texts in every run */
  for (int i = 0; i < 200000; i++) {
    char text[24] = "{\"a\":";
    size_t len = 5;
    while (len < sizeof(text)) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      text[len++] = alphabet[state % (sizeof(alphabet) - 1)];
    }
    error_of(text, 1 + state % (sizeof(text) - 1)); /* no crash, no over-read */
  }
}

/* --- members ---------------------------------------------------------------------------------- */

static void check_members(const char *text, const char *expected_a, enum json_kind kind_a,
                          const char *expected_b) {
  struct json_member m[] = {{.name = "aa"}, {.name = "b"}, {.name = "never there"}};
  const char *error = NULL;
  CHECK(json_object_check(text, strlen(text), m, ARRAY_LEN(m), &error));
  const char *const expected[] = {expected_a, expected_b, NULL};
  for (size_t i = 0; i < ARRAY_LEN(m); i++) {
    cleanup_free char *got = m[i].text ? strndup(m[i].text, m[i].len) : NULL;
    CHECK_STR(got, expected[i]);
    CHECK((m[i].type == JSON_ABSENT) == !expected[i]);
  }
  CHECK_INT(m[0].type, kind_a);
}

static void test_members(void) {
  static const struct {
    const char *text, *a;
    enum json_kind kind;
    const char *b;
  } cases[] = {
      {"{}", NULL, JSON_ABSENT, NULL},
      {"{\"aa\":1}", "1", JSON_NUMBER, NULL},
      {"{\"aa\": \"x\" ,\"b\": 2 }", "\"x\"", JSON_STRING, "2"},
      {"{\"b\":0,\"aa\":-1.50e3}", "-1.50e3", JSON_NUMBER, "0"},
      {"{\"aa\":true}", "true", JSON_BOOL, NULL},
      {"{\"aa\":false}", "false", JSON_BOOL, NULL},
      {"{\"aa\":null,\"b\":null}", "null", JSON_NULL, "null"},
      {"{\"aa\":[1, 2 ]}", "[1, 2 ]", JSON_ARRAY, NULL},
      {"{\"aa\" : { \"b\" : 5 } }", "{ \"b\" : 5 }", JSON_OBJECT, NULL}, /* not the inner one */
      {"{\"a\":1,\"aaa\":2,\"AA\":3,\"aa \":4,\"\":5}", NULL, JSON_ABSENT, NULL},
      {"{\"aa\":1,\"aa\":2}", "2", JSON_NUMBER, NULL}, /* the last one counts */
      {"{\"aa\":{},\"b\":1,\"aa\":\"z\",\"b\":3}", "\"z\"", JSON_STRING, "3"},
      {"{\"\\u0061a\":1}", "1", JSON_NUMBER, NULL},
      {"{\"a\\u0061\":1,\"\\u0062\":[]}", "1", JSON_NUMBER, "[]"},
      {"{\"aa\":1,\"\\u0061\\u0061\":2}", "2", JSON_NUMBER, NULL},
      {"{\"a\\\\a\":1,\"a\\/a\":2,\"aa\\t\":3}", NULL, JSON_ABSENT, NULL},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++)
    check_members(cases[i].text, cases[i].a, cases[i].kind, cases[i].b);
}

static void test_members_are_cleared(void) {
  struct json_member m = {.name = "aa", .type = JSON_STRING, .text = "old", .len = 3};
  const char *error;
  CHECK(json_object_check("{}", 2, &m, 1, &error));
  CHECK(m.type == JSON_ABSENT && !m.text && m.len == 0);
}

/* What is counted as stored is the text that PostgreSQL's jsonb gives back, but for its blanks
 * (tests/input.bats compares the two). */
static void test_stored_len(void) {
  static const struct {
    const char *value, *stored;
  } cases[] = {
      {"1", "1"},
      {"-1", "-1"},
      {"0", "0"},
      {"-0", "0"},
      {"-0.00", "0.00"},
      {"0e5", "0"},
      {"0.0e5", "0"},
      {"0e-3", "0.000"},
      {"-0.0E-2", "0.000"},
      {"12.50", "12.50"},
      {"1e3", "1000"},
      {"1E+0003", "1000"},
      {"1.25e1", "12.5"},
      {"1.25e2", "125"},
      {"-1.25e4", "-12500"},
      {"125e-2", "1.25"},
      {"125e-3", "0.125"},
      {"125e-5", "0.00125"},
      {"0.00125e4", "12.5"},
      {"0.00125e2", "0.125"},
      {"10.0e-1", "1.00"},
      {"100e-2", "1.00"},
      {"[ 1e2 , -2.5e+3,\ttrue ]", "[100,-2500,true]"},
      {"{ \"a b\" : [ ] ,\n\"1e3\":\"1e3 \\\" \" }", "{\"a b\":[],\"1e3\":\"1e3 \\\" \"}"},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    cleanup_buf struct buf text = {0};
    buf_printf(&text, "{\"x\": [1e9 ], \"aa\" : %s , \"y\": 1e9}", cases[i].value);
    struct json_member m = {.name = "aa"};
    const char *error;
    CHECK(json_object_check(buf_text(&text), text.len, &m, 1, &error));
    CHECK_INT(m.stored_len, strlen(cases[i].stored));
  }
  cleanup_buf struct buf bomb = {0};
  buf_str(&bomb, "{\"aa\":[1e-300,1e308,-17976931348623157e292");
  buf_str(&bomb, "]}");
  struct json_member m = {.name = "aa"};
  const char *error;
  CHECK(json_object_check(buf_text(&bomb), bomb.len, &m, 1, &error));
  CHECK_INT(m.stored_len, 302 + 309 + 310 + 4);
}

static void test_compact(void) {
  static const struct {
    const char *text, *compact;
  } cases[] = {
      {"{}", "{}"},
      {"{\"a\":[1,2]}", "{\"a\":[1,2]}"},
      {"{ \"a b\" :\t[ 1 ,\r\n2 ] } ", "{\"a b\":[1,2]}"},
      {"{\"a\": \" \\\" \\\\\", \"b\": \"\\\\\\\" x\"}",
       "{\"a\":\" \\\" \\\\\",\"b\":\"\\\\\\\" x\"}"},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    size_t len = strlen(cases[i].text);
    cleanup_free char *exact = malloc(len);
    memcpy(exact, cases[i].text, len);
    cleanup_buf struct buf out = {0};
    json_compact(&out, exact, len);
    CHECK_STR(buf_text(&out), cases[i].compact);
  }
}

/* --- strings ---------------------------------------------------------------------------------- */

static void test_decode(void) {
  static const struct {
    const char *text, *value;
    size_t len;
  } cases[] = {
      {"\"\"", TEXT("")},
      {"\"+1234\"", TEXT("+1234")},
      {"\"\\u002b1\"", TEXT("+1")},
      {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", TEXT("\"\\/\b\f\n\r\t")},
      {"\"\\u00e9\\u20ac\"", TEXT("\xc3\xa9\xe2\x82\xac")},
      {"\"\\ud83d\\ude00\"", TEXT("\xf0\x9f\x98\x80")},
      {"\"\\uD800\\uDC00x\"", TEXT("\xf0\x90\x80\x80x")},
      {"\"\xf0\x9f\x98\x80\\n\"", TEXT("\xf0\x9f\x98\x80\n")},
      {"\"\\uffff\\u0001\"", TEXT("\xef\xbf\xbf\x01")},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    size_t len = strlen(cases[i].text);
    cleanup_free char *exact = malloc(len);
    memcpy(exact, cases[i].text, len);
    cleanup_buf struct buf out = {0};
    buf_str(&out, "|");
    json_string_decode(exact, len, &out);
    CHECK_STR(buf_text(&out) + 1, cases[i].value);
    CHECK_INT(out.len, 1 + cases[i].len);
  }
}

static void test_encode(void) {
  static const struct {
    const char *text;
    size_t len;
    const char *json;
  } cases[] = {
      {TEXT(""), "\"\""},
      {TEXT("plain/text"), "\"plain/text\""},
      {TEXT("a\"b\\c"), "\"a\\\"b\\\\c\""},
      {TEXT("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
      {TEXT("\x01\x1f"), "\"\\u0001\\u001f\""},
      {TEXT("\xc3\xa9\xf0\x9f\x98\x80"), "\"\xc3\xa9\xf0\x9f\x98\x80\""},
      {TEXT("http://x/\n"), "\"http://x/\\n\""},
      {TEXT("\0"), "\"\\u0000\""},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    cleanup_free char *exact = malloc(cases[i].len + 1);
    memcpy(exact, cases[i].text, cases[i].len);
    cleanup_buf struct buf out = {0};
    json_string_encode(&out, exact, cases[i].len);
    CHECK_STR(buf_text(&out), cases[i].json);
  }
}

/* What was encoded passes the check and decodes to what it was: every character of one byte. */
static void test_encode_and_back(void) {
  for (int c = 1; c < 128; c++) {
    const char text[] = {'<', (char)c, '>', '\0'};
    cleanup_buf struct buf json = {0};
    cleanup_buf struct buf back = {0};
    json_string_encode(&json, text, 3);
    check_value(buf_text(&json), json.len, NULL);
    json_string_decode(buf_text(&json), json.len, &back);
    CHECK_STR(buf_text(&back), text);
  }
}

int main(void) {
  RUN(test_whole_texts);
  RUN(test_not_an_object);
  RUN(test_words);
  RUN(test_numbers);
  RUN(test_long_numbers);
  RUN(test_strings);
  RUN(test_surrogates);
  RUN(test_utf8);
  RUN(test_names);
  RUN(test_depth);
  RUN(test_breadth);
  RUN(test_every_truncation);
  RUN(test_every_damage);
  RUN(test_random_bytes);
  RUN(test_members);
  RUN(test_members_are_cleared);
  RUN(test_stored_len);
  RUN(test_compact);
  RUN(test_decode);
  RUN(test_encode);
  RUN(test_encode_and_back);
  return test_done();
}
