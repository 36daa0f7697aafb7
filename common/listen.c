/* Listening, on TCP and on unix sockets. Accepting is the caller's business. */

#include "common/listen.h"

#include "common/log.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int listen_address(const struct addrinfo *ai) {
  int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  if (ai->ai_family == AF_INET6) /* "::" is every address, whatever the system's default is */
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int));
  if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
    return fd;
  int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

/* At the first address of that family that is free. */
static int listen_family(const struct addrinfo *found, int family) {
  int fd = -1;
  for (const struct addrinfo *ai = found; ai && fd < 0; ai = ai->ai_next)
    if (ai->ai_family == family)
      fd = listen_address(ai);
  return fd;
}

static int refuse(const char *why, const char **error) {
  *error = why;
  errno = EINVAL;
  return -1;
}

int listen_tcp(const char *where, const char **error) {
  const char *colon = strrchr(where, ':');
  if (!colon)
    return refuse("no port", error);
  cleanup_free char *host = strndup(where, (size_t)(colon - where));
  if (!host)
    log_oom();
  size_t len = strlen(host);
  bool bracketed = len >= 2 && host[0] == '[' && host[len - 1] == ']';
  if (bracketed)
    host[len - 1] = '\0';
  struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *found;
  int failed = getaddrinfo(len ? host + bracketed : NULL, colon + 1, &hints, &found);
  if (failed)
    return refuse(gai_strerror(failed), error);
  int fd = listen_family(found, len ? AF_INET : AF_INET6);
  if (fd < 0)
    fd = listen_family(found, len ? AF_INET6 : AF_INET);
  *error = fd < 0 ? strerror(errno) : NULL;
  freeaddrinfo(found);
  return fd;
}

/* -1 with errno as it is, after undoing. */
static int give_up(int fd, const char *name) {
  int saved = errno;
  if (name)
    unlink(name);
  close(fd);
  errno = saved;
  return -1;
}

static int bind_and_rename(const struct sockaddr_un *address, const char *path, struct stat *made) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -1;
  unlink(address->sun_path);
  /* The mask, and no chmod(): when root runs this, another process may have replaced the name. */
  mode_t mask = umask(0117);
  int bound = bind(fd, (const struct sockaddr *)address, sizeof(*address));
  umask(mask);
  if (bound != 0)
    return give_up(fd, NULL);
  if (lstat(address->sun_path, made) != 0 || listen(fd, LISTEN_BACKLOG) != 0 ||
      rename(address->sun_path, path) != 0)
    return give_up(fd, address->sun_path);
  return fd;
}

int listen_unix(const char *path, struct stat *made, const char **error) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s.%d", path, (int)getpid());
  if (len >= (int)sizeof(address.sun_path))
    return refuse("the path is too long for a socket", error);
  int fd = bind_and_rename(&address, path, made);
  *error = fd < 0 ? strerror(errno) : NULL;
  return fd;
}

bool listen_is_unix(const char *where) {
  return strchr(where, '/') != NULL;
}
