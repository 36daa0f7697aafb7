/* Typed handles for the scripts of lua/. */

#include "calls/live.h"

#include "calls/keys.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARGS_MAX = 24, NUMBER_SIZE = 24 };

/* The arguments of one script call, with room for the numbers among them. */
struct args {
  int count;
  int numbers;
  const char *text[ARGS_MAX];
  size_t len[ARGS_MAX];
  char number[8][NUMBER_SIZE];
};

static void add_text_len(struct args *a, const char *text, size_t len) {
  a->text[a->count] = text;
  a->len[a->count++] = len;
}

static void add_text(struct args *a, const char *text) {
  add_text_len(a, text, strlen(text));
}

static void add_number(struct args *a, int64_t n) {
  char *text = a->number[a->numbers++];
  snprintf(text, NUMBER_SIZE, "%" PRId64, n);
  add_text(a, text);
}

static void queue(struct redis *redis, const char *script, int keys, const struct args *a) {
  redis_queue_script(redis, script, keys, a->count, a->text, a->len);
}

static int64_t element(const redisReply *reply, size_t i) {
  return i < reply->elements ? redis_int(reply->element[i], 0) : 0;
}

/* --- admission -------------------------------------------------------------------------------- */

static void first_job(const struct call *call, struct job *job) {
  *job = (struct job){.kind = JOB_ADVANCE, .n = 1};
  memcpy(job->id, call->id, ID_SIZE);
  job_format(job);
}

/* From the beginning of the stage behind the state number `seq` to the call's end; 0: of all. */
static int64_t stages_ms(const struct call *call, int seq) {
  int64_t sum = 0;
  for (int i = seq; i < LIFECYCLE_STATES - 1; i++)
    sum += call->plan.duration_ms[i];
  return sum;
}

/*
 * When a place is expected to be free: rather too late than too early. Workers take a moment for
 * each step of the call that has to end, and longer while they are behind. One that should have
 * ended has lost its worker: it goes on when the lease of its job is over, or when there is a
 * worker again.
 */
static int64_t place_free_ms(int64_t ends_ms, int64_t late_ms) {
  enum { STEPS_MS = 250 };
  int64_t wait_ms = ends_ms + STEPS_MS;
  if (wait_ms >= 0)
    return wait_ms + late_ms;
  return -wait_ms > LIVE_LEASE_MS ? -wait_ms : LIVE_LEASE_MS;
}

enum verdict live_admit(struct redis *redis, struct call *call, const struct live_limits *limits,
                        struct live_admission *admission) {
  char ready[KEYS_SIZE], clock[KEYS_SIZE], record[KEYS_SIZE], slots[KEYS_SIZE], window[KEYS_SIZE],
      due[KEYS_SIZE], wake[KEYS_SIZE];
  int shard = keys_shard(call->id);
  keys_ready(shard, ready);
  keys_clock(shard, clock);
  keys_call(call->id, record);
  keys_slots(call->api_key, slots);
  keys_window(call->api_key, window);
  keys_due(shard, due);
  keys_wake(shard, wake);
  struct job job;
  first_job(call, &job);
  cleanup_buf struct buf packed = {0};
  call_pack_rest(&packed, call);
  buf_chr(&packed, '\n');
  buf_add(&packed, call->metadata, call->metadata_len);

  struct args a = {0};
  const char *const keys[] = {ready, clock, record, slots, window, due};
  for (size_t i = 0; i < ARRAY_LEN(keys); i++)
    add_text(&a, keys[i]);
  add_text(&a, redis_run_id(redis));
  add_text(&a, call->id);
  add_number(&a, limits->max_concurrent);
  add_number(&a, limits->max_cps);
  add_text(&a, job.text);
  add_number(&a, call->plan.duration_ms[0] * INT64_C(1000));
  add_number(&a, stages_ms(call, 0) * 1000);
  add_text_len(&a, packed.data, packed.len);
  add_text(&a, call->plan.duration_ms[0] < LIVE_ASK_MS ? wake : "");
  queue(redis, "admit", ARRAY_LEN(keys), &a);

  cleanup_reply redisReply *reply = redis_next(redis);
  if (reply && reply->type == REDIS_REPLY_ERROR)
    return VERDICT_REFUSED;
  if (!reply || reply->type != REDIS_REPLY_ARRAY)
    return VERDICT_UNKNOWN;
  switch (element(reply, 0)) {
  case 0:
    return VERDICT_REBUILDING;
  case 2:
    admission->retry_ms = place_free_ms(element(reply, 1), element(reply, 2));
    return VERDICT_TOO_MANY_CONCURRENT;
  case 3:
    admission->retry_ms = element(reply, 1);
    return VERDICT_TOO_MANY_A_SECOND;
  }
  admission->epoch = element(reply, 1);
  admission->due_us = element(reply, 3);
  call->entered_ms[0] = call->updated_ms = element(reply, 2);
  return VERDICT_CREATED;
}

bool live_release(struct redis *redis, const struct call *call,
                  const struct live_admission *admission) {
  char record[KEYS_SIZE], slots[KEYS_SIZE], window[KEYS_SIZE], due[KEYS_SIZE];
  keys_call(call->id, record);
  keys_slots(call->api_key, slots);
  keys_window(call->api_key, window);
  keys_due(keys_shard(call->id), due);
  struct job job;
  first_job(call, &job);
  struct args a = {0};
  const char *const texts[] = {record, slots, window, due, call->id, job.text};
  for (size_t i = 0; i < ARRAY_LEN(texts); i++)
    add_text(&a, texts[i]);
  add_number(&a, admission->due_us);
  queue(redis, "release", 4, &a);
  cleanup_reply redisReply *reply = redis_next(redis);
  return redis_int(reply, 0) == 1;
}

void live_invalidate(struct redis *redis, int64_t epoch) {
  char ready[KEYS_SIZE];
  for (int shard = 0; shard < KEYS_SHARDS; shard++) {
    keys_ready(shard, ready);
    struct args a = {0};
    add_text(&a, ready);
    add_text(&a, redis_run_id(redis));
    add_number(&a, epoch);
    queue(redis, "invalidate", 1, &a);
  }
  if (live_drain(redis, KEYS_SHARDS))
    log_warn("live.invalidated", "epoch=%" PRId64 " msg=\"the database has begun another\"", epoch);
}

bool live_probe(struct redis *redis) {
  char key[KEYS_SIZE];
  keys_probe(0, key);
  struct args a = {0};
  add_text(&a, key);
  add_text(&a, key);
  queue(redis, "probe", 1, &a);
  cleanup_reply redisReply *reply = redis_next(redis);
  return redis_int(reply, 0) == 1;
}

/* --- reading ---------------------------------------------------------------------------------- */

enum live_find live_find(struct redis *redis, const char *id, struct call *call,
                         redisReply **reply) {
  char ready[KEYS_SIZE], record[KEYS_SIZE];
  keys_ready(keys_shard(id), ready);
  keys_call(id, record);
  const char *const argv[] = {"MGET", ready, record};
  redis_queue(redis, 3, argv, NULL);
  redisReply *r = *reply = redis_next(redis);
  if (!r || r->type != REDIS_REPLY_ARRAY || r->elements != 2)
    return LIVE_DOWN;
  const redisReply *marker = r->element[0], *value = r->element[1];
  if (marker->type != REDIS_REPLY_STRING ||
      !keys_marker_is(marker->str, (size_t)marker->len, redis_run_id(redis)))
    return LIVE_LOST;
  if (value->type != REDIS_REPLY_STRING || !call_unpack(value->str, (size_t)value->len, call) ||
      !call->metadata_len)
    return LIVE_ABSENT;
  return LIVE_FOUND;
}

int64_t live_wall_ms(struct redis *redis) {
  const char *const argv[] = {"TIME"};
  redis_queue(redis, 1, argv, NULL);
  cleanup_reply redisReply *reply = redis_next(redis);
  if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
    return -1;
  return strtoll(reply->element[0]->str, NULL, 10) * 1000 +
         strtoll(reply->element[1]->str, NULL, 10) / 1000;
}

bool live_is_ready(struct redis *redis, bool *down) {
  char key[KEYS_SIZE];
  for (int shard = 0; shard < KEYS_SHARDS; shard++) {
    keys_ready(shard, key);
    const char *const argv[] = {"GET", key};
    redis_queue(redis, 2, argv, NULL);
  }
  bool ready = true;
  *down = false;
  for (int shard = 0; shard < KEYS_SHARDS; shard++) {
    cleanup_reply redisReply *reply = redis_next(redis);
    if (!reply) {
      *down = true;
      return false;
    }
    ready = ready && reply->type == REDIS_REPLY_STRING &&
            keys_marker_is(reply->str, (size_t)reply->len, redis_run_id(redis));
  }
  return ready;
}

/* --- jobs ------------------------------------------------------------------------------------- */

static void read_claim(const redisReply *reply, int shard, struct live_claim *claim) {
  if (element(reply, 0) == 0) {
    claim->ready = false;
    return;
  }
  claim->epoch = element(reply, 1);
  struct live_time *time = &claim->time[shard];
  *time = (struct live_time){.wall_us = element(reply, 2), .now_us = element(reply, 3)};
  claim->wall_us = time->wall_us;
  int64_t next_us = element(reply, 4), wait_ms = (next_us - time->now_us + 999) / 1000;
  if (next_us >= 0 && (claim->next_ms < 0 || wait_ms < claim->next_ms))
    claim->next_ms = wait_ms < 0 ? 0 : wait_ms;
  for (size_t i = 5; i < reply->elements && claim->count < claim->max; i++) {
    const redisReply *job = reply->element[i];
    if (job->type == REDIS_REPLY_STRING &&
        job_parse(job->str, (size_t)job->len, &claim->jobs[claim->count]))
      claim->count++;
    else
      log_error("job.malformed", "shard_reply=%zu", i); /* comes again when its lease is over */
  }
}

/* The shards were asked one after the other, but the record gets one time for all: so each shard's
 * becomes that at the end of the claim. If the wall clock was set in between no time has passed. */
static void align_times(struct live_claim *claim) {
  enum { MOST_US = REDIS_TIMEOUT_MS * 1000 };
  for (int shard = 0; shard < KEYS_SHARDS; shard++) {
    struct live_time *time = &claim->time[shard];
    int64_t passed_us = claim->wall_us - time->wall_us;
    if (passed_us > 0 && passed_us < MOST_US)
      time->now_us += passed_us;
    time->wall_us = claim->wall_us;
  }
}

bool live_claim(struct redis *redis, struct live_claim *claim) {
  char ready[KEYS_SIZE], clock[KEYS_SIZE], due[KEYS_SIZE];
  for (int shard = 0; shard < KEYS_SHARDS; shard++) {
    keys_ready(shard, ready);
    keys_clock(shard, clock);
    keys_due(shard, due);
    struct args a = {0};
    add_text(&a, ready);
    add_text(&a, clock);
    add_text(&a, due);
    add_text(&a, redis_run_id(redis));
    add_number(&a, claim->max / KEYS_SHARDS);
    add_number(&a, LIVE_LEASE_MS * INT64_C(1000));
    queue(redis, "claim", 3, &a);
  }
  claim->count = 0;
  claim->next_ms = -1;
  claim->ready = true;
  bool good = true;
  for (int shard = 0; shard < KEYS_SHARDS; shard++) {
    cleanup_reply redisReply *reply = redis_next(redis);
    if (!reply)
      return false;
    if (reply->type == REDIS_REPLY_ARRAY)
      read_claim(reply, shard, claim);
    else
      good = false; /* the other replies are read all the same */
  }
  align_times(claim);
  return good;
}

bool live_listen(struct redis *redis) {
  char names[KEYS_SHARDS][KEYS_SIZE];
  const char *channels[KEYS_SHARDS];
  for (int shard = 0; shard < KEYS_SHARDS; shard++) {
    keys_wake(shard, names[shard]);
    channels[shard] = names[shard];
  }
  return redis_subscribe(redis, KEYS_SHARDS, channels);
}

/* Reads ["message", channel, due time]; false for anything else. */
static bool read_wake(const redisReply *message, int *shard, int64_t *due_us) {
  char name[KEYS_SIZE];
  if (message->type != REDIS_REPLY_ARRAY || message->elements != 3 ||
      message->element[2]->type != REDIS_REPLY_STRING)
    return false;
  for (*shard = 0; *shard < KEYS_SHARDS; ++*shard) {
    keys_wake(*shard, name);
    if (strcmp(message->element[1]->str, name) == 0) {
      *due_us = strtoll(message->element[2]->str, NULL, 10);
      return true;
    }
  }
  return false;
}

bool live_heard(struct redis *redis, int *shard, int64_t *due_us) {
  for (;;) {
    cleanup_reply redisReply *message = redis_pushed(redis);
    if (!message)
      return false;
    if (read_wake(message, shard, due_us))
      return true;
  }
}

/* The keys of a call that scripts touch after its admission; settle and restore take the first
 * three in this order. */
struct call_keys {
  char record[KEYS_SIZE], slots[KEYS_SIZE], due[KEYS_SIZE], events[KEYS_SIZE];
};

static void add_call_keys(struct args *a, struct call_keys *k, const struct call *call) {
  int shard = keys_shard(call->id);
  keys_call(call->id, k->record);
  keys_slots(call->api_key, k->slots);
  keys_due(shard, k->due);
  keys_events(shard, k->events);
  add_text(a, k->record);
  add_text(a, k->slots);
  add_text(a, k->due);
}

/* When a stage ends by the shard's clock: within its length from the claim, whatever the wall
 * clock, by which it began, was set to. */
static int64_t stage_end_us(const struct live_time *claimed, int64_t began_ms, int64_t length_ms) {
  int64_t length_us = length_ms * 1000, passed_us = claimed->wall_us - began_ms * 1000;
  if (passed_us < 0)
    passed_us = 0;
  return claimed->now_us + (passed_us < length_us ? length_us - passed_us : 0);
}

int64_t live_apply_queue(struct redis *redis, const char *done, const struct call *call,
                         const struct live_time *claimed) {
  struct job next;
  int64_t began_ms = 0, length_ms = 0;
  bool open = job_next(call, &next, &began_ms, &length_ms);
  int64_t due_us = open ? stage_end_us(claimed, began_ms, length_ms) : 0;
  cleanup_buf struct buf packed = {0};
  call_pack(&packed, call);
  struct call_keys keys;
  struct args a = {0};
  add_call_keys(&a, &keys, call);
  add_text(&a, done);
  add_text(&a, call->id);
  add_number(&a, call->seq);
  add_text_len(&a, packed.data, packed.len);
  add_text(&a, open ? next.text : "");
  add_number(&a, due_us);
  if (call->seq < LIFECYCLE_STATES)
    add_number(&a, due_us + stages_ms(call, call->seq) * 1000);
  else
    add_text(&a, "");
  if (open)
    add_text(&a, "");
  else
    add_number(&a, LIVE_KEEP_MS);
  add_text(&a, keys.events);
  queue(redis, "apply", 3, &a);
  return open ? (due_us - claimed->now_us + 999) / 1000 : -1;
}

void live_requeue_queue(struct redis *redis, const char *done, const struct job *job,
                        const struct live_time *claimed, int64_t delay_ms) {
  char due[KEYS_SIZE];
  keys_due(keys_shard(job->id), due);
  struct args a = {0};
  add_text(&a, due);
  add_text(&a, done);
  add_text(&a, job->text);
  add_number(&a, claimed->now_us + delay_ms * 1000);
  queue(redis, "requeue", 1, &a);
}

void live_drop_queue(struct redis *redis, const struct job *job, const char *api_key) {
  char record[KEYS_SIZE], slots[KEYS_SIZE], due[KEYS_SIZE];
  keys_call(job->id, record);
  if (api_key)
    keys_slots(api_key, slots);
  keys_due(keys_shard(job->id), due);
  struct args a = {0};
  add_text(&a, record);
  add_text(&a, api_key ? slots : record);
  add_text(&a, due);
  add_text(&a, job->id);
  add_text(&a, job->text);
  queue(redis, "drop", 3, &a);
}

bool live_restore_queue(struct redis *redis, const struct call *call) {
  struct job job;
  int64_t began_ms, length_ms;
  if (!job_next(call, &job, &began_ms, &length_ms))
    return false;
  cleanup_buf struct buf packed = {0};
  call_pack(&packed, call);
  struct call_keys keys;
  char clock[KEYS_SIZE], wake[KEYS_SIZE];
  keys_clock(keys_shard(call->id), clock);
  keys_wake(keys_shard(call->id), wake);
  struct args a = {0};
  add_call_keys(&a, &keys, call);
  add_text(&a, clock);
  add_text(&a, call->id);
  add_number(&a, call->seq);
  add_text_len(&a, packed.data, packed.len);
  add_text(&a, job.text);
  add_number(&a, began_ms);
  add_number(&a, length_ms);
  if (call->seq < LIFECYCLE_STATES)
    add_number(&a, stages_ms(call, call->seq - 1));
  else
    add_text(&a, "");
  add_text(&a, keys.events);
  add_text(&a, wake);
  queue(redis, "restore", 4, &a);
  return true;
}

bool live_drain(struct redis *redis, int count) {
  bool good = true;
  while (count-- > 0) {
    cleanup_reply redisReply *reply = redis_next(redis);
    if (!reply)
      return false;
    good = good && reply->type != REDIS_REPLY_ERROR;
  }
  return good;
}

/* --- rebuild ---------------------------------------------------------------------------------- */

/* Removes what one page of SCAN named; the clock goes on, and the token stays. */
static bool wipe_page(struct redis *redis, const redisReply *names) {
  int queued = 0;
  for (size_t i = 0; i < names->elements; i++) {
    const char *name = names->element[i]->str;
    if (!name || keys_outlives_rebuild(name))
      continue;
    const char *const argv[] = {"UNLINK", name};
    redis_queue(redis, 2, argv, NULL);
    queued++;
  }
  return live_drain(redis, queued);
}

static bool wipe(struct redis *redis) {
  char cursor[24] = "0";
  do {
    const char *const argv[] = {"SCAN", cursor, "MATCH", KEYS_PATTERN, "COUNT", "1000"};
    redis_queue(redis, ARRAY_LEN(argv), argv, NULL);
    cleanup_reply redisReply *reply = redis_next(redis);
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        !wipe_page(redis, reply->element[1]))
      return false;
    snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
  } while (strcmp(cursor, "0") != 0);
  return true;
}

bool live_rebuild_begin(struct redis *redis, const char *token) {
  char key[KEYS_SIZE];
  for (int shard = 0; shard < KEYS_SHARDS; shard++) {
    keys_rebuild(shard, key);
    const char *const set[] = {"SET", key, token};
    redis_queue(redis, ARRAY_LEN(set), set, NULL);
    keys_ready(shard,
               key); /* before anything else goes: a half-loaded live state must admit nothing */
    const char *const del[] = {"DEL", key};
    redis_queue(redis, ARRAY_LEN(del), del, NULL);
  }
  return live_drain(redis, 2 * KEYS_SHARDS) && wipe(redis);
}

bool live_rebuild_end(struct redis *redis, const char *token, int64_t epoch) {
  char ready[KEYS_SIZE], rebuild[KEYS_SIZE];
  for (int shard = 0; shard < KEYS_SHARDS; shard++) {
    keys_ready(shard, ready);
    keys_rebuild(shard, rebuild);
    struct args a = {0};
    add_text(&a, ready);
    add_text(&a, rebuild);
    add_text(&a, redis_run_id(redis));
    add_number(&a, epoch);
    add_text(&a, token);
    queue(redis, "mark", 2, &a);
  }
  bool all = true;
  for (int shard = 0; shard < KEYS_SHARDS; shard++) {
    cleanup_reply redisReply *reply = redis_next(redis);
    if (!reply)
      return false;
    all = all && redis_int(reply, 0) == 1;
  }
  return all;
}
