/* The rules of config.def. */

#include "common/config/rules.h"

#include "common/config.h"
#include "common/log.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool made_of(const char *s, const char *more) {
  for (; *s; s++)
    if (!isalnum((unsigned char)*s) && !strchr(more, *s))
      return false;
  return true;
}

const char *config_rule_any(const char *s) {
  for (; *s; s++)
    if ((unsigned char)*s < 0x20)
      return "must not contain control characters";
  return NULL;
}

const char *config_rule_some(const char *s) {
  return *s ? config_rule_any(s) : "must not be empty";
}

const char *config_rule_pool_mode(const char *s) {
  return strcmp(s, "session") == 0 || strcmp(s, "transaction") == 0
             ? NULL
             : "must be session or transaction";
}

const char *config_rule_word(const char *s) {
  for (; *s; s++)
    if ((unsigned char)*s <= 0x20 || *s == '\'' || *s == '"' || *s == '\\')
      return "must not contain blanks, quotes or backslashes";
  return NULL;
}

const char *config_rule_name(const char *s) {
  return *s && made_of(s, "-._") ? NULL : "must be letters, digits, '-', '.' or '_'";
}

/* For libpq an empty element is a server on this host. */
const char *config_rule_hosts(const char *s) {
  size_t len = strlen(s);
  if (len && (*s == ',' || s[len - 1] == ',' || strstr(s, ",,")))
    return "must not have an empty name between its commas";
  return config_rule_word(s);
}

/* An address that can be listened on: IPv4, IPv6 with or without brackets, or both loopbacks. */
const char *config_rule_address(const char *s) {
  if (strcmp(s, "localhost") == 0)
    return NULL;
  unsigned char bytes[16];
  size_t len = strlen(s);
  char bare[64];
  bool brackets = len > 2 && len < sizeof(bare) && s[0] == '[' && s[len - 1] == ']';
  snprintf(bare, sizeof(bare), "%.*s", (int)(brackets ? len - 2 : len), brackets ? s + 1 : s);
  if ((!brackets && inet_pton(AF_INET, bare, bytes) == 1) || inet_pton(AF_INET6, bare, bytes) == 1)
    return NULL;
  return "must be localhost, or an IPv4 or IPv6 address such as 127.0.0.1, 0.0.0.0 or ::";
}

static bool is_port(const char *s) {
  size_t digits = strspn(s, "0123456789");
  return digits && digits <= 5 && !s[digits] && atoi(s) > 0 && atoi(s) <= 65535;
}

/* A name or an IPv4 address; IPv6 needs brackets, for web servers read what is before the first
 * colon. */
static bool is_host(const char *s, size_t len) {
  char host[CONFIG_ITEM_SIZE];
  snprintf(host, sizeof(host), "%.*s", (int)len, s);
  return len > 0 && len < sizeof(host) &&
         (*s == '[' ? s[len - 1] == ']' && !config_rule_address(host) : !strpbrk(host, ":[]/"));
}

const char *config_rule_listen(const char *s) {
  const char *colon = strrchr(s, ':');
  if (!*s || (*s == '/' && config_rule_word(s) == NULL))
    return NULL;
  if (colon && is_host(s, (size_t)(colon - s)) && is_port(colon + 1) && config_rule_word(s) == NULL)
    return NULL;
  return "must be a socket's path, which starts with '/', or host:port, or [IPv6]:port";
}

const char *config_rule_sentinels(const char *s) {
  char item[CONFIG_ITEM_SIZE];
  for (int i = 0, count = config_list_count(s); i < count; i++)
    if (!config_list_item(s, i, item) || !*item || *item == '/' || config_rule_listen(item))
      return "must be host:port of each Sentinel, separated by commas";
  return NULL;
}

const char *config_rule_parts(const char *s) {
  char item[CONFIG_ITEM_SIZE];
  for (int i = 0, count = config_list_count(s); i == 0 || i < count; i++)
    if (!config_list_item(s, i, item) ||
        (strcmp(item, "wsd") != 0 && strcmp(item, "worker") != 0 && strcmp(item, "api") != 0))
      return "must be of wsd, worker and api, separated by commas";
  return NULL;
}

/* The origins of RFC 6454 section 6.2: scheme, host, perhaps a port. */
const char *config_rule_origins(const char *s) {
  const char *error = "must be *, or origins such as https://app.example.com, separated by commas";
  if (strcmp(s, "*") == 0)
    return NULL;
  while (*s) {
    s += strspn(s, ", ");
    size_t len = strcspn(s, ", ");
    const char *host = len ? strstr(s, "://") : NULL;
    if (len && (!host || host == s || host + 3 >= s + len ||
                memchr(host + 3, '/', len - (size_t)(host + 3 - s))))
      return error;
    s += len;
  }
  return NULL;
}

const char *config_rule_log_level(const char *s) {
  enum log_level level;
  return log_level_parse(s, &level) ? NULL : "must be debug, info, warn or error";
}

const char *config_rule_api_keys(const char *s) {
  const char *error = "must be keys of 1 to 100 of A-Z a-z 0-9 - . _ ~ + / =, separated by commas";
  if (!made_of(s, "-._~+/=, "))
    return error;
  bool any = false;
  while (*s) {
    s += strspn(s, " ");
    size_t len = strcspn(s, ", ");
    any |= len > 0;
    s += len;
    s += strspn(s, " ");
    if (len > 100 || (*s && *s != ','))
      return error;
    s += *s == ',';
  }
  return any ? NULL : "must name at least one key";
}

const char *config_rule_base_path(const char *s) {
  if (!*s)
    return NULL;
  if (*s != '/' || s[strlen(s) - 1] == '/' || strstr(s, "//") || strstr(s, "/.") ||
      !made_of(s, "/-._~"))
    return "must be empty, or like /mock: letters, digits, '-', '.', '_', '~' behind each '/', and "
           "no '/' at its end";
  return NULL;
}

const char *config_rule_public_url(const char *s) {
  if (!*s)
    return NULL;
  size_t scheme = strncmp(s, "http://", 7) == 0 ? 7 : strncmp(s, "https://", 8) == 0 ? 8 : 0;
  if (!scheme || !s[scheme] || !made_of(s, ":/-._~[]") || s[strlen(s) - 1] == '/')
    return "must be like https://calls.example.com or http://host:8080, without a '/' at its end";
  return NULL;
}
