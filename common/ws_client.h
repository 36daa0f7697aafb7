#pragma once

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/ws.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A blocking connection to a WebSocket or HTTP server, for programs that do nothing else meanwhile.
 * common/ws.h makes and reads the bytes.
 */
struct ws_client {
  int fd;
  int64_t deadline_ms; /* of clock_monotonic_ms(): no call waits longer; the caller sets it anew */
  struct buf in;       /* what came; from `at` on it has not been taken */
  size_t at;
};

enum ws_client_result {
  WS_CLIENT_OK,
  WS_CLIENT_TIMEOUT,
  WS_CLIENT_EOF, /* the server hung up */
  WS_CLIENT_BAD, /* it broke the protocol */
};

/* Connects to `where`, as dial() takes it, until the deadline. False, and `*error`, where that
 * fails. A struct of {.fd = -1} is a client that has no connection. */
must_check bool ws_client_connect(struct ws_client *c, const char *where, const char **error);
/* Hangs up and frees what the struct holds. It may be called twice. */
void ws_client_done(struct ws_client *c);

/* Sends all of it. After WS_CLIENT_EOF there may still be something to read. */
must_check enum ws_client_result ws_client_send(struct ws_client *c, const void *data, size_t len);
/* Reads what comes next, at least a byte, to the end of `in`. */
must_check enum ws_client_result ws_client_read(struct ws_client *c);

/* Takes the head of a response, `*head_len` bytes at `*head`, which stay until the next call. */
must_check enum ws_client_result ws_client_head(struct ws_client *c, const char **head,
                                                size_t *head_len);
/* Takes the next frame; its payload stays until the next call. WS_CLIENT_BAD: frame->error. */
must_check enum ws_client_result ws_client_frame(struct ws_client *c, struct ws_frame *frame);

#define cleanup_ws_client __attribute__((cleanup(ws_client_done)))
