#pragma once

#include "common/cleanup.h"
#include "common/config.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>

/*
 * What a client of Redis Sentinel must know, without its connections: which Sentinels there are,
 * what to ask them, and what the replies mean. The client checks a Sentinel's reply with the Redis
 * that it names (ROLE), for the Sentinel may not know of a failover yet.
 */
struct redis_address {
  char host[CONFIG_ITEM_SIZE];
  int port;
};

/* How many REDIS_SENTINELS there are: 0 when Redis is where REDIS_HOST says. */
int sentinel_count(const struct config *config);
/* The n-th of them, counted round. */
void sentinel_at(const struct config *config, int n, struct redis_address *sentinel);

/* The question, as words of a command; its last one points into `config`. */
enum { SENTINEL_WORDS = 3 };
void sentinel_question(const struct config *config, const char *words[SENTINEL_WORDS]);
/* Reads the reply; false, and nothing set, when it names no master. */
must_check bool sentinel_read(const redisReply *reply, struct redis_address *master);

/* Whether that is a master's reply to ROLE. */
must_check bool sentinel_is_master(const redisReply *role);

/*
 * What each connection writes every SENTINEL_WRITE_MS, words of a command: a master that has been
 * cut off from its replicas (min-replicas-to-write), and perhaps replaced, refuses it. A client
 * that only reads would never notice otherwise. It needs no memory, so a full master takes it.
 */
enum { SENTINEL_WRITE_WORDS = 2, SENTINEL_WRITE_MS = 1000 };
extern const char *const sentinel_write[SENTINEL_WRITE_WORDS];
