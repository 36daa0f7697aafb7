/* The opening handshake (wsd/handshake.c): verdicts, whole and one byte at a time. */

#include "wsd/handshake.h"

#include "tests/unit/test.h"

#include <stdlib.h>

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define GOOD "Host: h\r\n" UPGRADE KEY VERSION "\r\n"
#define GET_WS "GET /ws?call_id=a HTTP/1.1\r\n"

static const struct {
  const char *name, *base, *request;
  int status;
  const char *call_id;
} cases[] = {
    {"plain", "", GET_WS GOOD, 101, "a"},
    {"no query", "", "GET /ws HTTP/1.1\r\n" GOOD, 101, ""},
    {"empty call_id", "", "GET /ws?call_id= HTTP/1.1\r\n" GOOD, 101, ""},
    {"the first counts", "", "GET /ws?x=1&call_id=a&call_id=b HTTP/1.1\r\n" GOOD, 101, "a"},
    {"the name is exact", "", "GET /ws?xcall_id=a&call_idx=b HTTP/1.1\r\n" GOOD, 101, ""},
    {"name without value", "", "GET /ws?call_id HTTP/1.1\r\n" GOOD, 101, ""},
    {"base path", "/mock", "GET /mock/ws?call_id=a HTTP/1.1\r\n" GOOD, 101, "a"},
    {"absolute form", "", "GET http://h:1/ws?call_id=a HTTP/1.1\r\n" GOOD, 101, "a"},
    {"absolute form, base", "/b", "GET WS://h/b/ws?call_id=a HTTP/1.1\r\n" GOOD, 101, "a"},
    {"connection list", "",
     GET_WS "Connection: close, upgrade\r\nUpgrade: WebSocket\r\n" KEY VERSION "\r\n", 101, "a"},
    {"two connection headers", "",
     GET_WS "Connection: keep-alive\r\nconnection:UPGRADE\r\nUPGRADE:websocket\r\n" KEY VERSION
            "\r\n",
     101, "a"},
    {"upgrade list", "",
     GET_WS "Connection: upgrade\r\nUpgrade: h2c , websocket\r\n" KEY VERSION "\r\n", 101, "a"},
    {"slash at the end", "", "GET /ws/?call_id=a HTTP/1.1\r\n" GOOD, 101, "a"},
    {"slash at the end, mounted", "/mock", "GET /mock/ws/?call_id=a HTTP/1.1\r\n" GOOD, 101, "a"},
    {"empty headers", "", GET_WS "X:\r\nY: \t \r\n" GOOD, 101, "a"},
    {"no length is no body", "", GET_WS "Content-Length: 0\r\n" GOOD, 101, "a"},

    {"after that is no number", "", "GET /ws?call_id=a&after=x HTTP/1.1\r\n" GOOD, 400, NULL},
    {"after that is empty", "", "GET /ws?call_id=a&after= HTTP/1.1\r\n" GOOD, 400, NULL},
    {"after without a value", "", "GET /ws?after&call_id=a HTTP/1.1\r\n" GOOD, 400, NULL},
    {"after below 0", "", "GET /ws?call_id=a&after=-1 HTTP/1.1\r\n" GOOD, 400, NULL},
    {"after with a sign", "", "GET /ws?call_id=a&after=+1 HTTP/1.1\r\n" GOOD, 400, NULL},
    {"after with more behind", "", "GET /ws?call_id=a&after=1x HTTP/1.1\r\n" GOOD, 400, NULL},
    {"after that is larger than any", "", "GET /ws?call_id=a&after=1000001 HTTP/1.1\r\n" GOOD, 400,
     NULL},
    {"after that overflows", "", "GET /ws?call_id=a&after=18446744073709551617 HTTP/1.1\r\n" GOOD,
     400, NULL},
    {"after with too many zeros", "", "GET /ws?call_id=a&after=000000001 HTTP/1.1\r\n" GOOD, 400,
     NULL},
    {"after on another path", "", "GET /wsx?after=x HTTP/1.1\r\n" GOOD, 404, NULL},

    {"other path", "", "GET /wsx HTTP/1.1\r\n" GOOD, 404, NULL},
    {"path below", "", "GET /ws/x HTTP/1.1\r\n" GOOD, 404, NULL},
    {"two slashes behind it", "", "GET /ws// HTTP/1.1\r\n" GOOD, 404, NULL},
    {"base missing", "/mock", GET_WS GOOD, 404, NULL},
    {"base only", "/mock", "GET /mock HTTP/1.1\r\n" GOOD, 404, NULL},
    {"encoded path", "", "GET /%77s HTTP/1.1\r\n" GOOD, 404, NULL},
    {"absolute form without path", "", "GET http://h HTTP/1.1\r\n" GOOD, 404, NULL},
    {"path before method", "", "POST /other HTTP/1.1\r\n" GOOD, 404, NULL},
    {"post", "", "POST /ws HTTP/1.1\r\n" GOOD, 405, NULL},
    {"head", "", "HEAD /ws HTTP/1.1\r\n" GOOD, 405, NULL},
    {"lower case method", "", "get /ws HTTP/1.1\r\n" GOOD, 405, NULL},

    {"plain http", "", GET_WS "Host: h\r\n\r\n", 426, NULL},
    {"nothing but the line", "", GET_WS "\r\n", 426, NULL},
    {"http 1.0", "", "GET /ws HTTP/1.0\r\n" GOOD, 426, NULL},
    {"no connection", "", GET_WS "Upgrade: websocket\r\n" KEY VERSION "\r\n", 426, NULL},
    {"no upgrade", "", GET_WS "Connection: Upgrade\r\n" KEY VERSION "\r\n", 426, NULL},
    {"other upgrade", "",
     GET_WS "Connection: Upgrade\r\nUpgrade: websockets\r\n" KEY VERSION "\r\n", 426, NULL},
    {"no version", "", GET_WS UPGRADE KEY "\r\n", 426, NULL},
    {"old version", "", GET_WS UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n", 426, NULL},
    {"two versions", "", GET_WS UPGRADE KEY VERSION VERSION "\r\n", 426, NULL},

    {"no key", "", GET_WS UPGRADE VERSION "\r\n", 400, NULL},
    {"two keys", "", GET_WS UPGRADE KEY KEY VERSION "\r\n", 400, NULL},
    {"short key", "", GET_WS UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBs\r\n\r\n", 400, NULL},
    {"long key", "", GET_WS UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTEy\r\n\r\n",
     400, NULL},
    {"key is no base64", "",
     GET_WS UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q==\r\n\r\n", 400, NULL},
    {"body", "", GET_WS "Content-Length: 5\r\n" GOOD, 400, NULL},
    {"chunked body", "", GET_WS "Transfer-Encoding: chunked\r\n" GOOD, 400, NULL},
    {"two origins", "", GET_WS "Origin: https://a\r\norigin: https://a\r\n" GOOD, 400, NULL},
    {"no http", "", "GET /ws\r\n" GOOD, 400, NULL},
    {"http 2", "", "GET /ws HTTP/2.0\r\n" GOOD, 400, NULL},
    {"two blanks", "", "GET  /ws HTTP/1.1\r\n" GOOD, 400, NULL},
    {"no target", "", "GET HTTP/1.1\r\n" GOOD, 400, NULL},
    {"empty line", "", "\r\n\r\n", 400, NULL},
    {"bad method", "", "G(T /ws HTTP/1.1\r\n" GOOD, 400, NULL},
    {"blank before the colon", "", GET_WS "X : y\r\n" GOOD, 400, NULL},
    {"no colon", "", GET_WS "X\r\n" GOOD, 400, NULL},
    {"no name", "", GET_WS ": x\r\n" GOOD, 400, NULL},
    {"continuation line", "", GET_WS "X: y\r\n z\r\n" GOOD, 400, NULL},
    {"bare newline", "", GET_WS "X: y\nZ: a\r\n" GOOD, 400, NULL},
    {"bare return", "", GET_WS "X: y\rZ: a\r\n" GOOD, 400, NULL},
    {"control in the target", "", "GET /ws?call_id=\001 HTTP/1.1\r\n" GOOD, 400, NULL},
};

static void check_case(size_t i, const struct handshake *h, const char *how) {
  if (h->status != (enum handshake_status)cases[i].status)
    test_error(__FILE__, __LINE__, "%s, %s: status %d, expected %d", cases[i].name, how, h->status,
               cases[i].status);
  if (cases[i].call_id)
    CHECK_STR(h->call_id, cases[i].call_id);
}

static void test_cases_whole(void) {
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct handshake h = {0};
    size_t len = strlen(cases[i].request);
    CHECK(handshake_feed(&h, cases[i].request, len, cases[i].base) <= len);
    check_case(i, &h, "whole");
    handshake_done(&h);
  }
}

static void test_cases_byte_by_byte(void) {
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct handshake h = {0};
    for (const char *p = cases[i].request; *p && h.status == HANDSHAKE_UNFINISHED; p++)
      CHECK_INT(handshake_feed(&h, p, 1, cases[i].base), 1);
    check_case(i, &h, "byte by byte");
    handshake_done(&h);
  }
}

static void test_unfinished(void) {
  struct handshake h = {0};
  const char request[] = GET_WS GOOD;
  CHECK_INT(handshake_feed(&h, request, sizeof(request) - 2, ""), sizeof(request) - 2);
  CHECK_INT(h.status, HANDSHAKE_UNFINISHED);
  handshake_done(&h);
}

static void test_rest_is_left(void) {
  static const char request[] = GET_WS GOOD "\x81\x80 and more\r\n\r\n";
  size_t head = strlen(GET_WS GOOD), all = sizeof(request) - 1;
  for (size_t cut = 0; cut <= all; cut++) {
    struct handshake h = {0};
    size_t used = handshake_feed(&h, request, cut, "");
    used += handshake_feed(&h, request + cut, all - cut, "");
    CHECK_INT(used, head);
    CHECK_INT(h.status, HANDSHAKE_UPGRADE);
    handshake_done(&h);
  }
}

static void test_too_large(void) {
  static char request[HANDSHAKE_MAX * 2];
  memset(request, 'x', sizeof(request));
  memcpy(request, GET_WS "X: ", strlen(GET_WS "X: "));
  struct handshake h = {0};
  CHECK_INT(handshake_feed(&h, request, sizeof(request), ""), HANDSHAKE_MAX);
  CHECK_INT(h.status, HANDSHAKE_TOO_LARGE);
  handshake_done(&h);

  struct handshake slow = {0};
  size_t fed = 0;
  while (slow.status == HANDSHAKE_UNFINISHED && fed < sizeof(request))
    fed += handshake_feed(&slow, request + fed, 1, "");
  CHECK_INT(fed, HANDSHAKE_MAX);
  CHECK_INT(slow.status, HANDSHAKE_TOO_LARGE);
  handshake_done(&slow);
}

static void test_largest(void) {
  static char request[HANDSHAKE_MAX + 1];
  memset(request, 'x', sizeof(request));
  memcpy(request, GET_WS "X: ", strlen(GET_WS "X: "));
  const char end[] = "\r\n" GOOD;
  memcpy(request + HANDSHAKE_MAX - strlen(end), end, strlen(end));
  struct handshake h = {0};
  CHECK_INT(handshake_feed(&h, request, sizeof(request), ""), HANDSHAKE_MAX);
  CHECK_INT(h.status, HANDSHAKE_UPGRADE);
  handshake_done(&h);
}

static void test_nul_byte(void) {
  static const char request[] = "GET /ws?call_id=a\0b HTTP/1.1\r\n" GOOD;
  struct handshake h = {0};
  handshake_feed(&h, request, sizeof(request) - 1, "");
  CHECK_INT(h.status, HANDSHAKE_BAD);
  handshake_done(&h);
}

static void test_long_call_id_is_cut(void) {
  static char request[2048];
  static char id[1000];
  memset(id, 'a', sizeof(id) - 1);
  snprintf(request, sizeof(request), "GET /ws?call_id=%s HTTP/1.1\r\n" GOOD, id);
  struct handshake h = {0};
  handshake_feed(&h, request, strlen(request), "");
  CHECK_INT(h.status, HANDSHAKE_UPGRADE);
  CHECK_INT(strlen(h.call_id), HANDSHAKE_CALL_ID_SIZE - 1);
  handshake_done(&h);
}

static void test_accept(void) { /* the example of RFC 6455 section 1.3 */
  struct handshake h = {0};
  handshake_feed(&h, GET_WS GOOD, strlen(GET_WS GOOD), "");
  cleanup_buf struct buf out = {0};
  handshake_accept(&out, &h);
  CHECK_STR(buf_text(&out),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
  handshake_done(&h);
}

static void test_origins(void) {
  static const struct {
    const char *list, *header;
    bool allowed;
  } origins[] = {
      {"", "", true},
      {"", "Origin: https://x.example\r\n", true},
      {" , ", "Origin: https://x.example\r\n", true},
      {"*", "Origin: https://x.example\r\n", true},
      {"https://a.example", "", true},
      {"https://a.example", "Origin: https://a.example\r\n", true},
      {"https://b.example , https://a.example", "ORIGIN:\thttps://a.example \r\n", true},
      {"https://a.example,null", "Origin: null\r\n", true},
      {"https://a.example", "Origin:\r\n", false},
      {"https://a.example,,", "Origin: \r\n", false},
      {"https://a.example", "Origin: null\r\n", false},
      {"https://a.example", "Origin: *\r\n", false},
      {"https://a.example", "Origin: http://a.example\r\n", false},
      {"https://a.example", "Origin: https://a.example:444\r\n", false},
      {"https://a.example", "Origin: https://a.example.evil\r\n", false},
      {"https://a.example", "Origin: https://xa.example\r\n", false},
      {"https://a.example", "Origin: https://a.exampl\r\n", false},
      {"https://a.example,https://b.example", "Origin: https://a.example,https://b.example\r\n",
       false},
  };
  for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
    struct handshake h = {0};
    cleanup_buf struct buf request = {0};
    buf_printf(&request, "%s%s%s", GET_WS, origins[i].header, GOOD);
    handshake_feed(&h, request.data, request.len, "");
    CHECK_INT(h.status, HANDSHAKE_UPGRADE);
    if (handshake_origin_allowed(&h, origins[i].list) != origins[i].allowed)
      test_error(__FILE__, __LINE__, "list \"%s\", %s", origins[i].list, origins[i].header);
    handshake_done(&h);
  }
}

static void test_long_origin(void) {
  char origin[HANDSHAKE_ORIGIN_SIZE * 2];
  for (size_t len = HANDSHAKE_ORIGIN_SIZE - 2; len < HANDSHAKE_ORIGIN_SIZE + 2; len++) {
    struct handshake h = {0};
    cleanup_buf struct buf request = {0};
    memset(origin, 'x', len);
    origin[len] = '\0';
    buf_printf(&request, "%sOrigin: %s\r\n%s", GET_WS, origin, GOOD);
    handshake_feed(&h, request.data, request.len, "");
    CHECK_INT(h.status, HANDSHAKE_UPGRADE);
    CHECK_INT(handshake_origin_allowed(&h, origin), len < HANDSHAKE_ORIGIN_SIZE);
    handshake_done(&h);
  }
}

static void test_refusals(void) {
  static const struct {
    enum handshake_status status;
    const char *line, *header;
  } refusals[] = {
      {HANDSHAKE_BAD, "HTTP/1.1 400 Bad Request\r\n", NULL},
      {HANDSHAKE_FORBIDDEN, "HTTP/1.1 403 Forbidden\r\n", NULL},
      {HANDSHAKE_NOT_FOUND, "HTTP/1.1 404 Not Found\r\n", NULL},
      {HANDSHAKE_METHOD, "HTTP/1.1 405 Method Not Allowed\r\n", "\r\nAllow: GET\r\n"},
      {HANDSHAKE_NO_UPGRADE, "HTTP/1.1 426 Upgrade Required\r\n",
       "\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"},
      {HANDSHAKE_TOO_LARGE, "HTTP/1.1 431 ", NULL},
      {HANDSHAKE_UNAVAILABLE, "HTTP/1.1 503 Service Unavailable\r\n", "\r\nRetry-After: 1\r\n"},
  };
  for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
    cleanup_buf struct buf out = {0};
    handshake_refuse(&out, refusals[i].status, NULL, false);
    CHECK_INT(strncmp(out.data, refusals[i].line, strlen(refusals[i].line)), 0);
    CHECK(!refusals[i].header || strstr(out.data, refusals[i].header));
    CHECK(strstr(out.data, "\r\nConnection: close\r\n"));
    CHECK(strstr(out.data, "\r\nContent-Type: application/json\r\n"));
    const char *body = strstr(out.data, "\r\n\r\n") + 4;
    CHECK_INT(atoi(strstr(out.data, "Content-Length: ") + 16), strlen(body));
    CHECK(strncmp(body, "{\"error\":\"", 10) == 0);
  }
}

static void test_refusal_texts(void) {
  cleanup_buf struct buf get = {0}, head = {0};
  handshake_refuse(&get, HANDSHAKE_NOT_FOUND, "Call not found", false);
  CHECK_STR(strstr(get.data, "\r\n\r\n"),
            "\r\n\r\n{\"error\":\"Not Found\",\"message\":\"Call not found\"}\n");
  handshake_refuse(&head, HANDSHAKE_METHOD, NULL, true);
  CHECK_STR(strstr(head.data, "\r\n\r\n"), "\r\n\r\n");
  CHECK(!strstr(head.data, "Content-Length: 0"));
}

static void test_after(void) {
  static const struct {
    const char *query;
    bool has;
    int after;
  } queries[] = {
      {"", false, 0},          {"?call_id=a", false, 0},      {"?xafter=x", false, 0},
      {"?after=0", true, 0},   {"?after=7", true, 7},         {"?after=1000000", true, 1000000},
      {"?after=007", true, 7}, {"?after=2&after=x", true, 2},
  };
  for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
    struct handshake h = {0};
    cleanup_buf struct buf request = {0};
    buf_printf(&request, "GET /ws%s HTTP/1.1\r\n" GOOD, queries[i].query);
    handshake_feed(&h, request.data, request.len, "");
    CHECK_INT(h.status, HANDSHAKE_UPGRADE);
    CHECK_INT(h.has_after, queries[i].has);
    CHECK_INT(h.after, queries[i].after);
    handshake_done(&h);
  }
}

static void test_protocols(void) {
  static const struct {
    const char *headers, *chosen; /* NULL: 400 */
  } offers[] = {
      {"", ""},
      {"Sec-WebSocket-Protocol: mcs\r\n", "mcs"},
      {"sec-websocket-protocol:b , a\r\n", "b"},
      {"Sec-WebSocket-Protocol: b\r\nX: y\r\nSec-WebSocket-Protocol: a, c\r\n", "b"},
      {"Sec-WebSocket-Protocol: ,, v1.mcs!#$%&'*+-.^_`|~ ,\r\n", "v1.mcs!#$%&'*+-.^_`|~"},
      {"Sec-WebSocket-Protocol:\r\n", NULL},
      {"Sec-WebSocket-Protocol: ,\r\n", NULL},
      {"Sec-WebSocket-Protocol: a b\r\n", NULL},
      {"Sec-WebSocket-Protocol: a, b;c\r\n", NULL},
      {"Sec-WebSocket-Protocol: \"a\"\r\n", NULL},
      {"Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: \xc3\xa9\r\n", NULL},
  };
  for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
    struct handshake h = {0};
    cleanup_buf struct buf request = {0}, reply = {0};
    buf_printf(&request, "%s%s%s", GET_WS, offers[i].headers, GOOD);
    handshake_feed(&h, request.data, request.len, "");
    CHECK_INT(h.status, offers[i].chosen ? HANDSHAKE_UPGRADE : HANDSHAKE_BAD);
    if (offers[i].chosen) {
      cleanup_buf struct buf line = {0};
      CHECK_STR(buf_text(&h.protocol), offers[i].chosen);
      buf_printf(&line, "\r\nSec-WebSocket-Protocol: %s\r\n", offers[i].chosen);
      handshake_accept(&reply, &h);
      CHECK_INT(strstr(reply.data, buf_text(*offers[i].chosen ? &line : &h.protocol)) != NULL, 1);
      CHECK_INT(strstr(reply.data, "-Protocol") != NULL, *offers[i].chosen != 0);
    }
    handshake_done(&h);
  }
}

int main(void) {
  RUN(test_cases_whole);
  RUN(test_cases_byte_by_byte);
  RUN(test_unfinished);
  RUN(test_rest_is_left);
  RUN(test_too_large);
  RUN(test_largest);
  RUN(test_nul_byte);
  RUN(test_long_call_id_is_cut);
  RUN(test_after);
  RUN(test_accept);
  RUN(test_protocols);
  RUN(test_origins);
  RUN(test_long_origin);
  RUN(test_refusals);
  RUN(test_refusal_texts);
  return test_done();
}
