/* Replies (fcgi/http/reply.c): their form as CGI wants it. */

#include "fcgi/http/reply.h"

#include "common/cleanup.h"
#include "tests/unit/test.h"

static void check_rendered(const struct reply *reply, bool head, const char *expected) {
  cleanup_buf struct buf out = {0};
  reply_render(reply, head, &out);
  CHECK_STR(buf_text(&out), expected);
}

/* The status comes last: to HAProxy a Location that follows it is a redirect. */
#define RENDERED(status, length, more, body)                                                       \
  "Content-Type: application/json\r\nContent-Length: " length                                      \
  "\r\nCache-Control: no-store\r\n" more "Status: " status "\r\n\r\n" body

static void test_good_reply(void) {
  struct reply reply = {0};
  reply_reset(&reply);
  check_rendered(&reply, false, RENDERED("200 OK", "0", "", ""));
  buf_str(&reply.body, "{\"a\":1}");
  check_rendered(&reply, false, RENDERED("200 OK", "8", "", "{\"a\":1}\n"));
  reply.status = 201;
  reply_header(&reply, "Location", "/calls/x");
  check_rendered(&reply, false,
                 RENDERED("201 Created", "8", "Location: /calls/x\r\n", "{\"a\":1}\n"));
  reply_done(&reply);
}

/* RFC 9110: the length is that of the GET, the body is left out. */
static void test_head(void) {
  struct reply reply = {0};
  reply_reset(&reply);
  buf_str(&reply.body, "{\"a\":1}");
  check_rendered(&reply, true, RENDERED("200 OK", "8", "", ""));
  reply_done(&reply);
}

/* Other types than JSON are sent as they are. */
static void test_content_type(void) {
  struct reply reply = {0};
  reply_reset(&reply);
  reply.content_type = "text/plain; charset=utf-8";
  buf_str(&reply.body, "text");
  check_rendered(&reply, false,
                 "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n"
                 "Cache-Control: no-store\r\nStatus: 200 OK\r\n\r\ntext");
  reply_refuse(&reply, 404, "no");
  check_rendered(&reply, false, RENDERED("404 Not Found", "0", "", ""));
  reply_done(&reply);
}

/* --- streams ---------------------------------------------------------------------------------- */

static int ended; /* how often a stream was ended */

static ssize_t never_fill(void *context, char *out, size_t size) {
  (void)context, (void)out, (void)size;
  CHECK(!"rendering asks no producer");
  return -1;
}

static void end(void *context) {
  CHECK(context == &ended);
  ended++;
}

static void begin_stream(struct reply *reply, int64_t len) {
  const struct stream stream = {.len = len, .fill = never_fill, .done = end, .context = &ended};
  ended = 0;
  reply_reset(reply);
  reply_stream(reply, "audio/wav", &stream);
}

static void test_stream(void) {
  struct reply reply = {0};
  begin_stream(&reply, 123456789012);
  for (int head = 0; head < 2; head++)
    check_rendered(&reply, head,
                   "Content-Type: audio/wav\r\nContent-Length: 123456789012\r\n"
                   "Cache-Control: no-store\r\nStatus: 200 OK\r\n\r\n");
  CHECK_INT(ended, 0);
  reply_done(&reply);
  CHECK_INT(ended, 1);
  reply_done(&reply);
  CHECK_INT(ended, 1);
}

static void test_stream_of_unknown_length(void) {
  struct reply reply = {0};
  begin_stream(&reply, -1);
  check_rendered(&reply, false,
                 "Content-Type: audio/wav\r\nCache-Control: no-store\r\nStatus: 200 OK\r\n\r\n");
  reply_reset(&reply);
  CHECK_INT(ended, 1);
  check_rendered(&reply, false, RENDERED("200 OK", "0", "", ""));
  reply_done(&reply);
  CHECK_INT(ended, 1);
}

static void test_refused_stream(void) {
  struct reply reply = {0};
  begin_stream(&reply, 5);
  reply_refuse(&reply, 503, "no");
  CHECK_INT(ended, 1);
  check_rendered(&reply, false, RENDERED("503 Service Unavailable", "0", "", ""));
  reply_done(&reply);
  CHECK_INT(ended, 1);
}

/* --- headers, statuses, memory ---------------------------------------------------------------- */

static void test_no_content(void) {
  struct reply reply = {0};
  reply_reset(&reply);
  reply.status = 204;
  reply_header(&reply, "Allow", "GET");
  buf_str(&reply.body, "never sent");
  check_rendered(&reply, false,
                 "Cache-Control: no-store\r\nAllow: GET\r\nStatus: 204 No Content\r\n\r\n");
  reply_done(&reply);
}

static void test_headers(void) {
  struct reply reply = {0};
  reply_reset(&reply);
  reply_header(&reply, "X-One", "1");
  reply_header(&reply, "X-Empty", "");
  reply_header_int(&reply, "X-Big", 9223372036854775807);
  CHECK_STR(buf_text(&reply.headers), "X-One: 1\r\nX-Empty: \r\nX-Big: 9223372036854775807\r\n");
  reply_done(&reply);
}

static void test_status_lines(void) {
  static const struct {
    int status;
    const char *line;
  } cases[] = {
      {200, "200 OK"},
      {201, "201 Created"},
      {400, "400 Bad Request"},
      {401, "401 Unauthorized"},
      {404, "404 Not Found"},
      {405, "405 Method Not Allowed"},
      {413, "413 Content Too Large"},
      {415, "415 Unsupported Media Type"},
      {429, "429 Too Many Requests"},
      {500, "500 Internal Server Error"},
      {503, "503 Service Unavailable"},
  };
  struct reply reply = {0};
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    char status[80];
    cleanup_buf struct buf out = {0};
    reply_reset(&reply);
    reply.status = cases[i].status;
    snprintf(status, sizeof(status), "\r\nStatus: %s\r\n\r\n", cases[i].line);
    reply_render(&reply, false, &out);
    CHECK(strstr(buf_text(&out), status) != NULL);
    CHECK_STR(reply_status_text(cases[i].status), cases[i].line + 4);
  }
  reply_done(&reply);
}

/* What a handler began to say is gone; headers that belong to the request stay. */
static void test_refusal_replaces_body(void) {
  struct reply reply = {0};
  reply_reset(&reply);
  reply_header(&reply, "Access-Control-Allow-Origin", "*");
  buf_str(&reply.body, "{\"half\":");
  reply_refuse(&reply, 404, "Call not found");
  CHECK_STR(buf_text(&reply.reason), "Call not found");
  check_rendered(&reply, false,
                 RENDERED("404 Not Found", "0", "Access-Control-Allow-Origin: *\r\n", ""));
  reply_done(&reply);
}

/* One reply's memory serves the next, but nothing of what it said. */
static void test_reset(void) {
  struct reply reply = {0};
  reply_reset(&reply);
  reply_refuse(&reply, 503, "no");
  reply_header(&reply, "Retry-After", "2");
  buf_str(&reply.body, "{\"a\":1}");
  reply_reset(&reply);
  CHECK_STR(buf_text(&reply.reason), "");
  check_rendered(&reply, false, RENDERED("200 OK", "0", "", ""));
  reply_done(&reply);
}

static void test_large_body(void) {
  struct reply reply = {0};
  cleanup_buf struct buf out = {0};
  reply_reset(&reply);
  memset(buf_reserve(&reply.body, 1 << 20), 'x', 1 << 20);
  reply.body.len = 1 << 20;
  reply.body.data[1 << 20] = '\0';
  reply_render(&reply, false, &out);
  CHECK(strstr(buf_text(&out), "\r\nContent-Length: 1048577\r\n"));
  CHECK_INT(strlen(strstr(buf_text(&out), "\r\n\r\n") + 4), (1 << 20) + 1);
  reply_done(&reply);
}

int main(void) {
  RUN(test_good_reply);
  RUN(test_head);
  RUN(test_content_type);
  RUN(test_stream);
  RUN(test_stream_of_unknown_length);
  RUN(test_refused_stream);
  RUN(test_no_content);
  RUN(test_headers);
  RUN(test_status_lines);
  RUN(test_refusal_replaces_body);
  RUN(test_reset);
  RUN(test_large_body);
  return test_done();
}
