/* The databases' error replies by their code. */

#include "common/refusal.h"

#include "common/cleanup.h"

#include <stddef.h>
#include <string.h>

static const struct refusal by_redis[] = {
    {.code = "OOM", .meaning = "its memory is full"},
    {.code = "MISCONF", .meaning = "it cannot save to its disk, so it takes no writes"},
    {.code = "NOPERM", .meaning = "its user lacks a permission"},
    {.code = "BUSY", .meaning = "it is running a script of another client"},
    {.code = "NOSCRIPT", .meaning = "it forgets scripts as soon as they are loaded"},
    {.code = "READONLY", .meaning = "it is a read-only replica", .reconnect = true},
    {.code = "NOREPLICAS", .meaning = "it has too few replicas", .reconnect = true},
    {.code = "MASTERDOWN", .meaning = "it has lost its master", .reconnect = true},
    {.code = "LOADING", .meaning = "it is still loading its data", .reconnect = true},
    {.code = "NOAUTH", .meaning = "it asks for a password", .reconnect = true},
    {.code = "WRONGPASS", .meaning = "the user or the password is wrong", .reconnect = true},
    {.code = "CLUSTERDOWN", .meaning = "its cluster is down"},
    {.code = "MOVED", .meaning = "it is part of a cluster, which is not supported"},
    {.code = "NOPERM",
     .begins = "ERR The user executing the script can't", /* Redis 7.0, of a command in a script */
     .meaning = "its user lacks a permission"},
    {.code = "ERR", .meaning = "see the log"},
    {.code = "", .meaning = "see the log", .reconnect = true},
};

static const struct refusal by_postgres[] = {
    {.code = "25006", .meaning = "it is read-only"},
    {.code = "42501", .meaning = "the role lacks a right"},
    {.code = "53100", .meaning = "its disk is full"},
    {.code = "22021", .meaning = "its encoding is not UTF8"},
    {.code = "22P05", .meaning = "its encoding is not UTF8"},
    {.code = "42P01", .meaning = "its tables have not been migrated"},
    {.code = "42703", .meaning = "its tables have not been migrated"},
    {.code = "42P05", .meaning = "it is a pooler: set POSTGRES_POOL_MODE=transaction"},
    {.code = "26000", .meaning = "it is a pooler: set POSTGRES_POOL_MODE=transaction"},
    {.code = "55P03", .meaning = "its tables are locked"},
    {.code = "57014", .meaning = "it took too long"},
    {.code = "", .meaning = "see the log"},
};

/* Whether the reply begins with the entry's words, or with its code. */
static bool matches(const struct refusal *refusal, const char *error) {
  const char *begins = refusal->begins ? refusal->begins : refusal->code;
  size_t len = strlen(begins);
  return strncmp(error, begins, len) == 0 && (!error[len] || error[len] == ' ');
}

static const struct refusal *find(const struct refusal *refusal, const char *error) {
  while (*refusal->code && !matches(refusal, error))
    refusal++;
  return refusal;
}

const struct refusal *refusal_by_redis(const char *error) {
  return find(by_redis, error);
}

const struct refusal *refusal_by_postgres(const char *sqlstate) {
  return find(by_postgres, sqlstate);
}
