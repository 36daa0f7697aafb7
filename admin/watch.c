/*
 * `mcs-admin watch CALL`: prints a call's events, a line each, until it has ended, over the same
 * WebSocket that clients use. A connection that is cut is made again and goes on where it was.
 */

#include "admin/commands.h"
#include "admin/ws.h"

#include "common/clock.h"
#include "calls/id.h"
#include "common/log.h"
#include "common/privileges.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { PAUSE_MS = 500, STABLE_MS = 5000, GIVE_UP_MS = 60000 };
enum { EXIT_ENDED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_FOUND = 3 };
enum { CLOSE_NORMAL = 1000, CLOSE_GOING_AWAY = 1001, CLOSE_SERVER_ERROR = 1011 }; /* RFC 6455 */

struct watch {
  const char *where; /* a unix socket's path or host:port */
  const char *path;
  char id[ID_SIZE];
  int seq; /* of the last event that was printed */
};

/* --- what is printed -------------------------------------------------------------------------- */

static const char *member(json_object *message, const char *name) {
  json_object *value;
  return json_object_object_get_ex(message, name, &value) ? json_object_get_string(value) : NULL;
}

/* {"call_id":…,"status":…,"timestamp":…,"seq":…} and what the last ones say beside that. */
static void on_text(const char *text, size_t len, void *arg) {
  struct watch *watch = arg;
  cleanup_free char *copy = strndup(text, len);
  json_object *message = json_tokener_parse(copy ? copy : ""), *value;
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

/* --- where it is asked ------------------------------------------------------------------------ */

/* A call's id is asked of the wsd that the settings name. */
static bool ask_wsd(const struct config *config, const char *id, struct watch *watch,
                    struct buf *path) {
  watch->where = config->resolved_wsd_listen;
  buf_printf(path, "%s/ws", config->base_path);
  return id_parse(id, watch->id);
}

/* ws://host[:port]/path?call_id=ID, as `websocket_url` has it. */
static bool ask_url(const char *url, struct watch *watch, struct buf *where, struct buf *path) {
  const char *host = url + strlen("ws://"), *query = strchr(host, '?');
  size_t host_len = strcspn(host, "/?");
  const char *id = query ? strstr(query, "call_id=") : NULL;
  if (!host_len || host[host_len] != '/' || !id)
    return false;
  buf_add(where, host, host_len);
  const char *port = strrchr(buf_text(where), ':');
  if (!port || strchr(port, ']'))
    buf_str(where, ":80");
  buf_add(path, host + host_len, (size_t)(query - host) - host_len);
  watch->where = buf_text(where);
  cleanup_free char *text = strndup(id + 8, strcspn(id + 8, "&#"));
  return text && id_parse(text, watch->id);
}

/* --- until the call has ended ----------------------------------------------------------------- */

static void pause_ms(int ms) {
  const struct timespec pause = {.tv_nsec = ms * 1000000L};
  nanosleep(&pause, NULL);
}

static int give_up(const struct watch *watch, const struct ws_refusal *refusal) {
  if (refusal->status == 404) {
    fprintf(stderr, "mcs: there is no call %s at %s\n", watch->id, watch->where);
    return EXIT_NOT_FOUND;
  }
  fprintf(stderr, "mcs: cannot watch the call at %s: %s\n", watch->where, refusal->reason);
  return EXIT_FAILED;
}

/* Whether another attempt may succeed: the service is being restarted, or a database is away. */
static bool is_passing(const struct watch *watch, const struct ws_refusal *refusal) {
  return refusal->status >= 500 || (!refusal->status && watch->seq);
}

/* Prints what one connection brings; true when the call has ended, or a new connection would bring
 * nothing more, and `*status` is how the program ends. Else `*refusal` says why. */
static bool watch_once(struct watch *watch, struct ws *ws, struct ws_refusal *refusal,
                       int *status) {
  cleanup_buf struct buf why = {0};
  int code = ws_run(ws, on_text, watch, &why);
  ws_free(ws);
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
  int64_t since_ms = clock_monotonic_ms(); /* when it last worked */
  bool told = false;
  for (int status;;) {
    cleanup_buf struct buf target = {0};
    struct ws_refusal refusal;
    buf_printf(&target, "%s?call_id=%s&after=%d", watch->path, watch->id, watch->seq);
    struct ws *ws = ws_open(watch->where, buf_text(&target), &refusal);
    int64_t opened_ms = clock_monotonic_ms();
    int seq = watch->seq;
    if (ws && watch_once(watch, ws, &refusal, &status))
      return status;
    if (ws && (watch->seq > seq || clock_monotonic_ms() - opened_ms > STABLE_MS)) {
      since_ms = clock_monotonic_ms();
      told = false;
    } else if ((!ws && !is_passing(watch, &refusal)) ||
               clock_monotonic_ms() - since_ms > GIVE_UP_MS) {
      return give_up(watch, &refusal);
    }
    if (!told)
      fprintf(stderr, "mcs: %s; trying again\n", refusal.reason);
    told = true;
    pause_ms(PAUSE_MS);
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
