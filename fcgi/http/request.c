/* A request: what it asks for, taken from the raw request target and nothing that a server rewrote.
 */

#include "fcgi/http/request.h"

#include "common/percent.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Behind "http://host" of an absolute-form target, or the target itself. */
static const char *skip_authority(const char *target) {
  const char *at = strncasecmp(target, "http://", 7) == 0    ? target + 7
                   : strncasecmp(target, "https://", 8) == 0 ? target + 8
                                                             : NULL;
  return at ? at + strcspn(at, "/?#") : target;
}

static enum request_path decode(const char *from, char *out, size_t size) {
  const char *end = from + strcspn(from, "?#");
  size_t len = 0;
  bool has_escaped_slash = false; /* data of a segment (RFC 3986 section 2.2), which no id has */
  for (; from < end; from++) {
    int c = (unsigned char)*from;
    if (c == '%') {
      c = percent_byte(from, (size_t)(end - from));
      from += 2;
    }
    if (c < 0x20 || c == 0x7f) /* a broken escape, too */
      return PATH_MALFORMED;
    if (c == '/' && *from != '/')
      has_escaped_slash = true;
    if (len + 1 >= size)
      return PATH_UNKNOWN;
    out[len++] = (char)c;
  }
  out[len] = '\0';
  return has_escaped_slash ? PATH_UNKNOWN : PATH_GOOD;
}

static bool has_odd_segment(const char *path) {
  for (const char *p = path; (p = strchr(p, '/')); p++) {
    size_t len = strcspn(p + 1, "/");
    if ((len == 0 && p[1] == '/') || (len == 1 && p[1] == '.') ||
        (len == 2 && p[1] == '.' && p[2] == '.'))
      return true;
  }
  return false;
}

enum request_path request_parse_target(const char *target, const char *base,
                                       char path[REQUEST_PATH_SIZE]) {
  char whole[REQUEST_PATH_SIZE];
  const char *at = skip_authority(target);
  path[0] = '\0';
  enum request_path state = decode(at, whole, sizeof(whole));
  if (state != PATH_GOOD)
    return state;
  if (!*whole && at != target)
    strcpy(whole, "/"); /* "http://host" asks for the root */
  size_t base_len = strlen(base);
  const char *rest = whole + base_len;
  if (*whole != '/' || strncmp(whole, base, base_len) != 0 || has_odd_segment(whole))
    return PATH_UNKNOWN;
  if (!*rest)
    rest = "/";
  if (*rest != '/')
    return PATH_UNKNOWN;
  size_t len = strlen(rest);
  if (len > 1 && rest[len - 1] == '/')
    len--;
  memmove(path, rest, len);
  path[len] = '\0';
  return PATH_GOOD;
}

bool request_host_valid(const char *host) {
  size_t len = strlen(host), name;
  if (len == 0 || len > 255)
    return false;
  if (*host == '[') {
    name = strspn(host + 1, "0123456789abcdefABCDEF:.") + 1;
    if (name < 3 || host[name++] != ']')
      return false;
  } else {
    name = 0;
    while (isalnum((unsigned char)host[name]) || host[name] == '-' || host[name] == '.' ||
           host[name] == '_')
      name++;
    if (name == 0)
      return false;
  }
  if (!host[name])
    return true;
  size_t digits = strspn(host + name + 1, "0123456789");
  return host[name] == ':' && digits >= 1 && digits <= 5 && !host[name + 1 + digits];
}

/* What a message may show of a client's text: its beginning, with anything unprintable masked. */
static void show(const char *text, size_t len, char *out, size_t size) {
  if (len >= size)
    len = size - 1;
  for (size_t i = 0; i < len; i++)
    out[i] = text[i] > 0x20 && text[i] < 0x7f ? text[i] : '?';
  out[len] = '\0';
}

void request_read(struct request *r, struct gateway *g, const char *base_path) {
  struct buf body = r->body;
  buf_clear(&body);
  *r = (struct request){.gateway = g, .body = body};
  const char *target = gateway_param(g, "REQUEST_URI");
  r->method = gateway_param(g, "REQUEST_METHOD");
  r->authorization = gateway_param(g, "HTTP_AUTHORIZATION");
  r->content_type = gateway_param(g, "CONTENT_TYPE");
  r->content_encoding = gateway_param(g, "HTTP_CONTENT_ENCODING");
  r->host = gateway_param(g, "HTTP_HOST");
  r->origin = gateway_param(g, "HTTP_ORIGIN");
  r->wanted_headers = gateway_param(g, "HTTP_ACCESS_CONTROL_REQUEST_HEADERS");
  const char *https = gateway_param(g, "HTTPS");
  r->https = strcasecmp(https, "on") == 0 || strcmp(https, "1") == 0 ||
             strcasecmp(gateway_param(g, "REQUEST_SCHEME"), "https") == 0;
  r->path_state = request_parse_target(target, base_path, r->path);
  const char *path = skip_authority(target);
  show(path, strcspn(path, "?#"), r->path_shown, sizeof(r->path_shown));
  show(r->method, strlen(r->method), r->method_shown, sizeof(r->method_shown));
}

enum gateway_body request_read_body(struct request *r, size_t max) {
  return gateway_read_body(r->gateway, max, &r->body);
}

void request_drain_body(struct request *r) {
  gateway_drain_body(r->gateway);
}
