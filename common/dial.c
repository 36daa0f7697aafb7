/* Connects to a service. The caller sends and reads. */

#include "common/dial.h"

#include "common/listen.h"
#include "common/log.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/time.h>

enum { ADDRESSES_MAX = 8 };

static int find_unix(const char *path, struct dial_address *found, const char **error) {
  if (strlen(path) >= sizeof(found->un.sun_path)) {
    *error = strerror(ENAMETOOLONG);
    return 0;
  }
  *found = (struct dial_address){.len = sizeof(found->un), .un.sun_family = AF_UNIX};
  memcpy(found->un.sun_path, path, strlen(path));
  return 1;
}

static int find_tcp(const char *where, struct dial_address *found, int max, const char **error) {
  const char *colon = strrchr(where, ':');
  size_t len = colon ? (size_t)(colon - where) : 0;
  bool bracketed = len > 2 && where[0] == '[' && where[len - 1] == ']';
  cleanup_free char *host = bracketed ? strndup(where + 1, len - 2) : strndup(where, len);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
  if (!host)
    log_oom();
  int failed = getaddrinfo(*host ? host : NULL, colon ? colon + 1 : NULL, &hints, &list), count = 0;
  if (failed) {
    *error = gai_strerror(failed);
    return 0;
  }
  for (const struct addrinfo *ai = list; ai && count < max; ai = ai->ai_next) {
    if (ai->ai_family != AF_INET && ai->ai_family != AF_INET6)
      continue;
    found[count].len = ai->ai_addrlen;
    memcpy(&found[count++].any, ai->ai_addr, ai->ai_addrlen);
  }
  freeaddrinfo(list);
  *error = strerror(EADDRNOTAVAIL);
  return count;
}

int dial_find(const char *where, struct dial_address *found, int max, const char **error) {
  return listen_is_unix(where) ? find_unix(where, found, error)
                               : find_tcp(where, found, max, error);
}

/* -1 with errno. */
static int dial_one(const struct dial_address *to, int timeout_ms) {
  const struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000L};
  int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -1;
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)); /* connect()'s as well */
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  if (connect(fd, &to->any, to->len) == 0)
    return fd;
  int saved = errno == EINPROGRESS ? ETIMEDOUT : errno;
  close(fd);
  errno = saved;
  return -1;
}

int dial(const char *where, int timeout_ms, const char **error) {
  struct dial_address found[ADDRESSES_MAX];
  int count = dial_find(where, found, ADDRESSES_MAX, error), fd = -1;
  for (int i = 0; i < count && fd < 0; i++)
    if ((fd = dial_one(&found[i], timeout_ms)) < 0)
      *error = strerror(errno);
  return fd;
}
