/* Request targets and Host headers (fcgi/http/request.c). The first line is BASE_PATH. */

#include "tests/fuzz/fuzz.h"

#include "common/buf.h"
#include "fcgi/http/request.h"

#include <string.h>

/* Whether config/rules.c would let it be a BASE_PATH. */
static bool is_base(const char *s) {
  if (!*s)
    return true;
  static const char good[] = "/-._~ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  return *s == '/' && s[strlen(s) - 1] != '/' && !strstr(s, "//") && !strstr(s, "/.") &&
         !s[strspn(s, good)] && strlen(s) <= 100;
}

static void check_path(const char *path) {
  HOLDS(path[0] == '/' && strlen(path) < REQUEST_PATH_SIZE);
  HOLDS(!strstr(path, "//") && !strstr(path, "/./") && !strstr(path, "/../"));
  size_t len = strlen(path);
  HOLDS(len == 1 || path[len - 1] != '/');
  HOLDS(len < 2 || strcmp(path + len - 2, "/.") != 0);
  HOLDS(len < 3 || strcmp(path + len - 3, "/..") != 0);
  for (const char *p = path; *p; p++)
    HOLDS((unsigned char)*p >= 0x20 && *p != 0x7f);
}

/* The same path, each byte but the slashes written as an escape, is the same path; a slash as an
 * escape is none. */
static void check_escaped(const char *path, const char *base) {
  cleanup_buf struct buf escaped = {0};
  char again[REQUEST_PATH_SIZE];
  buf_str(&escaped, base);
  for (const char *p = path; *p; p++)
    buf_printf(&escaped, *p == '/' ? "/" : "%%%02x", (unsigned char)*p);
  size_t path_len = escaped.len;
  buf_str(&escaped, "?a=%zz&b=\x01");
  enum request_path state = request_parse_target(buf_text(&escaped), base, again);
  HOLDS(state == PATH_GOOD || strlen(base) + strlen(path) + 1 >= REQUEST_PATH_SIZE);
  HOLDS(state != PATH_GOOD || strcmp(path, again) == 0);
  escaped.len = path_len;
  buf_str(&escaped, "%2f");
  HOLDS(request_parse_target(buf_text(&escaped), base, again) != PATH_GOOD);
}

static void check_target(const char *target, const char *base) {
  char path[REQUEST_PATH_SIZE];
  memset(path, 'x', sizeof(path));
  enum request_path state = request_parse_target(target, base, path);
  HOLDS(state == PATH_GOOD || state == PATH_UNKNOWN || state == PATH_MALFORMED);
  if (state != PATH_GOOD) {
    HOLDS(path[0] == '\0');
    return;
  }
  check_path(path);
  check_escaped(path, base);
}

static void check_host(const char *host) {
  if (!request_host_valid(host))
    return;
  HOLDS(*host && strlen(host) <= 255);
  for (const char *p = host; *p; p++)
    HOLDS(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:[]", *p));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  cleanup_buf struct buf input = {0};
  buf_add(&input, data, size);
  char *newline = memchr(input.data, '\n', input.len);
  const char *target = newline ? newline + 1 : input.data;
  if (newline)
    *newline = '\0';
  check_target(target, newline && is_base(input.data) ? input.data : "");
  check_host(target);
  return 0;
}
