/*
 * Replies on their way to the web server (fcgi/http/gateway.c), whole and as streams. A child is
 * the responder, with the gateway; this process is the web server and talks FastCGI to it.
 */

#include "fcgi/http/gateway.h"

#include "common/cleanup.h"
#include "tests/unit/test.h"

#include <fastcgi.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_S = 60, HUGE_LEN = 1 << 30 };

static const char head[] = "Status: 200 OK\r\n\r\n";

/* --- a producer ------------------------------------------------------------------------------- */

/* What a stream does. Its bytes are those of their offsets. */
struct plan {
  const char *what;
  int64_t announced; /* the stream's length, -1 for unknown */
  int64_t len;       /* what the producer has */
  size_t at_once;    /* how much it gives in one piece, 0: whatever is asked for */
  int ticks;         /* of the deadline, that pass while it makes a piece */
  bool fails;        /* after `len`, rather than to end */
  bool whole;        /* what is expected: FastCGI's end of the request */
  bool nothing;      /* or not even the head, so that the web server can send an error */
};

/* What the child says of it. */
static struct report {
  int64_t produced;
  int asked, done;
  size_t max_asked;
} * report;

struct producer {
  const struct plan *plan;
  int64_t at;
};

static char byte_at(int64_t offset) {
  return (char)(offset * 31 + offset / 251);
}

static ssize_t fill(void *context, char *out, size_t size) {
  struct producer *producer = context;
  const struct plan *plan = producer->plan;
  report->asked++;
  if (size > report->max_asked)
    report->max_asked = size;
  for (int i = 0; i < plan->ticks; i++)
    raise(SIGALRM);
  if (producer->at == plan->len)
    return plan->fails ? -1 : 0;
  size_t n = plan->at_once && plan->at_once < size ? plan->at_once : size;
  if ((int64_t)n > plan->len - producer->at)
    n = (size_t)(plan->len - producer->at);
  for (size_t i = 0; i < n; i++)
    out[i] = byte_at(producer->at++);
  report->produced = producer->at;
  return (ssize_t)n;
}

static void send_reply(struct gateway *g, const struct plan *plan) {
  struct producer producer = {.plan = plan};
  const struct stream stream = {.len = plan->announced, .fill = fill, .context = &producer};
  struct buf text = {0};
  buf_str(&text, head);
  gateway_reply(g, &text, plan->what ? &stream : NULL);
  report->done++;
  buf_done(&text);
}

/* --- the responder ---------------------------------------------------------------------------- */

/* Answers each request with the plan, until it is told to stop. */
static pid_t start_responder(int listener, const struct plan *plan) {
  *report = (struct report){0};
  pid_t pid = fork();
  if (pid != 0)
    return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(listener, STDIN_FILENO);
  close(listener);
  struct gateway *g = gateway_new();
  for (enum gateway_event event; (event = gateway_accept(g, -1)) != GATEWAY_STOP;)
    if (event == GATEWAY_REQUEST)
      send_reply(g, plan);
  gateway_free(g);
  exit(0);
}

static void stop_responder(pid_t pid) {
  int status;
  kill(pid, SIGTERM);
  CHECK_INT(waitpid(pid, &status, 0), pid);
  CHECK_INT(status, 0);
}

/* --- the web server --------------------------------------------------------------------------- */

static struct sockaddr_un address = {.sun_family = AF_UNIX};

static int listen_here(void) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  unlink(address.sun_path);
  CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
  CHECK_INT(listen(fd, 16), 0);
  return fd;
}

static void add_record(struct buf *out, int type, const char *content, size_t len) {
  const FCGI_Header header = {.version = FCGI_VERSION_1,
                              .type = (unsigned char)type,
                              .requestIdB0 = 1,
                              .contentLengthB1 = (unsigned char)(len >> 8),
                              .contentLengthB0 = (unsigned char)len};
  buf_add(out, &header, sizeof(header));
  buf_add(out, content, len);
}

/* Connects and sends a request with a body of so many bytes. */
static int request(size_t body_len) {
  static const FCGI_BeginRequestBody begin = {.roleB0 = FCGI_RESPONDER};
  static const char param[] = "\016\004REQUEST_METHODPOST";
  static char chunk[60000];
  cleanup_buf struct buf out = {0};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK_INT(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
  add_record(&out, FCGI_BEGIN_REQUEST, (const char *)&begin, sizeof(begin));
  add_record(&out, FCGI_PARAMS, param, sizeof(param) - 1);
  add_record(&out, FCGI_PARAMS, "", 0);
  for (size_t n; body_len; body_len -= n) {
    n = body_len < sizeof(chunk) ? body_len : sizeof(chunk);
    add_record(&out, FCGI_STDIN, chunk, n);
  }
  add_record(&out, FCGI_STDIN, "", 0);
  for (size_t sent = 0; sent < out.len;) {
    ssize_t n = send(fd, out.data + sent, out.len - sent, MSG_NOSIGNAL);
    if (n <= 0) {
      test_error(__FILE__, __LINE__, "the responder left after %zu of %zu bytes", sent, out.len);
      return fd;
    }
    sent += (size_t)n;
  }
  return fd;
}

static bool read_exactly(int fd, void *out, size_t len) {
  for (size_t n = 0; n < len;) {
    ssize_t more = read(fd, (char *)out + n, len - n);
    if (more <= 0)
      return false;
    n += (size_t)more;
  }
  return true;
}

/* Reads the reply until the connection ends. True when FastCGI's end came before that. */
static bool read_reply(int fd, struct buf *out) {
  static char content[65536 + 256];
  bool ended = false;
  for (FCGI_Header header; read_exactly(fd, &header, sizeof(header));) {
    size_t len = (size_t)(header.contentLengthB1 << 8 | header.contentLengthB0);
    if (!read_exactly(fd, content, len + header.paddingLength))
      break;
    if (header.type == FCGI_STDOUT)
      buf_add(out, content, len);
    ended |= header.type == FCGI_END_REQUEST;
  }
  close(fd);
  return ended;
}

static void check_stream(const struct buf *reply, int64_t len) {
  size_t head_len = sizeof(head) - 1;
  CHECK_INT(reply->len, head_len + (size_t)len);
  CHECK(reply->len >= head_len && memcmp(reply->data, head, head_len) == 0);
  for (size_t i = head_len; i < reply->len; i++)
    if (reply->data[i] != byte_at((int64_t)(i - head_len))) {
      test_error(__FILE__, __LINE__, "wrong from byte %zu", i - head_len);
      return;
    }
}

/* --- tests ------------------------------------------------------------------------------------ */

static const struct plan plans[] = {
    {"nothing", .announced = 0, .len = 0, .whole = true},
    {"nothing, not announced", .announced = -1, .len = 0, .whole = true},
    {"a byte", .announced = 1, .len = 1, .whole = true},
    {"a byte, not announced", .announced = -1, .len = 1, .whole = true},
    {"much", .announced = 1000000, .len = 1000000, .whole = true},
    {"much, not announced", .announced = -1, .len = 1000000, .whole = true},
    {"byte by byte", .announced = 5000, .len = 5000, .at_once = 1, .whole = true},
    {"odd pieces, not announced", .announced = -1, .len = 100000, .at_once = 777, .whole = true},
    {"more than was announced", .announced = 50000, .len = 100000, .whole = true},
    {"less than was announced", .announced = 100000, .len = 50000},
    {"fails at once", .announced = 100000, .len = 0, .fails = true, .nothing = true},
    {"fails at once, not announced", .announced = -1, .len = 0, .fails = true, .nothing = true},
    {"fails in the middle", .announced = 100000, .len = 50000, .fails = true},
    {"fails in the middle, not announced", .announced = -1, .len = 50000, .fails = true},
    /* Three ticks of 3 s a piece: far more than 15 s in all, but never without progress. */
    {"slow", .announced = 20000, .len = 20000, .at_once = 1000, .ticks = 3, .whole = true},
    {"stuck", .announced = 20000, .len = 20000, .at_once = 1000, .ticks = 6, .nothing = true},
};

static void test_streams(void) {
  for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
    const struct plan *plan = &plans[i];
    int errors = test_errors;
    int listener = listen_here();
    pid_t pid = start_responder(listener, plan);
    for (int n = 0; n < 2; n++) { /* the second one finds the gateway as the first one did */
      cleanup_buf struct buf reply = {0};
      CHECK_INT(read_reply(request(0), &reply), plan->whole);
      if (plan->whole)
        check_stream(&reply, plan->announced < 0 ? plan->len : plan->announced);
      else if (plan->nothing)
        CHECK_INT(reply.len, 0);
      else
        check_stream(&reply, plan->len);
    }
    stop_responder(pid);
    CHECK_INT(report->done, 2);
    CHECK(report->max_asked <= 8192);
    CHECK(plan->announced != 1 || report->max_asked == 1);
    if (test_errors > errors)
      printf("#   in: %s\n", plan->what);
    close(listener);
  }
}

/* A client that leaves ends the production, and the process goes on. */
static void test_client_gone(void) {
  static const struct plan endless = {"endless", .announced = -1, .len = INT64_MAX};
  int listener = listen_here();
  pid_t pid = start_responder(listener, &endless);
  char some[100];
  for (int n = 0; n < 2; n++) {
    int fd = request(0);
    CHECK(read_exactly(fd, some, sizeof(some)));
    close(fd);
  }
  stop_responder(pid); /* only between two requests does it notice */
  CHECK(report->done >= 1);
  CHECK(report->produced < HUGE_LEN);
  close(listener);
}

/* Before a reply is sent the whole body has been taken, whether somebody wanted it or not: closing
 * with unread data would reset the connection, and the reply with it. */
static void test_body_is_drained(void) {
  static const struct plan whole = {0}, stream = {"much", .announced = 100000, .len = 100000};
  for (int i = 0; i < 2; i++) {
    int listener = listen_here();
    pid_t pid = start_responder(listener, i ? &stream : &whole);
    cleanup_buf struct buf reply = {0};
    CHECK(read_reply(request(1000000), &reply));
    check_stream(&reply, i ? stream.len : 0);
    stop_responder(pid);
    close(listener);
  }
}

static void test_cgi(void) {
  for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
    if (plans[i].ticks)
      continue; /* there the timer ends the process */
    int errors = test_errors, out[2], status;
    CHECK_INT(pipe(out), 0);
    *report = (struct report){0};
    pid_t pid = fork();
    if (pid == 0) {
      int in[2];
      dup2(out[1], STDOUT_FILENO);
      close(out[0]);
      CHECK_INT(pipe(in), 0);
      CHECK_INT(write(in[1], "12345", 5), 5);
      setenv("CONTENT_LENGTH", "5", 1);
      dup2(in[0], STDIN_FILENO);
      struct gateway *g = gateway_new();
      bool came = gateway_accept(g, -1) == GATEWAY_REQUEST;
      send_reply(g, &plans[i]);
      bool over = gateway_accept(g, -1) == GATEWAY_STOP;
      struct pollfd unread = {.fd = in[0], .events = POLLIN};
      bool drained = poll(&unread, 1, 0) == 0;
      gateway_free(g);
      _exit(!came || !over || !drained);
    }
    close(out[1]);
    cleanup_buf struct buf reply = {0};
    char chunk[5000];
    for (ssize_t n; (n = read(out[0], chunk, sizeof(chunk))) > 0;)
      buf_add(&reply, chunk, (size_t)n);
    close(out[0]);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    check_stream(&reply, report->produced < plans[i].announced || plans[i].announced < 0
                             ? report->produced
                             : plans[i].announced);
    CHECK_INT(report->done, 1);
    if (test_errors > errors)
      printf("#   in: %s\n", plans[i].what);
  }
}

int main(void) {
  char folder[] = "/tmp/test_gateway.XXXXXX";
  alarm(DEADLINE_S);
  setvbuf(stdout, NULL, _IOLBF, 0);
  report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(report != MAP_FAILED && mkdtemp(folder));
  snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
  RUN(test_streams);
  RUN(test_client_gone);
  RUN(test_body_is_drained);
  RUN(test_cgi);
  unlink(address.sun_path);
  rmdir(folder);
  return test_done();
}
