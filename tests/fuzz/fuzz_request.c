/*
 * Whole requests, from the parameters that a web server hands over to the reply: all of fcgi/ but
 * the two modules at its ends. This file replaces them: a gateway that reads the input, and the
 * operations of calls/, which answer what the input says and check what they are asked for.
 *
 * An input is lines NAME=VALUE up to an empty one, then the body. STORE=N is what the store
 * answers, SITE=1 another configuration, CUT=1 a body that was cut short; the others are CGI's
 * parameters.
 */

#include "tests/fuzz/fuzz.h"

#include "calls/create.h"
#include "calls/find.h"
#include "calls/metrics.h"
#include "calls/readiness.h"
#include "common/json_check.h"
#include "fcgi/api/routes.h"
#include "fcgi/responder.h"

#include <json-c/json.h>
#include <string.h>
#include <strings.h>

static const char key[] = "a-key-of-the-ring", other_key[] = "another-key-of-it";

/* --- the gateway ------------------------------------------------------------------------------ */

struct gateway {
  char *text; /* the lines, each NUL-terminated, and an empty one */
  const char *body;
  size_t body_len;
  bool body_read;
};

const char *gateway_param(const struct gateway *g, const char *name) {
  size_t len = strlen(name);
  for (const char *line = g->text; *line; line += strlen(line) + 1)
    if (strncmp(line, name, len) == 0 && line[len] == '=')
      return line + len + 1;
  return "";
}

enum gateway_body gateway_read_body(struct gateway *g, size_t max, struct buf *body) {
  HOLDS(!g->body_read);
  g->body_read = true;
  buf_add(body, g->body, g->body_len < max ? g->body_len : max);
  if (strcmp(gateway_param(g, "CUT"), "1") == 0)
    return BODY_CUT_SHORT;
  return g->body_len > max ? BODY_TOO_LARGE : BODY_WHOLE;
}

void gateway_drain_body(struct gateway *g) {
  g->body_read = true;
}

static void gateway_take(struct gateway *g, const uint8_t *data, size_t size) {
  const uint8_t *end = memmem(data, size, "\n\n", 2);
  size_t head = end ? (size_t)(end - data) : size;
  g->text = calloc(head + 2, 1);
  HOLDS(g->text);
  memcpy(g->text, data, head);
  for (size_t i = 0; i < head; i++)
    if (g->text[i] == '\n')
      g->text[i] = '\0';
  g->body = (const char *)data + (end ? head + 2 : size);
  g->body_len = size - (size_t)(g->body - (const char *)data);
  g->body_read = false;
}

/* --- the operations --------------------------------------------------------------------------- */

struct store {
  int answer;
  int created, found, summed; /* how often it was asked */
};

/* What gets as far as this has a valid key and a body that says what a call needs. */
enum verdict create_call(struct store *store, const char *api_key, struct call *call,
                         struct creation *creation) {
  cleanup_buf struct buf object = {0};
  struct json_member metadata = {.name = "metadata"};
  const char *error;
  HOLDS(strcmp(api_key, key) == 0 || strcmp(api_key, other_key) == 0);
  HOLDS(call_number_valid(call->from) && call_number_valid(call->to));
  buf_str(&object, "{\"metadata\":");
  buf_add(&object, call->metadata, call->metadata_len);
  buf_chr(&object, '}');
  HOLDS(json_object_check(object.data, object.len, &metadata, 1, &error));
  HOLDS(metadata.type == JSON_OBJECT);
  store->created++;
  id_new(id_shard_of_owner(api_key), call->id);
  call->seq = 1;
  call->entered_ms[0] = call->updated_ms = 1764000000000;
  *creation = (struct creation){.retry_ms = store->answer * INT64_C(100)};
  if (store->answer & 8)
    snprintf(creation->refusal, sizeof(creation->refusal), "Redis (OOM: its memory is full)");
  return (enum verdict)(store->answer % (VERDICT_UNKNOWN + 1));
}

enum found find_call(struct store *store, const char *api_key, const char *id, struct call *call,
                     struct find_held *held) {
  char same[ID_SIZE];
  HOLDS(strcmp(api_key, key) == 0 || strcmp(api_key, other_key) == 0);
  HOLDS(id_parse(id, same) && strcmp(id, same) == 0);
  store->found++;
  *held = (struct find_held){0};
  *call = (struct call){.seq = 1, .metadata = "{}", .metadata_len = 2};
  memcpy(call->id, id, ID_SIZE);
  snprintf(call->api_key, sizeof(call->api_key), "%s", api_key);
  return (enum found)(store->answer % (FIND_DOWN + 1));
}

void find_done(struct find_held *held) {
}

bool metrics_read(struct store *store, struct metrics *metrics) {
  store->summed++;
  *metrics = (struct metrics){.total_calls = store->answer, .current_cps = store->answer};
  return store->answer & 1;
}

void readiness_missing(struct store *store, struct buf *names) {
  if (store->answer & 1)
    buf_str(names, "Redis (OOM: its memory is full)");
}

/* --- what is promised of a reply -------------------------------------------------------------- */

static bool is_name(char c) {
  return c == '-' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Lines of "Name: printable", nothing else, the last and only the last of them the status; returns
 * the body, which follows the empty line. */
static const char *check_headers(const char *at) {
  bool was_status = false;
  while (strncmp(at, "\r\n", 2) != 0) {
    HOLDS(!was_status);
    was_status = strncmp(at, "Status: ", 8) == 0;
    HOLDS(is_name(*at));
    while (is_name(*at))
      at++;
    HOLDS(*at == ':' && at[1] == ' ');
    for (at += 2; *at != '\r'; at++)
      HOLDS((unsigned char)*at >= 0x20 && (unsigned char)*at < 0x7f);
    HOLDS(at[1] == '\n');
    at += 2;
  }
  HOLDS(was_status);
  return at + 2;
}

static void check_body(const char *body, int status) {
  struct json_tokener *tokener = json_tokener_new();
  struct json_object *value, *error, *message;
  json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
  size_t len = strlen(body);
  HOLDS(len && body[len - 1] == '\n' && strchr(body, '\n') == body + len - 1);
  value = json_tokener_parse_ex(tokener, body, (int)len);
  HOLDS(value && json_object_is_type(value, json_type_object));
  if (status >= 400) {
    HOLDS(json_object_object_length(value) == 2);
    HOLDS(json_object_object_get_ex(value, "error", &error));
    HOLDS(json_object_object_get_ex(value, "message", &message));
    HOLDS(json_object_get_string_len(message) > 0);
  }
  json_object_put(value);
  json_tokener_free(tokener);
}

static void check_rendered(const struct buf *out, const struct request *request, int status) {
  bool bodiless = status == 204 || strcmp(request->method, "HEAD") == 0;
  HOLDS(strlen(out->data) == out->len);
  const char *body = check_headers(out->data);
  const char *length = strstr(out->data, "\r\nContent-Length: ");
  HOLDS(bodiless ? !*body : length && length < body && strlen(body) == (size_t)atoi(length + 18));
  if (!bodiless)
    check_body(body, status);
}

/* The key of the ring that an Authorization header carries, as RFC 6750 has it; NULL for none. */
static const char *key_in(const char *authorization) {
  if (strncasecmp(authorization, "Bearer ", 7) != 0)
    return NULL;
  authorization += 7 + strspn(authorization + 7, " ");
  return strcmp(authorization, key) == 0         ? key
         : strcmp(authorization, other_key) == 0 ? other_key
                                                 : NULL;
}

static void check_access(const struct store *store, const struct gateway *g,
                         const struct request *request, const struct reply *reply) {
  if (!key_in(request->authorization)) {
    HOLDS(!store->created && !store->found && !store->summed);
    HOLDS(reply->status != 201);
  }
  HOLDS(reply->status != 201 || (store->created == 1 && strcmp(request->method, "POST") == 0));
  /* The body is read after the other checks, and nothing happens before it is here. */
  bool refused_first = reply->status == 401 || reply->status == 405 || reply->status == 415 ||
                       strncmp(buf_text(&reply->reason), "Route ", 6) == 0;
  HOLDS(!refused_first || !g->body_read);
  HOLDS(g->body_read || !(store->created || store->found || store->summed));
  HOLDS(!store->created || (g->body_len <= 1024 && strcmp(gateway_param(g, "CUT"), "1") != 0));
  /* No reply contains a key, unless the client put it where no key belongs. */
  for (const char *line = g->text; *line; line += strlen(line) + 1)
    if (strncmp(line, "HTTP_AUTHORIZATION=", 19) != 0 && strstr(line, "-key-of-"))
      return;
  if (!memmem(g->body, g->body_len, "-key-of-", 8))
    HOLDS(!strstr(buf_text(&reply->body), "-key-of-") &&
          !strstr(buf_text(&reply->headers), "-key-of-"));
}

static struct responder *responder_of(bool site) {
  static struct responder responders[2];
  static struct config configs[2];
  struct responder *responder = &responders[site];
  if (responder->config)
    return responder;
  char error[CONFIG_ERROR_SIZE];
  setenv("MCS_ENV_FILE", "", 1);
  setenv("VALID_API_KEYS", "a-key-of-the-ring,another-key-of-it", 1);
  setenv("BASE_PATH", site ? "/mock" : "", 1);
  setenv("PUBLIC_URL", site ? "https://calls.example.com" : "", 1);
  setenv("CORS_ORIGIN", site ? "https://a.example, https://b.example" : "*", 1);
  setenv("MAX_BODY_BYTES", "1024", 1);
  HOLDS(config_load(&configs[site], error));
  responder->config = &configs[site];
  responder->ring = keyring_new(configs[site].api_keys);
  responder->breaker = breaker_new();
  return responder;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct request request;
  static struct reply reply;
  struct gateway gateway;
  cleanup_buf struct buf out = {0};
  gateway_take(&gateway, data, size);
  struct store store = {.answer = gateway_param(&gateway, "STORE")[0] & 15};
  struct responder *responder = responder_of(*gateway_param(&gateway, "SITE") == '1');
  responder->store = &store;
  request_read(&request, &gateway, responder->config->base_path);
  reply_reset(&reply);
  router_answer(&routes_api, responder->config, responder, &request, &reply);
  reply_render(&reply, strcmp(request.method, "HEAD") == 0, &out);
  check_rendered(&out, &request, reply.status);
  check_access(&store, &gateway, &request, &reply);
  free(gateway.text);
  return 0;
}
