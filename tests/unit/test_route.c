/* Matching (fcgi/http/route.c): patterns against paths, and what a route allows. */

#include "fcgi/http/route.h"

#include "common/cleanup.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static void handle(const struct exchange *x) {
  (void)x;
}

static struct route route_of(const char *path) {
  return (struct route){.path = path, .operations = {[ROUTE_GET] = {.handle = handle}}};
}

static void test_patterns(void) {
  static const struct {
    const char *pattern, *path;
    const char *values; /* joined by a blank; NULL: no match */
  } cases[] = {
      {"/", "/", ""},
      {"/", "/x", NULL},
      {"/", "", NULL},
      {"/calls", "/calls", ""},
      {"/calls", "/call", NULL},
      {"/calls", "/callsx", NULL},
      {"/calls", "/calls/x", NULL},
      {"/calls", "/Calls", NULL},
      {"/calls/{id}", "/calls/x", "x"},
      {"/calls/{id}", "/calls/{id}", "{id}"},
      {"/calls/{id}", "/calls", NULL},
      {"/calls/{id}", "/calls/", NULL},
      {"/calls/{id}", "/calls/x/y", NULL},
      {"/calls/{id}", "/call/x", NULL},
      {"/calls/{id}/events", "/calls/x/events", "x"},
      {"/calls/{id}/events", "/calls//events", NULL},
      {"/calls/{id}/events", "/calls/x/event", NULL},
      {"/calls/{id}/events", "/calls/x/y/events", NULL},
      {"/a/{Sid}.json", "/a/x.json", "x"},
      {"/a/{Sid}.json", "/a/.json", NULL},
      {"/a/{Sid}.json", "/a/x", NULL},
      {"/a/{Sid}.json", "/a/x.jsonx", NULL},
      {"/a/{Sid}.json", "/a/x.json.json", "x.json"},
      {"/a/{Sid}.json", "/a/x.json/y", NULL},
      {"/a/RE{Sid}.wav", "/a/RE1.wav", "1"},
      {"/a/RE{Sid}.wav", "/a/CA1.wav", NULL},
      {"/2010/A/{Account}/Calls/{Sid}.json", "/2010/A/AC1/Calls/CA2.json", "AC1 CA2"},
      {"/2010/A/{Account}/Calls/{Sid}.json", "/2010/A/AC1/Calls.json", NULL},
      {"/2010/A/{Account}/Calls.json", "/2010/A/AC1/Calls.json", "AC1"},
      {"/{a}/{b}/{c}/{d}", "/1/22/333/4444", "1 22 333 4444"},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    struct route route = route_of(cases[i].pattern);
    struct route_values values = {0};
    cleanup_free char *path = strdup(cases[i].path);
    const struct route *found = route_find(&route, 1, path, &values);
    cleanup_buf struct buf got = {0};
    int count = 0;
    for (const char *p = cases[i].pattern; found && (p = strchr(p, '{')); p++) {
      buf_printf(&got, "%s%s", count ? " " : "", values.at[count]);
      count++;
    }
    test_check_str(__FILE__, __LINE__, cases[i].path, found ? buf_text(&got) : NULL,
                   cases[i].values);
  }
}

/* A value as long as a path can be. */
static void test_long_value(void) {
  struct route route = route_of("/{a}");
  struct route_values values = {0};
  char path[REQUEST_PATH_SIZE];
  memset(path, 'x', sizeof(path));
  path[0] = '/';
  path[sizeof(path) - 1] = '\0';
  CHECK(route_find(&route, 1, path, &values) == &route);
  CHECK_STR(values.at[0], path + 1);
}

static void test_first_match(void) {
  const struct route routes[] = {route_of("/a/{x}"), route_of("/a/b"), route_of("/c")};
  struct route_values values = {0};
  CHECK(route_find(routes, 3, "/a/b", &values) == &routes[0]);
  CHECK(route_find(routes, 3, "/c", &values) == &routes[2]);
  CHECK(route_find(routes, 3, "/d", &values) == NULL);
  CHECK(route_find(routes, 0, "/c", &values) == NULL);
}

/* What another program serves is listed, and not found. */
static void test_only_listed(void) {
  const struct route route = {.path = "/ws?id={id}", .operations = {[ROUTE_GET] = {.name = "ws"}}};
  struct route_values values = {0};
  CHECK(route_find(&route, 1, "/ws", &values) == NULL);
  CHECK(route_find(&route, 1, "/ws?id=x", &values) == NULL); /* from "/ws%3Fid=x" */
}

static void test_values_by_name(void) {
  struct route route = route_of("/A/{AccountSid}/Calls/{Sid}.json");
  struct route_values values = {0};
  CHECK(route_find(&route, 1, "/A/AC1/Calls/CA2.json", &values) == &route);
  CHECK_STR(route_value(&route, &values, "AccountSid"), "AC1");
  CHECK_STR(route_value(&route, &values, "Sid"), "CA2");
}

static void test_methods(void) {
  const struct route routes[] = {
      {.operations = {[ROUTE_GET] = {.handle = handle}}},
      {.operations = {[ROUTE_POST] = {.handle = handle}}},
      {.operations = {[ROUTE_GET] = {.handle = handle}, [ROUTE_POST] = {.handle = handle}}},
      {.operations = {[ROUTE_GET] = {.name = "only listed"}}},
  };
  static const struct {
    const char *method;
    int operation[ARRAY_LEN(routes)]; /* -1: not allowed */
  } cases[] = {
      {"GET", {ROUTE_GET, -1, ROUTE_GET, -1}},
      {"HEAD", {ROUTE_GET, -1, ROUTE_GET, -1}},
      {"POST", {-1, ROUTE_POST, ROUTE_POST, -1}},
      {"OPTIONS", {-1, -1, -1, -1}},
      {"DELETE", {-1, -1, -1, -1}},
      {"get", {-1, -1, -1, -1}},
      {"GETX", {-1, -1, -1, -1}},
      {"", {-1, -1, -1, -1}},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++)
    for (size_t r = 0; r < ARRAY_LEN(routes); r++) {
      int expected = cases[i].operation[r];
      if (route_operation(&routes[r], cases[i].method) !=
          (expected < 0 ? NULL : &routes[r].operations[expected]))
        test_error(__FILE__, __LINE__, "%s of route %zu", cases[i].method, r);
    }
  static const char *const allowed[] = {"GET, HEAD, OPTIONS", "POST, OPTIONS",
                                        "GET, HEAD, POST, OPTIONS", "OPTIONS"};
  for (size_t r = 0; r < ARRAY_LEN(routes); r++) {
    char methods[ROUTE_METHODS_SIZE];
    route_methods(&routes[r], methods);
    CHECK_STR(methods, allowed[r]);
  }
}

int main(void) {
  RUN(test_patterns);
  RUN(test_long_value);
  RUN(test_first_match);
  RUN(test_only_listed);
  RUN(test_values_by_name);
  RUN(test_methods);
  return test_done();
}
