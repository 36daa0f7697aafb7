/* Names to addresses: the table of names, and the threads that ask the C library. */

#include "common/resolve.h"

#include "common/clock.h"

#include <assert.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { NAMES_MAX = 32 };

struct name {
  char host[CONFIG_ITEM_SIZE]; /* "": unused */
  bool asking;                 /* a thread is under way, which reads `host`: leave it alone */
  int64_t asked_ms, answered_ms;
  int error;                               /* getaddrinfo()'s, of the last result */
  struct resolved known;                   /* the last good result */
  unsigned avoided[RESOLVE_ADDRESSES_MAX]; /* of each: the larger, the later it failed; 0: never */
};

/* Only the one calling thread uses the rest; the end of a lookup runs under the lock. */
static struct name names[NAMES_MAX];
static unsigned avoidances;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;

/* --- asking ----------------------------------------------------------------------------------- */

static bool numeric(const struct addrinfo *ai, char text[CONFIG_ITEM_SIZE]) {
  return getnameinfo(ai->ai_addr, ai->ai_addrlen, text, CONFIG_ITEM_SIZE, NULL, 0,
                     NI_NUMERICHOST) == 0;
}

static int ask(const char *host, int flags, struct resolved *found) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags}, *list = NULL;
  int error = getaddrinfo(host, NULL, &hints, &list);
  *found = (struct resolved){0};
  if (error)
    return error;
  for (const struct addrinfo *ai = list; ai && found->count < RESOLVE_ADDRESSES_MAX;
       ai = ai->ai_next)
    if (numeric(ai, found->address[found->count]))
      found->count++;
  freeaddrinfo(list);
  return found->count ? 0 : EAI_NONAME;
}

static int index_of(const struct resolved *resolved, const char *address) {
  int i = 0;
  while (i < resolved->count && strcmp(resolved->address[i], address) != 0)
    i++;
  return i;
}

static void take_result(struct name *name, int error, const struct resolved *found) {
  name->asking = false;
  name->answered_ms = clock_monotonic_ms();
  name->error = error;
  if (error == EAI_NONAME || error == EAI_NODATA)
    name->known.count = 0; /* it says so for certain */
  if (error)
    return;
  unsigned avoided[RESOLVE_ADDRESSES_MAX] = {0};
  for (int i = 0; i < found->count; i++) {
    int before = index_of(&name->known, found->address[i]);
    avoided[i] = before < name->known.count ? name->avoided[before] : 0;
  }
  memcpy(name->avoided, avoided, sizeof(avoided));
  name->known = *found;
}

static void *ask_in_thread(void *arg) {
  struct name *name = arg;
  struct resolved found;
  int error = ask(name->host, 0, &found);
  pthread_mutex_lock(&lock);
  take_result(name, error, &found);
  pthread_cond_broadcast(&answered);
  pthread_mutex_unlock(&lock);
  return NULL;
}

static void before_fork(void) {
  pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void) {
  pthread_mutex_unlock(&lock);
}

/* The child has none of the threads. */
static void after_fork_in_child(void) {
  for (int i = 0; i < NAMES_MAX; i++)
    names[i].asking = false;
  answered = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
  pthread_mutex_unlock(&lock);
}

static void start_asking(struct name *name) {
  static bool prepared;
  if (!prepared)
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
  prepared = true;
  /* Signals are the main thread's. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  name->asked_ms = clock_monotonic_ms();
  name->asking = pthread_create(&thread, NULL, ask_in_thread, name) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (name->asking)
    pthread_detach(thread);
  else
    take_result(name, EAI_MEMORY, &(struct resolved){0});
}

/* --- the table -------------------------------------------------------------------------------- */

static struct name *name_find(const char *host) {
  for (int i = 0; i < NAMES_MAX; i++)
    if (strcmp(names[i].host, host) == 0)
      return &names[i];
  return NULL;
}

/* Takes the place of the name that was asked for longest ago. NULL when all are being looked up. */
static struct name *name_add(const char *host) {
  struct name *place = NULL;
  for (int i = 0; i < NAMES_MAX; i++)
    if (!names[i].asking && (!place || names[i].asked_ms < place->asked_ms))
      place = &names[i];
  if (!place)
    return NULL;
  *place = (struct name){0};
  snprintf(place->host, sizeof(place->host), "%s", host);
  return place;
}

/* The known addresses; those that were avoided come after the others, the latest last. */
static void sort_known(const struct name *name, struct resolved *resolved) {
  int order[RESOLVE_ADDRESSES_MAX];
  for (int i = 0, at; i < name->known.count; i++) {
    for (at = i; at > 0 && name->avoided[order[at - 1]] > name->avoided[i]; at--)
      order[at] = order[at - 1];
    order[at] = i;
  }
  resolved->count = name->known.count;
  for (int i = 0; i < name->known.count; i++)
    memcpy(resolved->address[i], name->known.address[order[i]], sizeof(resolved->address[i]));
}

/* Until when a lookup under way may make its caller wait. */
static int64_t patient_until_ms(const struct name *name, int64_t deadline_ms) {
  int64_t until =
      name->asked_ms + (name->known.count ? RESOLVE_STALE_PATIENCE_MS : RESOLVE_PATIENCE_MS);
  return until < deadline_ms ? until : deadline_ms;
}

static enum resolve_status look(struct name *name, int64_t deadline_ms, struct resolved *resolved,
                                const char **why) {
  int64_t now = clock_monotonic_ms();
  bool fresh = name->answered_ms && now < name->answered_ms + RESOLVE_FRESH_MS;
  if (!name->asking && !fresh)
    start_asking(name);
  bool failed = name->error && now < name->answered_ms + RESOLVE_FAILED_MS;
  if (name->asking && !failed && now < patient_until_ms(name, deadline_ms))
    return RESOLVE_PENDING;
  if (name->known.count) {
    sort_known(name, resolved);
    return RESOLVE_FOUND;
  }
  *why = name->error ? gai_strerror(name->error) : "the resolver does not answer";
  return RESOLVE_FAILED;
}

static void wait_for_answer(int64_t until_ms) {
  struct timespec when = {until_ms / 1000, until_ms % 1000 * 1000000};
  pthread_cond_clockwait(&answered, &lock, CLOCK_MONOTONIC, &when);
}

/* True when no resolver is needed. */
static bool is_address(const char *host, struct resolved *resolved) {
  if (!strchr(host, '/'))
    return ask(host, AI_NUMERICHOST, resolved) == 0;
  resolved->count = 1;
  snprintf(resolved->address[0], sizeof(resolved->address[0]), "%s", host);
  return true;
}

static struct name *name_get(const char *host) {
  if (!*host || strlen(host) >= CONFIG_ITEM_SIZE)
    return NULL;
  struct name *name = name_find(host);
  return name ? name : name_add(host);
}

/* --- the outside ------------------------------------------------------------------------------ */

static enum resolve_status find(const char *host, bool wait, int64_t deadline_ms,
                                struct resolved *resolved, const char **why) {
  if (is_address(host, resolved))
    return RESOLVE_FOUND;
  enum resolve_status status = RESOLVE_FAILED;
  bool waited = false;
  *why = "too long a name, or too many names";
  pthread_mutex_lock(&lock);
  struct name *name = name_get(host);
  while (name && (status = look(name, deadline_ms, resolved, why)) == RESOLVE_PENDING && wait) {
    wait_for_answer(patient_until_ms(name, deadline_ms));
    waited = true;
  }
  if (waited && status == RESOLVE_FAILED && !name->error)
    status = RESOLVE_PENDING;
  pthread_mutex_unlock(&lock);
  return status;
}

enum resolve_status resolve_poll(const char *host, struct resolved *resolved, const char **why) {
  return find(host, false, INT64_MAX, resolved, why);
}

enum resolve_status resolve_wait(const char *host, int64_t deadline_ms, struct resolved *resolved,
                                 const char **why) {
  return find(host, true, deadline_ms, resolved, why);
}

int64_t resolve_share_ms(int64_t left_ms, int count) {
  int64_t share_ms = left_ms / count;
  if (share_ms < RESOLVE_SHARE_MS)
    share_ms = RESOLVE_SHARE_MS;
  return share_ms < left_ms ? share_ms : left_ms;
}

void resolve_avoid(const char *host, const char *address) {
  pthread_mutex_lock(&lock);
  struct name *name = *host ? name_find(host) : NULL;
  int i = name ? index_of(&name->known, address) : 0;
  if (name && i < name->known.count)
    name->avoided[i] = ++avoidances;
  pthread_mutex_unlock(&lock);
}
