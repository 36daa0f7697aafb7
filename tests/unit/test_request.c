/* Requests (fcgi/http/request.c): targets and hosts as tables; the gateway is played by this test.
 */

#include "fcgi/http/request.h"

#include "common/cleanup.h"
#include "tests/unit/test.h"

#include <stdlib.h>

/* --- targets ---------------------------------------------------------------------------------- */

/* The target in memory of just its size. */
static enum request_path parse(const char *target, const char *base, char path[REQUEST_PATH_SIZE]) {
  cleanup_free char *exact = strdup(target);
  return request_parse_target(exact, base, path);
}

static void test_good_targets(void) {
  static const struct {
    const char *target, *base, *path;
  } cases[] = {
      {"/", "", "/"},
      {"/health", "", "/health"},
      {"/calls/", "", "/calls"},
      {"/calls/x/", "", "/calls/x"},
      {"/calls/0199c0de", "", "/calls/0199c0de"},
      {"/health?x=/../y%zz", "", "/health"},
      {"/health#f", "", "/health"},
      {"/?", "", "/"},
      {"/%68ealth", "", "/health"},
      {"/%48%45%4c%4C", "", "/HELL"},
      {"/a%25b", "", "/a%b"},
      {"/a%2525b", "", "/a%25b"}, /* decoded once */
      {"/a%3Fb", "", "/a?b"},
      {"/a b", "", "/a b"},
      {"/a%20b", "", "/a b"},
      {"/a+b", "", "/a+b"},
      {"/%C3%A9", "", "/\xc3\xa9"},
      {"/...", "", "/..."},
      {"/.a/..b/c..", "", "/.a/..b/c.."},
      {"http://host/health", "", "/health"},
      {"HTTP://host:80/health?x", "", "/health"},
      {"https://user@host/health", "", "/health"},
      {"http://host", "", "/"},
      {"http://host?x", "", "/"},
      {"http://host/", "", "/"},
      {"/mock", "/mock", "/"},
      {"/mock/", "/mock", "/"},
      {"/mock/health", "/mock", "/health"},
      {"/mock?x", "/mock", "/"},
      {"/%6dock/health", "/mock", "/health"},
      {"http://host/mock/calls", "/mock", "/calls"},
      {"/a/b/calls/x", "/a/b", "/calls/x"},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    char path[REQUEST_PATH_SIZE];
    CHECK_INT(parse(cases[i].target, cases[i].base, path), PATH_GOOD);
    CHECK_STR(path, cases[i].path);
  }
}

static void test_bad_targets(void) {
  static const struct {
    const char *target, *base;
    enum request_path state;
  } cases[] = {
      {"", "", PATH_UNKNOWN},
      {"*", "", PATH_UNKNOWN},
      {"health", "", PATH_UNKNOWN},
      {"ftp://host/health", "", PATH_UNKNOWN},
      {"//", "", PATH_UNKNOWN},
      {"//health", "", PATH_UNKNOWN},
      {"/calls//x", "", PATH_UNKNOWN},
      {"/calls/%2fx", "", PATH_UNKNOWN},
      {"/calls//", "", PATH_UNKNOWN},
      {"/.", "", PATH_UNKNOWN},
      {"/..", "", PATH_UNKNOWN},
      {"/./health", "", PATH_UNKNOWN},
      {"/calls/../health", "", PATH_UNKNOWN},
      {"/calls/%2e%2e/health", "", PATH_UNKNOWN},
      {"/calls/.%2E", "", PATH_UNKNOWN},
      {"/calls/..%2fhealth", "", PATH_UNKNOWN},
      {"/calls%2fx", "", PATH_UNKNOWN},
      {"/calls%2Fx", "", PATH_UNKNOWN},
      {"%2Fhealth", "", PATH_UNKNOWN},
      {"/health%2f", "", PATH_UNKNOWN},
      {"/mock%2fhealth", "/mock", PATH_UNKNOWN},
      {"http://host//health", "", PATH_UNKNOWN},
      {"/%", "", PATH_MALFORMED},
      {"/%4", "", PATH_MALFORMED},
      {"/%4g", "", PATH_MALFORMED},
      {"/%g4", "", PATH_MALFORMED},
      {"/%%41", "", PATH_MALFORMED},
      {"/% 41", "", PATH_MALFORMED},
      {"/%4?1", "", PATH_MALFORMED},
      {"/%00", "", PATH_MALFORMED},
      {"/health%00.png", "", PATH_MALFORMED},
      {"/a%0ab", "", PATH_MALFORMED},
      {"/a%0d%0ab", "", PATH_MALFORMED},
      {"/a%1fb", "", PATH_MALFORMED},
      {"/a%7fb", "", PATH_MALFORMED},
      {"/a\tb", "", PATH_MALFORMED},
      {"/a\x7f", "", PATH_MALFORMED},
      {"/", "/mock", PATH_UNKNOWN},
      {"/health", "/mock", PATH_UNKNOWN},
      {"/mockery", "/mock", PATH_UNKNOWN},
      {"/mockery/health", "/mock", PATH_UNKNOWN},
      {"/moc", "/mock", PATH_UNKNOWN},
      {"/Mock/health", "/mock", PATH_UNKNOWN},
      {"/mock//health", "/mock", PATH_UNKNOWN},
      {"/mock/../mock/health", "/mock", PATH_UNKNOWN},
      {"http://host", "/mock", PATH_UNKNOWN},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    char path[REQUEST_PATH_SIZE];
    enum request_path state = parse(cases[i].target, cases[i].base, path);
    if (state != cases[i].state)
      test_error(__FILE__, __LINE__, "\"%s\" under \"%s\" is %d", cases[i].target, cases[i].base,
                 (int)state);
  }
}

/* Whatever its length, and however it is cut off: no more than the buffer is written. */
static void test_long_targets(void) {
  for (size_t len = REQUEST_PATH_SIZE - 3; len < REQUEST_PATH_SIZE + 3; len++) {
    char path[REQUEST_PATH_SIZE];
    cleanup_free char *target = calloc(1, len + 1);
    memset(target, 'a', len);
    target[0] = '/';
    bool fits = len < REQUEST_PATH_SIZE;
    CHECK_INT(parse(target, "", path), fits ? PATH_GOOD : PATH_UNKNOWN);
    CHECK(!fits || strcmp(path, target) == 0);
  }
  char path[REQUEST_PATH_SIZE];
  cleanup_free char *endless = calloc(1, 100001);
  memset(endless, '/', 100000);
  CHECK_INT(parse(endless, "", path), PATH_UNKNOWN);
}

static void test_every_byte(void) {
  for (int c = 1; c < 256; c++) {
    const char plain[] = {'/', 'a', (char)c, 'b', '\0'};
    char escaped[16], path[REQUEST_PATH_SIZE];
    snprintf(escaped, sizeof(escaped), "/a%%%02xb", (unsigned)c);
    bool control = c < 0x20 || c == 0x7f;
    CHECK_INT(parse(escaped, "", path), control    ? PATH_MALFORMED
                                        : c == '/' ? PATH_UNKNOWN
                                                   : PATH_GOOD);
    CHECK(control || c == '/' || strcmp(path, plain) == 0);
    bool broken = control || c == '%';
    CHECK_INT(parse(plain, "", path), broken ? PATH_MALFORMED : PATH_GOOD);
  }
}

/* --- hosts ------------------------------------------------------------------------------------ */

static void test_hosts(void) {
  static const struct {
    const char *host;
    bool valid;
  } cases[] = {
      {"localhost", true},
      {"localhost:3000", true},
      {"calls.example.com", true},
      {"calls.example.com:443", true},
      {"a_b-c.example", true},
      {"127.0.0.1:3000", true},
      {"[::1]", true},
      {"[::1]:3000", true},
      {"[2001:db8::192.0.2.1]:65535", true},
      {"LOCALHOST", true},
      {"", false},
      {":3000", false},
      {"host:", false},
      {"host:x", false},
      {"host:123456", false},
      {"host:80x", false},
      {"host:80:80", false},
      {"host/path", false},
      {"host?x", false},
      {"host#x", false},
      {"user@host", false},
      {"host\"", false},
      {"host'", false},
      {"host\\", false},
      {"<script>", false},
      {"a b", false},
      {" host", false},
      {"host ", false},
      {"a,b", false},
      {"host\r\nX: y", false},
      {"h\xc3\xb6st", false},
      {"h%6fst", false},
      {"[", false},
      {"[]", false},
      {"[:]", false},
      {"[::1", false},
      {"::1", false},
      {"[::1]x", false},
      {"[::1]:", false},
      {"[::g]", false},
      {"[fe80::1%25eth0]", false},
      {"[[::1]]", false},
      {"{host}", false},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    cleanup_free char *exact = strdup(cases[i].host);
    if (request_host_valid(exact) != cases[i].valid)
      test_error(__FILE__, __LINE__, "\"%s\"", cases[i].host);
  }
}

static void test_host_lengths(void) {
  char host[258];
  memset(host, 'h', sizeof(host));
  host[255] = '\0';
  CHECK(request_host_valid(host));
  host[255] = 'h';
  host[256] = '\0';
  CHECK(!request_host_valid(host));
}

/* --- a whole request, from a gateway that this test plays ------------------------------------- */

static const char *parameters[16][2]; /* closed by a NULL name */

const char *gateway_param(const struct gateway *g, const char *name) {
  (void)g;
  for (int i = 0; parameters[i][0]; i++)
    if (strcmp(parameters[i][0], name) == 0)
      return parameters[i][1];
  return "";
}

static int drained;

enum gateway_body gateway_read_body(struct gateway *g, size_t max, struct buf *body) {
  (void)g;
  CHECK_INT(body->len, 0);
  buf_add(body, "body", max < 4 ? max : 4);
  return max < 4 ? BODY_TOO_LARGE : BODY_WHOLE;
}

void gateway_drain_body(struct gateway *g) {
  (void)g;
  drained++;
}

static const char base_path[] = "/mock";

static void set_parameters(const char *const pairs[][2]) {
  int i = 0;
  for (; pairs[i][0]; i++) {
    parameters[i][0] = pairs[i][0];
    parameters[i][1] = pairs[i][1];
  }
  parameters[i][0] = NULL;
}

static void test_read(void) {
  static const char *const pairs[][2] = {
      {"REQUEST_METHOD", "POST"},           {"REQUEST_URI", "/mock/calls/%78?key=secret"},
      {"PATH_INFO", "/something/else"},     {"HTTP_AUTHORIZATION", "Bearer k"},
      {"CONTENT_TYPE", "application/json"}, {"HTTP_HOST", "host:1"},
      {"HTTP_ORIGIN", "https://o"},         {NULL, NULL},
  };
  struct request r = {0};
  set_parameters(pairs);
  for (int i = 0; i < 2; i++) { /* the second time with the body of the first in its buffer */
    request_read(&r, NULL, base_path);
    CHECK_STR(r.method, "POST");
    CHECK_STR(r.path, "/calls/x");
    CHECK_STR(r.path_shown, "/mock/calls/%78");
    CHECK_INT(r.path_state, PATH_GOOD);
    CHECK_STR(r.authorization, "Bearer k");
    CHECK_STR(r.content_type, "application/json");
    CHECK_STR(r.host, "host:1");
    CHECK_STR(r.origin, "https://o");
    CHECK(!r.https);
    CHECK_INT(r.body.len, 0); /* nothing has asked for it yet */
    CHECK_INT(request_read_body(&r, 64), BODY_WHOLE);
    CHECK_STR(buf_text(&r.body), "body");
  }
  request_read(&r, NULL, base_path);
  CHECK_INT(request_read_body(&r, 3), BODY_TOO_LARGE);
  request_read(&r, NULL, base_path);
  request_drain_body(&r);
  CHECK_INT(drained, 1);
  CHECK_INT(r.body.len, 0);
  buf_done(&r.body);
}

static void test_scheme(void) {
  static const struct {
    const char *name, *value;
    bool https;
  } cases[] = {
      {"HTTPS", "on", true},
      {"HTTPS", "ON", true},
      {"HTTPS", "1", true},
      {"HTTPS", "off", false},
      {"HTTPS", "", false},
      {"REQUEST_SCHEME", "https", true},
      {"REQUEST_SCHEME", "http", false},
      {"HTTP_X_FORWARDED_PROTO", "https", false},
      {"HTTP_FORWARDED", "proto=https", false},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    const char *const pairs[][2] = {{cases[i].name, cases[i].value}, {NULL, NULL}};
    struct request r = {0};
    set_parameters(pairs);
    request_read(&r, NULL, base_path);
    CHECK_INT(r.https, cases[i].https);
    buf_done(&r.body);
  }
}

/* What messages show is printable ASCII of bounded length, whatever came. */
static void test_shown_path(void) {
  static const struct {
    const char *target, *shown;
  } cases[] = {
      {"/nope", "/nope"},          {"/nope?key=secret", "/nope"}, {"/a\"b", "/a\"b"},
      {"/\xc3\xa9 \x01", "/????"}, {"http://host/x", "/x"},       {"", ""},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    const char *const pairs[][2] = {{"REQUEST_URI", cases[i].target}, {NULL, NULL}};
    struct request r = {0};
    set_parameters(pairs);
    request_read(&r, NULL, base_path);
    CHECK_STR(r.path_shown, cases[i].shown);
    buf_done(&r.body);
  }
}

int main(void) {
  RUN(test_good_targets);
  RUN(test_bad_targets);
  RUN(test_long_targets);
  RUN(test_every_byte);
  RUN(test_hosts);
  RUN(test_host_lengths);
  RUN(test_read);
  RUN(test_scheme);
  RUN(test_shown_path);
  return test_done();
}
