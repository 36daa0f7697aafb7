/*
 * load crowd: clients of one kind, mostly hostile ones. Prints "ready" when all are connected.
 * After SECONDS, or when the server has hung up on all of them, prints a line:
 *
 *   open=N gone=N first_s=S last_s=S mb=N codes=CODE:N,…
 *
 * first_s and last_s are when the first and the last connection ended; mb is how much of their
 * floods they sent; codes are those of the close frames, 0 without one.
 */

#include "common/log.h"
#include "tests/harness/frames.h"
#include "tests/harness/load/client.h"
#include "tests/harness/load/commands.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { AT_ONCE = 64, TURN_MS = 50, DRIP_US = 1000000, OPEN_US = 20000000, FLOOD_MAX = 65536 + 16 };
enum flow { QUIET, FLOOD, DRIP }; /* sends nothing more; as fast as it can; a byte each second */

static const struct kind {
  const char *name, *first; /* what each sends at first; NULL: a whole handshake */
  enum flow flow;
  bool deaf;           /* never reads */
  const char *flood;   /* the frames, repeated */
  const char *opening; /* what comes once before them */
} kinds[] = {
    {.name = "silent", .first = ""},
    {.name = "half", .first = "GET /ws HTTP/1.1\r\nHost: x\r\nX-Half:"},
    {.name = "idle"}, /* answers no ping */
    {.name = "pings", .flow = FLOOD, .flood = "89fd 00000000 2a*125"},
    {.name = "deaf", .flow = FLOOD, .deaf = true, .flood = "89fd 00000000 2a*125"},
    {.name = "texts", .flow = FLOOD, .flood = "81feffff 00000000 2a*65535"},
    {.name = "fragments", .flow = FLOOD, .flood = "0080 00000000", .opening = "0180 00000000"},
    {.name = "drip", .flow = DRIP},
    {.name = "slow-head", .first = "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ", .flow = DRIP},
    {.name = "slow-body",
     .first = "POST /calls HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer demo-key\r\n"
              "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
     .flow = DRIP},
};

struct member {
  struct client client;
  bool ready, gone;
  size_t sent; /* of its flood */
  int64_t gone_us;
  int code;
};

static struct {
  const struct kind *kind;
  struct client_server server;
  const char *target;
  size_t count, started, ready, gone, flood_len, bytes;
  struct member *members;
  int64_t begin_us;
  unsigned char flood[FLOOD_MAX];
} crowd;

static struct member *member_of(struct client *c) {
  return (struct member *)c; /* its first member */
}

/* --- a client of it --------------------------------------------------------------------------- */

static void be_ready(struct member *m) {
  static unsigned char opening[FRAMES_MAX];
  m->ready = true;
  crowd.ready++;
  if (crowd.kind->opening)
    (void)client_send(&m->client, opening, frames_unhex(crowd.kind->opening, opening));
  if (crowd.kind->flow == FLOOD)
    loop_change(&m->client.io, crowd.kind->deaf ? EPOLLOUT : EPOLLIN | EPOLLOUT);
}

static void on_connected(struct client *c) {
  const char *first = crowd.kind->first;
  if (!first) {
    client_ask(c, &crowd.server, crowd.target);
    return;
  }
  (void)client_send(c, first, strlen(first));
  be_ready(member_of(c));
}

static void on_response(struct client *c, int status) {
  if (status == 101)
    be_ready(member_of(c));
}

static void on_end(struct client *c, enum client_end why, int code) {
  struct member *m = member_of(c);
  if (!m->ready)
    printf("client %zu was not let in\n", (size_t)(m - crowd.members));
  m->gone = true;
  m->gone_us = now_us();
  m->code = code;
  crowd.gone++;
}

/* Continues its flood. After an error it reads, because a close frame may say why. */
static void on_writable(struct client *c) {
  struct member *m = member_of(c);
  ssize_t n =
      send(c->io.fd, crowd.flood + m->sent, crowd.flood_len - m->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n > 0) {
    m->sent = (m->sent + (size_t)n) % crowd.flood_len;
    crowd.bytes += (size_t)n;
  } else if (n < 0 && errno != EAGAIN) {
    client_read(c);
  }
}

static const struct client_kind client_kind = {.no_pongs = true,
                                               .on_connected = on_connected,
                                               .on_response = on_response,
                                               .on_writable = on_writable,
                                               .on_end = on_end};

/* --- all of them ------------------------------------------------------------------------------ */

static void gather(void) {
  int64_t progress_us = now_us();
  size_t before = 0;
  while (crowd.ready + crowd.gone < crowd.count && now_us() - progress_us < OPEN_US) {
    while (crowd.started < crowd.count && crowd.started - crowd.ready - crowd.gone < AT_ONCE) {
      client_start(&crowd.members[crowd.started].client, &client_kind, &crowd.server, 0);
      crowd.started++;
    }
    loop_turn(TURN_MS);
    if (crowd.ready + crowd.gone > before)
      progress_us = now_us();
    before = crowd.ready + crowd.gone;
  }
  if (before < crowd.count)
    printf("%zu clients were not let in\n", crowd.count - before);
}

static void drip(void) {
  for (size_t i = 0; i < crowd.started; i++) {
    struct client *c = &crowd.members[i].client;
    if (c->stage != CLIENT_GONE && !client_send(c, "\x81", 1))
      client_read(c);
  }
}

static void stay(int64_t until_us) {
  int64_t drip_us = now_us();
  while (now_us() < until_us && crowd.gone < crowd.count) {
    loop_turn(TURN_MS);
    if (crowd.kind->flow == DRIP && now_us() >= drip_us) {
      drip();
      drip_us += DRIP_US;
    }
  }
}

static void report(void) {
  static int codes[65536];
  double first = 0, last = 0;
  for (size_t i = 0; i < crowd.count; i++) {
    const struct member *m = &crowd.members[i];
    if (!m->gone)
      continue;
    double gone_s = (double)(m->gone_us - crowd.begin_us) / 1e6;
    codes[m->code]++;
    first = !first || gone_s < first ? gone_s : first;
    last = gone_s > last ? gone_s : last;
  }
  printf("open=%zu gone=%zu first_s=%.1f last_s=%.1f mb=%zu codes=", crowd.count - crowd.gone,
         crowd.gone, first, last, crowd.bytes >> 20);
  for (int code = 0; code < 65536; code++)
    if (codes[code])
      printf("%d:%d,", code, codes[code]);
  putchar('\n');
}

static void fill_flood(void) {
  size_t len = crowd.kind->flood ? frames_unhex(crowd.kind->flood, crowd.flood) : 0;
  crowd.flood_len = len;
  while (len && crowd.flood_len + len <= FLOOD_MAX) {
    memcpy(crowd.flood + crowd.flood_len, crowd.flood, len);
    crowd.flood_len += len;
  }
}

int command_crowd(int argc, char **argv) {
  cleanup_buf struct buf where = {0};
  if (argc != 4 || !ws_url(argv[3], &where, &crowd.target))
    return 64;
  for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
    if (strcmp(argv[0], kinds[i].name) == 0)
      crowd.kind = &kinds[i];
  crowd.count = strtoul(argv[1], NULL, 10);
  if (!crowd.kind || !crowd.count)
    return 64;
  if (!(crowd.members = calloc(crowd.count, sizeof(*crowd.members))))
    log_oom();
  want_descriptors((long)crowd.count + 16);
  client_find(&crowd.server, buf_text(&where));
  fill_flood();
  crowd.begin_us = now_us();
  gather();
  puts("ready");
  stay(now_us() + (int64_t)(strtod(argv[2], NULL) * 1e6));
  report();
  for (size_t i = 0; i < crowd.started; i++)
    client_leave(&crowd.members[i].client);
  free(crowd.members);
  return 0;
}
