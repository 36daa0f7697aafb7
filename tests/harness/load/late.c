/*
 * load late: subscribes to calls, one a URL. Prints "ready" when it has the present state of each,
 * and then how much later than their timestamps the next COUNT events came:
 *
 *   events=N median_ms=MS max_ms=MS
 */

#include "tests/harness/load/client.h"
#include "tests/harness/load/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EVENTS_MAX = 4096, TURN_MS = 100 };

struct listener {
  struct client client;
  struct client_server server;
  const char *target;
  bool told; /* the present state has come; it does not count as an event */
};

static size_t told;
static double lateness_ms[EVENTS_MAX];
static size_t events;

/* How long ago the message's timestamp was; false when it has none. */
static bool age_ms(const char *text, size_t len, double *ms) {
  struct tm tm = {0};
  int milli;
  char copy[32];
  const char *at = memmem(text, len, "\"timestamp\":\"", 13);
  if (!at)
    return false;
  snprintf(copy, sizeof(copy), "%.*s", (int)(text + len - at - 13), at + 13);
  if (sscanf(copy, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
             &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &milli) != 7)
    return false;
  tm.tm_year -= 1900;
  tm.tm_mon -= 1;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  *ms = (double)(now.tv_sec - timegm(&tm)) * 1000 + (double)now.tv_nsec / 1e6 - milli;
  return true;
}

static void on_connected(struct client *c) {
  struct listener *l = (struct listener *)c;
  client_ask(c, &l->server, l->target);
}

static void on_text(struct client *c, const char *text, size_t len) {
  struct listener *l = (struct listener *)c;
  double ms;
  if (!age_ms(text, len, &ms))
    return;
  if (l->told && events < EVENTS_MAX)
    lateness_ms[events++] = ms;
  told += !l->told;
  l->told = true;
}

static void on_end(struct client *c, enum client_end why, int code) {
  if (why == CLIENT_REFUSED)
    quit("refused");
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void listen_to(struct listener *all, int count, size_t wanted, int64_t until_us) {
  static const struct client_kind kind = {
      .on_connected = on_connected, .on_text = on_text, .on_end = on_end};
  bool said = false;
  for (int i = 0; i < count; i++)
    client_start(&all[i].client, &kind, &all[i].server, 0);
  while (events < wanted && now_us() < until_us) {
    loop_turn(TURN_MS);
    if (told == (size_t)count && !said)
      said = puts("ready") >= 0;
  }
  for (int i = 0; i < count; i++)
    client_leave(&all[i].client);
}

int command_late(int argc, char **argv) {
  int count = argc - 2;
  struct listener *all = count > 0 ? calloc((size_t)count, sizeof(*all)) : NULL;
  if (!all)
    return 64;
  size_t wanted = strtoul(argv[0], NULL, 10);
  for (int i = 0; i < count; i++) {
    cleanup_buf struct buf where = {0};
    if (!ws_url(argv[i + 2], &where, &all[i].target))
      quit(argv[i + 2]);
    client_find(&all[i].server, buf_text(&where));
  }
  listen_to(all, count, wanted, now_us() + (int64_t)(strtod(argv[1], NULL) * 1e6));
  free(all);
  qsort(lateness_ms, events, sizeof(*lateness_ms), by_size);
  printf("events=%zu median_ms=%.0f max_ms=%.0f\n", events, events ? lateness_ms[events / 2] : 0,
         events ? lateness_ms[events - 1] : 0);
  return events >= wanted ? 0 : 1;
}
