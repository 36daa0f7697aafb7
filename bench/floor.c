/*
 * floor: the minimum work of a responder, in the same pool behind the same web server, with which
 * ./mcs bench compares ours. It checks nothing and handles no failure: after an error of a database
 * it answers 500 for ever, which the bench notices. The last word of the path says what it does:
 *
 *   constant   a constant answer
 *   get        the answer is the result of one GET from Redis: a live call, packed
 *   post       our admit.lua, then our insert, and nothing else
 *   refuse     our admit.lua, for an owner who has as many calls as allowed (after the first one)
 *
 * Started as mcs-responder is: descriptor 0 is the listening socket, settings from the environment.
 */

#include "calls/call.h"
#include "common/config.h"
#include "common/embedded.h"
#include "calls/keys.h"
#include "common/pg.h"
#include "calls/row.h"
#include "fcgi/http/pool.h"

#include <fcgiapp.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIVE_KEY "bench:floor"
#define OWNER "bench-floor"

static redisContext *redis;
static PGconn *pg;
static char run_id[48], admit_sha[48], stripe[8];

static const char *text_of(const struct embedded_text *texts, const char *name) {
  while (strcmp(texts->name, name) != 0)
    texts++;
  return texts->text;
}

static void reply(FCGX_Request *request, int status, const char *body, size_t len) {
  char head[160];
  int head_len = snprintf(head, sizeof(head),
                          "Content-Type: application/json\r\nContent-Length: %zu\r\n"
                          "Cache-Control: no-store\r\nStatus: %d\r\n\r\n",
                          len, status);
  FCGX_PutStr(head, head_len, request->out);
  FCGX_PutStr(body, (int)len, request->out);
}

static void answer_constant(FCGX_Request *request) {
  static const char body[] =
      "{\"status\":\"healthy\",\"timestamp\":\"2026-11-22T18:08:57.123Z\",\"uptime\":12.345}";
  reply(request, 200, body, sizeof(body) - 1);
}

static void answer_get(FCGX_Request *request) {
  redisReply *r = redisCommand(redis, "GET " LIVE_KEY);
  if (r && r->type == REDIS_REPLY_STRING)
    reply(request, 200, r->str, (size_t)r->len);
  else
    reply(request, 500, "", 0);
  freeReplyObject(r);
}

/* Writes the epoch and the wall clock's ms, which go into the row. */
static bool admit(const char *id, const char *max, char epoch[24], char created[24]) {
  char whole[KEYS_SIZE], clock[KEYS_SIZE], record[KEYS_SIZE], slots[KEYS_SIZE], window[KEYS_SIZE],
      due[KEYS_SIZE], job[64];
  int shard = id_shard(id);
  keys_ready(shard, whole);
  keys_clock(shard, clock);
  keys_call(id, record);
  keys_slots(OWNER, slots);
  keys_window(OWNER, window);
  keys_due(shard, due);
  snprintf(job, sizeof(job), "%s advance 1", id);
  static const char packed[] =
      "ANSWERED 1500,4000,3000,2500 0 WAITING 0 0 +1234567890 +0987654321 "
      "bench-floor -\n{\"test\": true}";
  const char *const argv[] = {
      "EVALSHA", admit_sha, "6", whole,     clock, record,    slots,      window, due,
      run_id,    id,        max, "1000000", job,   "2000000", "12000000", packed, "",
  };
  redisReply *r = redisCommandArgv(redis, ARRAY_LEN(argv), (const char **)argv, NULL);
  bool admitted = r && r->type == REDIS_REPLY_ARRAY && r->elements == 4;
  if (admitted) {
    snprintf(epoch, 24, "%lld", r->element[1]->integer);
    snprintf(created, 24, "%lld", r->element[2]->integer);
  }
  freeReplyObject(r);
  return admitted;
}

static bool insert(const char *id, const char *epoch, const char *created) {
  const char *const values[] = {
      id,    "+1234567890", "+0987654321", "{\"test\": true}",
      OWNER, created,       "ANSWERED",    "{1500,4000,3000,2500}",
      "0",   epoch,         stripe,
  };
  PGresult *r = PQexecPrepared(pg, "insert", ARRAY_LEN(values), values, NULL, NULL, 1);
  bool stored = PQresultStatus(r) == PGRES_TUPLES_OK;
  PQclear(r);
  return stored;
}

static void skip_body(FCGX_Request *request) {
  char in[4096];
  while (FCGX_GetStr(in, sizeof(in), request->in) == sizeof(in))
    continue;
}

static void answer_refuse(FCGX_Request *request) {
  static const char body[] =
      "{\"error\":\"Rate limit exceeded\",\"message\":\"Maximum concurrent calls reached (1)\"}";
  char id[ID_SIZE], epoch[24], created[24];
  skip_body(request);
  id_new(id_shard_of_owner(OWNER), id);
  (void)admit(id, "1", epoch, created);
  reply(request, 429, body, sizeof(body) - 1);
}

static void answer_post(FCGX_Request *request) {
  char id[ID_SIZE], epoch[24], created[24], body[400];
  skip_body(request);
  id_new(id_shard_of_owner(OWNER), id);
  if (!admit(id, "1000000", epoch, created) || !insert(id, epoch, created)) {
    reply(request, 500, "", 0);
    return;
  }
  int len = snprintf(body, sizeof(body),
                     "{\"call_id\":\"%s\",\"status\":\"QUEUED\",\"websocket_url\":"
                     "\"ws://localhost:3000/ws?call_id=%s\",\"from\":\"+1234567890\","
                     "\"to\":\"+0987654321\",\"created_at\":\"2026-11-22T18:08:57.123Z\"}",
                     id, id);
  reply(request, 201, body, (size_t)len);
}

static bool connect_redis(const struct config *config) {
  redis = redisConnectUnix(config->resolved_redis_host);
  redisReply *r = redis && !redis->err ? redisCommand(redis, "INFO server") : NULL;
  const char *at = r && r->type == REDIS_REPLY_STRING ? strstr(r->str, "run_id:") : NULL;
  if (!at)
    return false;
  snprintf(run_id, sizeof(run_id), "%.40s", at + strlen("run_id:"));
  freeReplyObject(r);
  r = redisCommand(redis, "SCRIPT LOAD %s", text_of(embedded_lua, "admit"));
  snprintf(admit_sha, sizeof(admit_sha), "%s", r ? r->str : "");
  freeReplyObject(r);
  return true;
}

static bool connect_postgres(const struct config *config) {
  const char *names[PG_CONNECT_PARAMS], *values[PG_CONNECT_PARAMS];
  char port[8];
  pg_connect_params(config, "floor", config->resolved_postgres_host, NULL, names, values, port);
  pg = PQconnectdbParams(names, values, 0);
  PQclear(PQprepare(pg, "insert", text_of(embedded_queries, "call_insert"), 0, NULL));
  return PQstatus(pg) == CONNECTION_OK;
}

static bool ends_with(const char *text, const char *end) {
  size_t len = strlen(text), end_len = strlen(end);
  return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void serve(const struct config *config, int child) {
  FCGX_Request request;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL); /* the pool's parent blocks signals */
  if (!connect_redis(config) || !connect_postgres(config) || FCGX_Init() != 0 ||
      FCGX_InitRequest(&request, 0, 0) != 0)
    return;
  snprintf(stripe, sizeof(stripe), "%d", row_stripe_of_child(0, child));
  while (FCGX_Accept_r(&request) == 0) {
    const char *path = FCGX_GetParam("REQUEST_URI", request.envp);
    if (ends_with(path, "/get"))
      answer_get(&request);
    else if (ends_with(path, "/post"))
      answer_post(&request);
    else if (ends_with(path, "/refuse"))
      answer_refuse(&request);
    else
      answer_constant(&request);
    FCGX_Finish_r(&request);
  }
}

int main(int argc, char **argv) {
  struct config config;
  config_start(&config, "floor", "The minimum work of a responder.", argc, argv);
  int child = pool_run((int)config.responders, argv);
  if (child >= 0)
    serve(&config, child);
  config_done(&config);
  return 0;
}
