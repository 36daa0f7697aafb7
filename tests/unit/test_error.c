/* The errors of our own API (fcgi/api/error.c). */

#include "fcgi/api/error.h"

#include "common/cleanup.h"
#include "tests/unit/test.h"

static void test_names(void) {
  static const struct {
    int status;
    const char *error;
  } cases[] = {
      {400, "Bad Request"},         {401, "Unauthorized"},          {404, "Not Found"},
      {405, "Method Not Allowed"},  {413, "Payload Too Large"},     {415, "Unsupported Media Type"},
      {429, "Rate limit exceeded"}, {500, "Internal Server Error"}, {503, "Service Unavailable"},
  };
  struct reply reply = {0};
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    char body[120];
    reply_reset(&reply);
    error_reply(&reply, cases[i].status, "what went wrong");
    snprintf(body, sizeof(body), "{\"error\":\"%s\",\"message\":\"what went wrong\"}",
             cases[i].error);
    CHECK_INT(reply.status, cases[i].status);
    CHECK_STR(buf_text(&reply.body), body);
    CHECK_STR(buf_text(&reply.reason), "what went wrong");
  }
  reply_done(&reply);
}

static void test_replaces_body(void) {
  struct reply reply = {0};
  reply_reset(&reply);
  buf_str(&reply.body, "{\"half\":");
  error_reply(&reply, 404, "Call not found");
  CHECK_STR(buf_text(&reply.body), "{\"error\":\"Not Found\",\"message\":\"Call not found\"}");
  reply_done(&reply);
}

static void test_message_is_escaped(void) {
  struct reply reply = {0};
  reply_reset(&reply);
  error_reply(&reply, 404, "Route GET /\"\\<\n>/ not found");
  CHECK_STR(buf_text(&reply.body),
            "{\"error\":\"Not Found\",\"message\":"
            "\"Route GET /\\\"\\\\<\\n>/ not found\"}");
  reply_done(&reply);
}

static void test_unavailable(void) {
  struct reply reply = {0};
  reply_reset(&reply);
  error_unavailable(&reply, 2, "no");
  CHECK_INT(reply.status, 503);
  CHECK_STR(buf_text(&reply.headers), "Retry-After: 2\r\n");
  CHECK_STR(buf_text(&reply.body), "{\"error\":\"Service Unavailable\",\"message\":\"no\"}");
  reply_done(&reply);
}

int main(void) {
  RUN(test_names);
  RUN(test_replaces_body);
  RUN(test_message_is_escaped);
  RUN(test_unavailable);
  return test_done();
}
