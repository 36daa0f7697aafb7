/*
 * The order of the checks (fcgi/http/router.c, body.c), for an API that this test invents: a key
 * that is no bearer token, errors that are no JSON, bodies that are forms.
 */

#include "fcgi/http/router.h"

#include "common/cleanup.h"
#include "tests/unit/test.h"

/* --- the gateway ------------------------------------------------------------------------------ */

enum { UNREAD, READ, DRAINED };

static const char *sent_body;
static bool sent_cut;
static int body_was;

const char *gateway_param(const struct gateway *g, const char *name) {
  (void)g, (void)name;
  return "";
}

enum gateway_body gateway_read_body(struct gateway *g, size_t max, struct buf *body) {
  (void)g;
  size_t len = strlen(sent_body);
  buf_add(body, sent_body, len < max ? len : max);
  body_was = READ;
  return sent_cut ? BODY_CUT_SHORT : len > max ? BODY_TOO_LARGE : BODY_WHOLE;
}

void gateway_drain_body(struct gateway *g) {
  (void)g;
  body_was = DRAINED;
}

/* --- the API ---------------------------------------------------------------------------------- */

struct responder {
  int calls; /* of handlers */
};

static void show(const struct exchange *x) {
  x->responder->calls++;
  buf_printf(&x->reply->body, "%s %s", x->api_key ? x->api_key : "-", buf_text(&x->request->body));
}

static void show_id(const struct exchange *x) {
  show(x);
  buf_str(&x->reply->body, route_value(x->route, &x->values, "Id"));
}

static const struct body_rule form = {.type = "application/x-www-form-urlencoded", .noun = "form"},
                              small = {.type = "text/plain", .noun = "text", .max = 3};

static const struct route routes[] = {
    {"/open", .is_public = true, .operations = {[ROUTE_GET] = {.handle = show}}},
    {"/things", .operations = {[ROUTE_POST] = {.handle = show, .body = &form}}},
    {"/things/{Id}.txt",
     .operations = {[ROUTE_GET] = {.handle = show_id}, [ROUTE_POST] = {show_id, .body = &small}}},
    {"/elsewhere", .operations = {[ROUTE_GET] = {.name = "elsewhere"}}},
};

static bool authenticate(struct exchange *x) {
  if (strncmp(x->request->authorization, "Basic ", 6) == 0)
    x->api_key = x->request->authorization + 6;
  else
    reply_refuse(x->reply, 401, "who?");
  return x->api_key;
}

static void refuse(struct reply *reply, int status, const char *message) {
  reply_refuse(reply, status, message);
  buf_printf(&reply->body, "<%d %s>", status, message);
}

static const struct api api = {
    .routes = routes, .count = ARRAY_LEN(routes), .authenticate = authenticate, .refuse = refuse};

/* --- requests --------------------------------------------------------------------------------- */

#define FORM "application/x-www-form-urlencoded"

static const struct {
  const char *what, *method, *path, *key, *type, *encoding, *body;
  bool cut;
  int status;
  const char *reply;
  int body_was;
} cases[] = {
    {"a public route", "GET", "/open", "", "", "", "", false, 200, "- ", DRAINED},
    {"HEAD is GET", "HEAD", "/open", "", "", "", "", false, 200, "- ", DRAINED},
    {"a body that nobody wants", "GET", "/open", "", "", "", "x", true, 200, "- ", DRAINED},
    {"a key", "GET", "/things/7.txt", "Basic k", "", "", "", false, 200, "k 7", DRAINED},
    {"a form", "POST", "/things", "Basic k", FORM, "", "a=1", false, 200, "k a=1", READ},
    {"type with a parameter", "POST", "/things", "Basic k", FORM " ; charset=utf-8", "", "a=1",
     false, 200, "k a=1", READ},
    {"type in capitals", "POST", "/things", "Basic k", "APPLICATION/X-WWW-FORM-URLENCODED", "",
     "a=1", false, 200, "k a=1", READ},
    {"as large as it may be", "POST", "/things", "Basic k", FORM, "", "12345678", false, 200,
     "k 12345678", READ},
    {"its own limit", "POST", "/things/7.txt", "Basic k", "text/plain", "", "123", false, 200,
     "k 1237", READ},
    {"identity", "POST", "/things", "Basic k", FORM, "identity, Identity", "a=1", false, 200,
     "k a=1", READ},
    /* Path before key before method before type before encoding before the body. */
    {"no route", "POST", "/thing", "", "x", "x", "123456789", true, 404,
     "<404 Route POST /shown not found>", UNREAD},
    {"only listed", "GET", "/elsewhere", "", "", "", "", false, 404,
     "<404 Route GET /shown not found>", UNREAD},
    {"no key", "DELETE", "/things", "Bearer k", "x", "x", "123456789", true, 401, "", UNREAD},
    {"no such method", "DELETE", "/things", "Basic k", "x", "x", "123456789", true, 405,
     "<405 Method DELETE is not allowed here. Allowed: POST, OPTIONS>", UNREAD},
    {"another type", "POST", "/things", "Basic k", "text/plain", "gzip", "123456789", true, 415,
     "<415 Content-Type must be " FORM ">", UNREAD},
    {"no type", "POST", "/things", "Basic k", "", "", "a=1", false, 415,
     "<415 Content-Type must be " FORM ">", UNREAD},
    {"a longer type", "POST", "/things", "Basic k", FORM "x", "", "a=1", false, 415,
     "<415 Content-Type must be " FORM ">", UNREAD},
    {"encoded", "POST", "/things", "Basic k", FORM, "gzip", "123456789", true, 415,
     "<415 Content-Encoding is not supported: send the form as it is>", UNREAD},
    {"encoded, too", "POST", "/things", "Basic k", FORM, "identity,br", "a=1", false, 415,
     "<415 Content-Encoding is not supported: send the form as it is>", UNREAD},
    {"too large", "POST", "/things", "Basic k", FORM, "", "123456789", false, 413,
     "<413 Request body is larger than 8 bytes>", READ},
    {"larger than its own limit", "POST", "/things/7.txt", "Basic k", "text/plain", "", "1234",
     false, 413, "<413 Request body is larger than 3 bytes>", READ},
    {"cut short", "POST", "/things", "Basic k", FORM, "", "a=1", true, 400,
     "<400 Request body was cut short>", READ},
};

static void answer(struct request *request, struct reply *reply, struct responder *responder) {
  const struct config config = {.cors_origin = "*", .max_body = 8};
  reply_reset(reply);
  body_was = UNREAD;
  router_answer(&api, &config, responder, request, reply);
}

static void test_order(void) {
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    struct responder responder = {0};
    struct reply reply = {0};
    struct request request = {.method = cases[i].method,
                              .path_state = PATH_GOOD,
                              .path_shown = "/shown",
                              .authorization = cases[i].key,
                              .content_type = cases[i].type,
                              .content_encoding = cases[i].encoding};
    snprintf(request.path, sizeof(request.path), "%s", cases[i].path);
    snprintf(request.method_shown, sizeof(request.method_shown), "%s", cases[i].method);
    sent_body = cases[i].body;
    sent_cut = cases[i].cut;
    answer(&request, &reply, &responder);
    int errors = test_errors;
    CHECK_INT(reply.status, cases[i].status);
    CHECK_STR(buf_text(&reply.body), cases[i].reply);
    CHECK_INT(body_was, cases[i].body_was);
    CHECK_INT(responder.calls, cases[i].status == 200);
    CHECK(strstr(buf_text(&reply.headers), "Access-Control-Allow-Origin: *\r\n"));
    CHECK_INT(strstr(buf_text(&reply.headers), "Accept-Encoding: identity") != NULL,
              cases[i].status == 415 && *cases[i].encoding && strcmp(cases[i].type, FORM) == 0);
    CHECK_INT(strstr(buf_text(&reply.headers), "\r\nAllow: POST, OPTIONS") != NULL,
              cases[i].status == 405);
    if (test_errors > errors)
      printf("#   in: %s\n", cases[i].what);
    reply_done(&reply);
    buf_done(&request.body);
  }
}

/* A malformed path is refused before anything is looked up; a preflight needs no key. */
static void test_others(void) {
  struct responder responder = {0};
  struct reply reply = {0};
  struct request request = {.method = "GET", .path = "/open", .path_state = PATH_MALFORMED};
  answer(&request, &reply, &responder);
  CHECK_STR(buf_text(&reply.body), "<400 Malformed path>");
  request = (struct request){.method = "GET", .path = "/open", .path_state = PATH_UNKNOWN};
  answer(&request, &reply, &responder);
  CHECK_INT(reply.status, 404);
  request = (struct request){.method = "OPTIONS",
                             .path = "/things/7.txt",
                             .path_state = PATH_GOOD,
                             .wanted_headers = "X-Trace, bad name, authorization"};
  answer(&request, &reply, &responder);
  CHECK_INT(reply.status, 204);
  CHECK(strstr(buf_text(&reply.headers), "\r\nAllow: GET, HEAD, POST, OPTIONS\r\n"));
  CHECK(strstr(buf_text(&reply.headers), "Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS"));
  CHECK_INT(responder.calls, 0);
  CHECK_INT(body_was, UNREAD);
  reply_done(&reply);
}

int main(void) {
  RUN(test_order);
  RUN(test_others);
  return test_done();
}
