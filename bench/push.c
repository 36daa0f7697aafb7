/*
 * push: the minimum work that pushes events to WebSockets, with which ./mcs bench compares wsd. It
 * checks nothing. The answer to every handshake is the same, and the call is the text behind
 * "call_id=". Frames come ready from the one channel "bench:push", behind the call's id. What a
 * socket does not accept at once is lost, which the bench notices.
 *
 *   push PORT REDIS_SOCKET
 */

#include <ev.h>
#include <hiredis/adapters/libev.h>
#include <hiredis/async.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ID_LEN = 36, BUCKETS = 1 << 16 };

struct client {
  ev_io io;
  struct client *next, **link; /* in its bucket, once its call is known */
  char id[ID_LEN];
};

static struct client *buckets[BUCKETS];

static struct client **bucket_of(const char *id) {
  uint64_t random; /* the random part of the id */
  memcpy(&random, id + ID_LEN - sizeof(random) - 2, sizeof(random));
  return &buckets[random * 0x9e3779b97f4a7c15u >> 48];
}

static void hang_up(struct ev_loop *loop, struct client *c) {
  if (c->link)
    *c->link = c->next;
  if (c->next)
    c->next->link = c->link;
  ev_io_stop(loop, &c->io);
  close(c->io.fd);
  free(c);
}

static void on_client(struct ev_loop *loop, ev_io *io, int events) {
  static const char accepted[] =
      "HTTP/1.1 101 Switching Protocols\r\n"
      "Upgrade: websocket\r\n"
      "Connection: Upgrade\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
  static char in[4096];
  struct client *c = io->data;
  ssize_t len = recv(io->fd, in, sizeof(in) - 1, 0);
  if (len <= 0) {
    hang_up(loop, c);
    return;
  }
  in[len] = '\0';
  const char *id = c->link ? NULL : strstr(in, "call_id=");
  if (!id)
    return;
  memcpy(c->id, id + strlen("call_id="), ID_LEN);
  c->link = bucket_of(c->id);
  c->next = *c->link;
  if (c->next)
    c->next->link = &c->next;
  *c->link = c;
  (void)!send(io->fd, accepted, sizeof(accepted) - 1, MSG_NOSIGNAL);
}

static void on_acceptable(struct ev_loop *loop, ev_io *io, int events) {
  int fd;
  while ((fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    struct client *c = calloc(1, sizeof(*c));
    if (!c)
      abort();
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    ev_io_init(&c->io, on_client, fd, EV_READ);
    c->io.data = c;
    ev_io_start(loop, &c->io);
  }
}

static void on_message(redisAsyncContext *redis, void *reply, void *arg) {
  const redisReply *r = reply;
  if (!r || r->elements != 3)
    exit(1);
  if (r->element[2]->type != REDIS_REPLY_STRING)
    return; /* SUBSCRIBE's reply */
  const char *id = r->element[2]->str, *frame = id + ID_LEN;
  size_t len = r->element[2]->len - ID_LEN;
  for (struct client *c = *bucket_of(id); c; c = c->next)
    if (memcmp(c->id, id, ID_LEN) == 0)
      (void)!send(c->io.fd, frame, len, MSG_NOSIGNAL);
}

int main(int argc, char **argv) {
  struct ev_loop *loop = ev_default_loop(0);
  redisAsyncContext *redis = argc == 3 ? redisAsyncConnectUnix(argv[2]) : NULL;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (!loop || !redis || redis->err || fd < 0)
    return 64;
  const struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)strtol(argv[1], NULL, 10)),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 4096) != 0)
    return 1;
  redisLibevAttach(loop, redis);
  redisAsyncCommand(redis, on_message, NULL, "SUBSCRIBE bench:push");
  ev_io acceptable;
  ev_io_init(&acceptable, on_acceptable, fd, EV_READ);
  ev_io_start(loop, &acceptable);
  ev_run(loop, 0);
  return 0;
}
