/* What is asked of Redis Sentinel, and what its replies mean. common/redis.c and
 * common/redis/async.c ask. */

#include "common/sentinel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sentinel_count(const struct config *config) {
  return config_list_count(config->redis_sentinels);
}

/* "host:port" or "[address]:port", as the setting's rule has checked. */
void sentinel_at(const struct config *config, int n, struct redis_address *sentinel) {
  char item[CONFIG_ITEM_SIZE];
  (void)config_list_item(config->redis_sentinels, n % sentinel_count(config), item);
  char *colon = strrchr(item, ':');
  *colon = '\0';
  sentinel->port = atoi(colon + 1);
  bool brackets = *item == '[' && colon[-1] == ']';
  if (brackets)
    colon[-1] = '\0';
  snprintf(sentinel->host, sizeof(sentinel->host), "%s", brackets ? item + 1 : item);
}

void sentinel_question(const struct config *config, const char *words[SENTINEL_WORDS]) {
  words[0] = "SENTINEL";
  words[1] = "get-master-addr-by-name";
  words[2] = config->redis_master_name;
}

const char *const sentinel_write[SENTINEL_WRITE_WORDS] = {"DEL", "mcs:writable"};

static bool is_string(const redisReply *reply) {
  return reply->type == REDIS_REPLY_STRING;
}

bool sentinel_read(const redisReply *reply, struct redis_address *master) {
  if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
      !is_string(reply->element[0]) || !is_string(reply->element[1]))
    return false;
  size_t len = reply->element[0]->len;
  int port = atoi(reply->element[1]->str);
  if (!len || len >= sizeof(master->host) || port < 1 || port > 65535)
    return false;
  snprintf(master->host, sizeof(master->host), "%s", reply->element[0]->str);
  master->port = port;
  return true;
}

bool sentinel_is_master(const redisReply *role) {
  return role && role->type == REDIS_REPLY_ARRAY && role->elements > 0 &&
         is_string(role->element[0]) && strcmp(role->element[0]->str, "master") == 0;
}
