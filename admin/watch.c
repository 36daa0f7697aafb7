/*
 * `mcs-admin watch CALL`: prints a call's events, a line each, until it has ended, over the same
 * WebSocket that clients use. When the connection breaks it connects again and gets what it missed.
 */

#include "admin/commands.h"
#include "common/clock.h"
#include "calls/id.h"
#include "common/http_head.h"
#include "common/listen.h"
#include "common/log.h"
#include "common/privileges.h"
#include "common/ws_client.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PAUSE_MS = 500, STABLE_MS = 5000, GIVE_UP_MS = 60000 };
/* OPEN_MS: for connect and handshake. SILENCE_MS: longer than a server that pings every 25 s is
 * silent. */
enum { OPEN_MS = 10000, SILENCE_MS = 60000, BODY_MAX = 16384 };
enum { EXIT_ENDED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_FOUND = 3 };
enum { CLOSE_NORMAL = 1000, CLOSE_GOING_AWAY = 1001, CLOSE_SERVER_ERROR = 1011 }; /* RFC 6455 */

struct watch {
  const char *where; /* a unix socket's path or host:port */
  const char *path;
  char id[ID_SIZE];
  int seq; /* of the last event that was printed */
};

/* Why there is no connection, or why it ended. */
struct refusal {
  int status;       /* HTTP's, when the server answered; 0 when it could not be reached */
  char reason[200]; /* in one line */
};

/* --- what is printed -------------------------------------------------------------------------- */

static const char *member(json_object *message, const char *name) {
  json_object *value;
  return json_object_object_get_ex(message, name, &value) ? json_object_get_string(value) : NULL;
}

/* {"call_id":…,"status":…,"timestamp":…,"seq":…}, the last ones with more members. */
static void print_event(struct watch *watch, const struct buf *text) {
  json_object *message = json_tokener_parse(buf_text(text)), *value;
  if (json_object_object_get_ex(message, "seq", &value) &&
      json_object_get_int(value) > watch->seq) {
    watch->seq = json_object_get_int(value);
    const char *recording = member(message, "recording_url"), *outcome = member(message, "outcome");
    const char *at = member(message, "timestamp"), *status = member(message, "status");
    printf("%s  %s", at ? at : "", status ? status : "");
    if (recording)
      printf("  recording %s", recording);
    else if (json_object_object_get_ex(message, "recording_url", NULL))
      printf("  recording upload failed");
    else if (outcome)
      printf("  outcome %s", outcome);
    putchar('\n');
  }
  json_object_put(message);
}

/* --- which server ------------------------------------------------------------------------ */

/* For a call's id: the wsd that the settings name. */
static bool ask_wsd(const struct config *config, const char *id, struct watch *watch,
                    struct buf *path) {
  watch->where = config->resolved_wsd_listen;
  buf_printf(path, "%s/ws", config->base_path);
  return id_parse(id, watch->id);
}

/* For a call's `websocket_url`, ws://host[:port]/path?call_id=ID. */
static bool ask_url(const char *url, struct watch *watch, struct buf *where, struct buf *path) {
  const char *target;
  if (!ws_url(url, where, &target))
    return false;
  const char *query = strchr(target, '?'), *id = query ? strstr(query, "call_id=") : NULL;
  if (!id)
    return false;
  buf_add(path, target, (size_t)(query - target));
  watch->where = buf_text(where);
  cleanup_free char *text = strndup(id + 8, strcspn(id + 8, "&#"));
  return text && id_parse(text, watch->id);
}

/* --- one connection --------------------------------------------------------------------------- */

static bool refuse(struct refusal *refusal, const char *reason) {
  snprintf(refusal->reason, sizeof(refusal->reason), "%s", reason);
  return false;
}

/* A refusal's body is JSON with a message where the service itself refuses. */
static void read_message(struct ws_client *client, struct refusal *refusal) {
  while (client->in.len < BODY_MAX && !strchr(client->in.data + client->at, '}') &&
         ws_client_read(client) == WS_CLIENT_OK)
    continue;
  const char *body = strchr(client->in.data + client->at, '{');
  json_object *parsed = body ? json_tokener_parse(body) : NULL, *message;
  if (json_object_is_type(parsed, json_type_object) &&
      json_object_object_get_ex(parsed, "message", &message)) {
    char text[sizeof(refusal->reason)];
    refuse(refusal, log_quote(json_object_get_string(message), text, sizeof(text)));
  }
  json_object_put(parsed);
}

/* Sends the request and checks the response; false, and `*refusal`, when it is no upgrade. */
static bool upgrade(struct ws_client *client, const char *where, const char *target,
                    struct refusal *refusal) {
  char key[WS_KEY_SIZE], accept[WS_ACCEPT_SIZE];
  cleanup_buf struct buf request = {0};
  const char *head;
  size_t len;
  ws_key(key);
  ws_accept(key, accept);
  ws_request(&request, target, listen_is_unix(where) ? "localhost" : where, key, "");
  if (ws_client_send(client, request.data, request.len) != WS_CLIENT_OK ||
      ws_client_head(client, &head, &len) != WS_CLIENT_OK)
    return refuse(refusal, "it does not answer as a WebSocket server");
  refusal->status = http_head_status(head, len);
  if (!refusal->status)
    return refuse(refusal, "it does not speak HTTP");
  if (refusal->status != 101) {
    snprintf(refusal->reason, sizeof(refusal->reason), "HTTP status %d", refusal->status);
    read_message(client, refusal);
    return false;
  }
  return !ws_check(head, len, accept, false) || refuse(refusal, "it is no WebSocket server");
}

static bool open_connection(struct ws_client *client, const struct watch *watch,
                            struct refusal *refusal) {
  cleanup_buf struct buf target = {0};
  const char *error;
  *refusal = (struct refusal){0};
  buf_printf(&target, "%s?call_id=%s&after=%d", watch->path, watch->id, watch->seq);
  client->deadline_ms = clock_monotonic_ms() + OPEN_MS;
  if (!ws_client_connect(client, watch->where, &error))
    return refuse(refusal, error);
  return upgrade(client, watch->where, buf_text(&target), refusal);
}

/* Prints the events that come. Returns the close code, with the server's reason in `*why`; 0 when
 * the connection was cut. */
static int read_events(struct ws_client *client, struct watch *watch, struct buf *why) {
  cleanup_buf struct buf text = {0}, reply = {0};
  struct ws_frame frame;
  do {
    client->deadline_ms = clock_monotonic_ms() + SILENCE_MS;
    if (ws_client_frame(client, &frame) != WS_CLIENT_OK)
      return 0;
    buf_clear(&reply);
    if (frame.opcode == WS_TEXT || frame.opcode == WS_CONTINUATION)
      buf_add(&text, frame.payload, frame.len);
    if (frame.opcode == WS_PING || frame.opcode == WS_CLOSE)
      ws_frame(&reply, frame.opcode == WS_PING ? WS_PONG : WS_CLOSE, frame.payload, frame.len);
    if (reply.len && ws_client_send(client, reply.data, reply.len) == WS_CLIENT_TIMEOUT)
      return 0;
    if (frame.opcode < WS_CLOSE && frame.is_final) {
      print_event(watch, &text);
      buf_clear(&text);
    }
  } while (frame.opcode != WS_CLOSE && text.len <= WS_PAYLOAD_MAX);
  if (frame.opcode == WS_CLOSE && frame.len > 2)
    buf_add(why, frame.payload + 2, frame.len - 2);
  return frame.opcode == WS_CLOSE ? ws_close_code(&frame) : 0;
}

/* --- until the call has ended ----------------------------------------------------------------- */

static int give_up(const struct watch *watch, const struct refusal *refusal) {
  if (refusal->status == 404) {
    fprintf(stderr, "mcs: there is no call %s at %s\n", watch->id, watch->where);
    return EXIT_NOT_FOUND;
  }
  fprintf(stderr, "mcs: cannot watch the call at %s: %s\n", watch->where, refusal->reason);
  return EXIT_FAILED;
}

/* Whether another attempt may succeed: the service is being restarted, or a database is away. */
static bool is_passing(const struct watch *watch, const struct refusal *refusal) {
  return refusal->status >= 500 || (!refusal->status && watch->seq);
}

/* Prints what one connection brings; true when the call has ended, or a new connection would bring
 * nothing more, and `*status` is how the program ends. Else `*refusal` says why. */
static bool watch_once(struct watch *watch, struct ws_client *client, struct refusal *refusal,
                       int *status) {
  cleanup_buf struct buf why = {0};
  int code = read_events(client, watch, &why);
  if (code == CLOSE_NORMAL) {
    puts("closed: call finished");
    *status = EXIT_ENDED;
    return true;
  }
  snprintf(refusal->reason, sizeof(refusal->reason), "connection closed: %s",
           code ? buf_text(&why) : "cut");
  if (code == 0 || code == CLOSE_GOING_AWAY || code >= CLOSE_SERVER_ERROR)
    return false;
  *status = give_up(watch, refusal);
  return true;
}

static int watch_to_end(struct watch *watch) {
  int64_t since_ms = clock_monotonic_ms(); /* when a connection last worked */
  bool told = false;
  for (int status;;) {
    cleanup_ws_client struct ws_client client = {.fd = -1};
    struct refusal refusal;
    bool opened = open_connection(&client, watch, &refusal);
    int64_t opened_ms = clock_monotonic_ms();
    int seq = watch->seq;
    if (opened && watch_once(watch, &client, &refusal, &status))
      return status;
    if (opened && (watch->seq > seq || clock_monotonic_ms() - opened_ms > STABLE_MS)) {
      since_ms = clock_monotonic_ms();
      told = false;
    } else if ((!opened && !is_passing(watch, &refusal)) ||
               clock_monotonic_ms() - since_ms > GIVE_UP_MS) {
      return give_up(watch, &refusal);
    }
    if (!told)
      fprintf(stderr, "mcs: %s; trying again\n", refusal.reason);
    told = true;
    clock_pause_ms(PAUSE_MS);
  }
}

int command_watch(const struct config *config, int argc, char **argv) {
  struct watch watch = {0};
  cleanup_buf struct buf where = {0}, path = {0};
  if (argc != 2) {
    fputs("usage: mcs-admin watch CALL_ID|URL\n", stderr);
    return EXIT_USAGE;
  }
  if (strncasecmp(argv[1], "wss://", 6) == 0) {
    fputs("mcs: wss:// is not supported; use the ws:// address behind the TLS proxy\n", stderr);
    return EXIT_USAGE;
  }
  bool is_url = strncasecmp(argv[1], "ws://", 5) == 0;
  if (!(is_url ? ask_url(argv[1], &watch, &where, &path)
               : ask_wsd(config, argv[1], &watch, &path))) {
    fprintf(stderr, "mcs: %.100s is neither a call's id nor its websocket_url\n", argv[1]);
    return EXIT_USAGE;
  }
  watch.path = buf_text(&path);
  privileges_drop();
  setvbuf(stdout, NULL, _IOLBF, 0);
  return watch_to_end(&watch);
}
