/* Redis first, PostgreSQL second. */

#include "wsd/lookup.h"

#include "common/clock.h"
#include "calls/keys.h"
#include "common/log.h"
#include "wsd/database.h"
#include "common/redis/async.h"

#include <stdlib.h>
#include <string.h>

enum { RUN_ID_SIZE = 48 };
static const double tick_s = 0.1;

/* One question under way: GET for the marker, then GETRANGE for the packed line, without the
 * metadata. hiredis calls back exactly once for each, so it lives until the second reply. Past its
 * deadline PostgreSQL has been asked, and the replies are ignored. */
struct request {
  struct lookup *lookup;
  struct request *prev, *next; /* in the order of asking; not once it is late */
  bool late;
  bool ready; /* the marker names this Redis */
  int64_t due_ms;
  uint32_t ticket;
  char id[ID_SIZE];
};

struct lookup {
  struct ev_loop *loop;
  struct lookup_owner owner;
  struct database *database;
  struct redis_async *redis;
  char run_id[RUN_ID_SIZE]; /* of the Redis that is connected; "" until known */
  struct request *head, *tail;
  bool closing;
  ev_timer tick; /* looks at deadlines, while there are any */
};

/* --- the connection --------------------------------------------------------------------------- */

static void on_info(redisAsyncContext *redis, void *reply, void *arg) {
  struct lookup *lookup = arg;
  const redisReply *r = reply;
  if (!r || lookup->closing)
    return; /* the connection is lost or being closed */
  const char *at = r->type == REDIS_REPLY_STRING ? strstr(r->str, "\nrun_id:") : NULL;
  size_t len = at ? strcspn(at + 8, "\r\n") : 0;
  if (len == 0 || len >= RUN_ID_SIZE) {
    redis_async_break(lookup->redis,
                      r->type == REDIS_REPLY_ERROR ? r->str : "INFO tells no run_id");
    return;
  }
  memcpy(lookup->run_id, at + 8, len);
  lookup->run_id[len] = '\0';
  redis_async_ready(lookup->redis);
}

static void on_connected(void *arg) {
  struct lookup *lookup = arg;
  redisAsyncCommand(redis_async_context(lookup->redis), on_info, lookup, "INFO server");
}

static void on_lost(void *arg, bool was_ready) {
  struct lookup *lookup = arg;
  lookup->run_id[0] = '\0';
}

/* --- requests --------------------------------------------------------------------------------- */

static void enqueue(struct lookup *lookup, struct request *request) {
  request->prev = lookup->tail;
  if (request->prev)
    request->prev->next = request;
  else
    lookup->head = request;
  lookup->tail = request;
}

static void dequeue(struct lookup *lookup, struct request *request) {
  if (request->prev)
    request->prev->next = request->next;
  else
    lookup->head = request->next;
  if (request->next)
    request->next->prev = request->prev;
  else
    lookup->tail = request->prev;
}

static void report(struct lookup *lookup, const struct request *request,
                   enum lookup_outcome outcome, const struct call *call) {
  const struct lookup_result result = {
      .id = request->id, .ticket = request->ticket, .outcome = outcome, .call = call};
  lookup->owner.on_result(lookup->owner.arg, &result);
}

static void ask_database(struct lookup *lookup, const struct request *request) {
  if (!database_look_up(lookup->database, request->id, request->ticket))
    report(lookup, request, LOOKUP_UNAVAILABLE, NULL);
}

/* The marker is read before the line: so the line is not older than live state that was ready. */
static void on_marker(redisAsyncContext *redis, void *reply, void *arg) {
  struct request *request = arg;
  const redisReply *marker = reply;
  request->ready = marker && marker->type == REDIS_REPLY_STRING &&
                   keys_marker_is(marker->str, marker->len, request->lookup->run_id);
}

static bool read_line(const struct request *request, const redisReply *line, struct call *call) {
  return request->ready && line && line->type == REDIS_REPLY_STRING &&
         call_unpack(line->str, line->len, call) && strcmp(call->id, request->id) == 0;
}

static void on_line(redisAsyncContext *redis, void *reply, void *arg) {
  struct request *request = arg;
  struct lookup *lookup = request->lookup;
  struct call call;
  if (!request->late)
    dequeue(lookup, request);
  if (lookup->closing || request->late)
    ; /* its result does not count */
  else if (read_line(request, reply, &call))
    report(lookup, request, LOOKUP_FOUND, &call);
  else
    ask_database(lookup, request);
  free(request);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events) {
  struct lookup *lookup = timer->data;
  int64_t now = clock_monotonic_ms();
  while (lookup->head && lookup->head->due_ms <= now) {
    struct request *request = lookup->head;
    dequeue(lookup, request);
    request->late = true;
    ask_database(lookup, request);
  }
  if (!lookup->head)
    ev_timer_stop(loop, timer);
}

static bool ask_redis(struct lookup *lookup, const char *id, uint32_t ticket) {
  struct request *request = calloc(1, sizeof(*request));
  if (!request)
    log_oom();
  request->lookup = lookup;
  request->due_ms = clock_monotonic_ms() + LOOKUP_REDIS_MS;
  request->ticket = ticket;
  memcpy(request->id, id, ID_SIZE);
  char ready[KEYS_SIZE], key[KEYS_SIZE];
  keys_ready(id_shard(id), ready);
  keys_call(id, key);
  redisAsyncContext *redis = redis_async_context(lookup->redis);
  if (redisAsyncCommand(redis, on_marker, request, "GET %s", ready) != REDIS_OK) {
    free(request); /* it was not queued, so hiredis does not call back */
    return false;
  }
  if (redisAsyncCommand(redis, on_line, request, "GETRANGE %s 0 %d", key, CALL_LINE_SIZE - 1) !=
      REDIS_OK)
    log_oom(); /* nothing else lets the first one through and not the second */
  enqueue(lookup, request);
  if (!ev_is_active(&lookup->tick))
    ev_timer_again(lookup->loop, &lookup->tick);
  return true;
}

bool lookup_start(struct lookup *lookup, const char *id, uint32_t ticket) {
  if (redis_async_is_ready(lookup->redis) && ask_redis(lookup, id, ticket))
    return true;
  return database_look_up(lookup->database, id, ticket);
}

/* --- life ------------------------------------------------------------------------------------- */

struct lookup *lookup_new(struct ev_loop *loop, const struct config *config,
                          struct lookup_owner owner) {
  struct lookup *lookup = calloc(1, sizeof(*lookup));
  if (!lookup)
    log_oom();
  lookup->loop = loop;
  lookup->owner = owner;
  lookup->database = database_new(loop, config, owner);
  ev_timer_init(&lookup->tick, on_tick, 0., tick_s);
  lookup->tick.data = lookup;
  const struct redis_async_owner redis_owner = {
      .on_connected = on_connected, .on_lost = on_lost, .arg = lookup};
  lookup->redis = redis_async_new(loop, config, "commands", &redis_owner);
  return lookup;
}

void lookup_free(struct lookup *lookup) {
  lookup->closing = true;
  redis_async_free(lookup->redis);
  ev_timer_stop(lookup->loop, &lookup->tick);
  database_free(lookup->database);
  free(lookup);
}
