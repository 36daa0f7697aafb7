/* Heads of HTTP responses (common/http_head.c). */

#include "common/http_head.h"

#include "tests/unit/test.h"

static const char head[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade:websocket\r\n"
    "X-Empty:\r\nX-Padded: \t a b \t\r\nX-PADDED: second\r\n"
    "Connection: keep-alive, Upgrade ,x\r\n\r\nX-Body: 1\r\n\r\n";

static void test_len(void) {
  size_t whole = strlen(head) - strlen("X-Body: 1\r\n\r\n");
  for (size_t len = 0; len <= strlen(head); len++)
    CHECK_INT(http_head_len(head, len), len < whole ? 0 : whole);
  CHECK_INT(http_head_len(NULL, 0), 0);
}

static void test_status(void) {
  static const struct {
    const char *text;
    int status;
  } cases[] = {
      {"HTTP/1.1 200 OK\r\n", 200},
      {"HTTP/1.0 503 \r\n", 503},
      {"HTTP/1.1 404", 404},
      {"HTTP/1.1 40", 0},
      {"HTTP/1.", 0},
      {"", 0},
      {"HTTP/2 200 OK\r\n", 0},
      {"HTTP/1.1200 OK\r\n", 0},
      {"HTTP/1.1 2x0 OK\r\n", 0},
      {"SSH-2.0-OpenSSH_9.2", 0},
      {"http/1.1 200 OK\r\n", 0},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    CHECK_INT(http_head_status(cases[i].text, strlen(cases[i].text)), cases[i].status);
}

static void check_find(const char *name, const char *expected) {
  size_t len = 0;
  const char *value = http_head_find(head, http_head_len(head, strlen(head)), name, &len);
  char text[40] = "";
  if (value)
    snprintf(text, sizeof(text), "%.*s", (int)len, value);
  CHECK_STR(value ? text : NULL, expected);
}

static void test_find(void) {
  check_find("upgrade", "websocket");
  check_find("X-Empty", "");
  check_find("x-padded", "a b");
  check_find("Upgrad", NULL);
  check_find("Upgrades", NULL);
  check_find("X-Body", NULL);
  check_find("HTTP/1.1 101 Switching Protocols", NULL);
}

static void test_has(void) {
  size_t len = http_head_len(head, strlen(head));
  CHECK(http_head_has(head, len, "connection", "upgrade"));
  CHECK(http_head_has(head, len, "Connection", "keep-alive"));
  CHECK(http_head_has(head, len, "Connection", "X"));
  CHECK(!http_head_has(head, len, "Connection", "up"));
  CHECK(!http_head_has(head, len, "Connection", "upgrade ,x"));
  CHECK(!http_head_has(head, len, "X-Empty", "x"));
  CHECK(!http_head_has(head, len, "X-None", "x"));
}

/* Whatever is cut off is not read. */
static void test_cut(void) {
  size_t len;
  for (size_t cut = 0; cut < strlen(head); cut++) {
    char copy[sizeof(head)]; /* with a sanitizer, what lies behind the copy may not be touched */
    memcpy(copy + sizeof(copy) - cut, head, cut);
    const char *at = copy + sizeof(copy) - cut;
    (void)http_head_status(at, cut);
    (void)http_head_has(at, cut, "Connection", "upgrade");
    (void)http_head_find(at, cut, "X-None", &len);
  }
}

int main(void) {
  RUN(test_len);
  RUN(test_status);
  RUN(test_find);
  RUN(test_has);
  RUN(test_cut);
  return test_done();
}
