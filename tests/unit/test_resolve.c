/* Names and their addresses (common/resolve.c), before a resolver of its own. */

#include "common/resolve.h"

#include "common/clock.h"
#include "tests/unit/test.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the resolver says of the one name that it knows; the first test to use it sets it. */
static struct {
  const char *name, *addresses[RESOLVE_ADDRESSES_MAX + 2];
  int error;  /* instead of them */
  bool hangs; /* until it does not any more */
  int asked;
} says;
static pthread_mutex_t says_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t says_changed = PTHREAD_COND_INITIALIZER;

typedef int getaddrinfo_function(const char *, const char *, const struct addrinfo *,
                                 struct addrinfo **);

/* In the place of the C library's, which serves for numeric addresses. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **list) {
  getaddrinfo_function *real = (getaddrinfo_function *)dlsym(RTLD_NEXT, "getaddrinfo");
  if (hints->ai_flags & AI_NUMERICHOST)
    return real(host, service, hints, list);
  pthread_mutex_lock(&says_lock);
  says.asked++;
  while (says.hangs)
    pthread_cond_wait(&says_changed, &says_lock);
  struct addrinfo numeric = *hints, **end = list;
  numeric.ai_flags = AI_NUMERICHOST;
  int error = strcmp(host, says.name) == 0 ? says.error : EAI_NONAME;
  for (int i = 0; says.addresses[i] && !error; i++) {
    error = real(says.addresses[i], service, &numeric, end);
    end = &(*end)->ai_next;
  }
  pthread_mutex_unlock(&says_lock);
  return error;
}

static void resolver_hangs(bool hangs) {
  pthread_mutex_lock(&says_lock);
  says.hangs = hangs;
  pthread_cond_broadcast(&says_changed);
  pthread_mutex_unlock(&says_lock);
}

static void resolver_says(const char *name, const char *first, const char *second, int error) {
  pthread_mutex_lock(&says_lock);
  says.name = name;
  says.addresses[0] = first;
  says.addresses[1] = first ? second : NULL;
  says.addresses[2] = NULL;
  says.error = error;
  says.asked = 0;
  pthread_mutex_unlock(&says_lock);
}

static int64_t in_ms(int64_t ms) {
  return clock_monotonic_ms() + ms;
}

enum { LONG_MS = 60000 };

/* All addresses, with blanks between them; the reason in <> where there are none. */
static const char *found(const char *host) {
  static char text[RESOLVE_ADDRESSES_MAX * 64];
  struct resolved resolved;
  const char *why = "";
  text[0] = '\0';
  if (resolve_wait(host, in_ms(LONG_MS), &resolved, &why) != RESOLVE_FOUND)
    snprintf(text, sizeof(text), "<%s>", why);
  else
    for (int i = 0; i < resolved.count; i++)
      snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
               resolved.address[i]);
  return text;
}

/* What is found in the end: a thread of a busy machine takes its time. */
static const char *resolved_in_time(const char *host, const char *expected) {
  int64_t deadline_ms = in_ms(LONG_MS / 2);
  while (strcmp(found(host), expected) != 0 && clock_monotonic_ms() < deadline_ms)
    usleep(10000);
  return found(host);
}

#define CHECK_FOUND(host, expected) CHECK_STR(resolved_in_time(host, expected), expected)

/* Until the last answer is not fresh any more. */
static void grow_stale(void) {
  int64_t until = in_ms(RESOLVE_FRESH_MS + 1);
  while (clock_monotonic_ms() < until)
    usleep(1000);
}

static void test_addresses_need_no_resolver(void) {
  resolver_says("", NULL, NULL, 0);
  CHECK_STR(found("127.0.0.1"), "127.0.0.1");
  CHECK_STR(found("::1"), "::1");
  CHECK_STR(found("0:0::01"), "::1");
  CHECK_STR(found("/run/postgresql"), "/run/postgresql");
  CHECK_INT(says.asked, 0);
}

static void test_names_that_cannot_be(void) {
  char long_name[CONFIG_ITEM_SIZE * 2];
  memset(long_name, 'x', sizeof(long_name) - 1);
  long_name[sizeof(long_name) - 1] = '\0';
  resolver_says("", NULL, NULL, 0);
  CHECK(*found("") == '<');
  CHECK(*found(long_name) == '<');
  CHECK_INT(says.asked, 0);
}

static void test_an_answer_holds_for_a_while(void) {
  resolver_says("hold.test", "192.0.2.1", "2001:db8::1", 0);
  CHECK_FOUND("hold.test", "192.0.2.1 2001:db8::1");
  int64_t began = clock_monotonic_ms();
  for (int i = 0; i < 100; i++)
    CHECK_FOUND("hold.test", "192.0.2.1 2001:db8::1");
  CHECK(says.asked <= 2 + (clock_monotonic_ms() - began) / RESOLVE_FRESH_MS);
  resolver_says("hold.test", "192.0.2.9", NULL, 0);
  CHECK_FOUND("hold.test", "192.0.2.9");
}

static void test_what_failed_comes_last(void) {
  resolver_says("avoid.test", "192.0.2.1", "192.0.2.2", 0);
  CHECK_FOUND("avoid.test", "192.0.2.1 192.0.2.2");
  resolve_avoid("avoid.test", "192.0.2.1");
  CHECK_FOUND("avoid.test", "192.0.2.2 192.0.2.1");
  resolve_avoid("avoid.test", "192.0.2.2");
  CHECK_FOUND("avoid.test", "192.0.2.1 192.0.2.2");
  resolve_avoid("avoid.test", "192.0.2.1");
  grow_stale(); /* a new answer is read with that in mind */
  CHECK_FOUND("avoid.test", "192.0.2.2 192.0.2.1");
  resolve_avoid("avoid.test", "192.0.2.3");
  resolve_avoid("other.test", "192.0.2.2");
  CHECK_FOUND("avoid.test", "192.0.2.2 192.0.2.1");
}

static void test_a_resolver_that_hangs(void) {
  struct resolved resolved;
  const char *why = "";
  resolver_says("hang.test", "192.0.2.1", NULL, 0);
  resolver_hangs(true);
  CHECK_INT(resolve_poll("hang.test", &resolved, &why), RESOLVE_PENDING);
  CHECK_INT(resolve_wait("hang.test", in_ms(10), &resolved, &why), RESOLVE_PENDING);
  CHECK_STR(why, "the resolver does not answer");
  CHECK_FOUND("hang.test", "<the resolver does not answer>");
  CHECK_INT(resolve_poll("hang.test", &resolved, &why), RESOLVE_FAILED);
  CHECK(says.asked <= 1); /* one thread, however often it is asked for */
  resolver_hangs(false);
  CHECK_FOUND("hang.test", "192.0.2.1");
}

static void test_the_last_good_answer_serves_meanwhile(void) {
  resolver_says("stale.test", "192.0.2.1", NULL, 0);
  CHECK_FOUND("stale.test", "192.0.2.1");
  grow_stale();
  resolver_hangs(true);
  CHECK_FOUND("stale.test", "192.0.2.1");
  resolver_says("stale.test", NULL, NULL, EAI_AGAIN);
  resolver_hangs(false);
  grow_stale();
  CHECK_FOUND("stale.test", "192.0.2.1");
  resolver_says("stale.test", NULL, NULL, EAI_NONAME);
  grow_stale();
  CHECK_FOUND("stale.test", "<Name or service not known>");
}

static void test_a_failure_is_asked_for_once_in_a_while(void) {
  resolver_says("", NULL, NULL, EAI_AGAIN);
  CHECK_FOUND("none.test", "<Name or service not known>");
  int64_t began = clock_monotonic_ms();
  for (int i = 0; i < 100; i++)
    CHECK_FOUND("none.test", "<Name or service not known>");
  CHECK(says.asked <= 2 + (clock_monotonic_ms() - began) / RESOLVE_FRESH_MS);
}

/* Its next lookup makes nobody wait. */
static void test_a_failure_is_told_at_once(void) {
  struct resolved resolved;
  const char *why = "";
  resolver_says("", NULL, NULL, 0);
  CHECK_FOUND("gone.test", "<Name or service not known>");
  resolver_hangs(true);
  grow_stale();
  for (int i = 0; i < 3; i++)
    CHECK_INT(resolve_wait("gone.test", in_ms(LONG_MS), &resolved, &why), RESOLVE_FAILED);
  CHECK_STR(why, "Name or service not known");
  resolver_says("gone.test", "192.0.2.1", NULL, 0);
  resolver_hangs(false);
  CHECK_FOUND("gone.test", "192.0.2.1");
}

static void test_more_names_than_places(void) {
  char name[32];
  for (int i = 0; i < 100; i++) {
    snprintf(name, sizeof(name), "n%d.test", i);
    resolver_says(name, "192.0.2.1", NULL, 0);
    CHECK_FOUND(name, "192.0.2.1");
  }
  resolver_says("", NULL, NULL, 0);
  resolver_hangs(true);
  struct resolved resolved;
  const char *why = "";
  int failed = 0;
  for (int i = 0; i < 100; i++) {
    snprintf(name, sizeof(name), "h%d.test", i);
    failed += resolve_poll(name, &resolved, &why) == RESOLVE_FAILED;
  }
  CHECK(failed > 0);
  CHECK_STR(why, "too long a name, or too many names");
  resolver_hangs(false);
  CHECK_FOUND("h99.test", "<Name or service not known>");
}

/* A process that forks in the middle of a lookup: the child looks up for itself. */
static void test_fork(void) {
  struct resolved resolved;
  const char *why = "";
  resolver_says("fork.test", "192.0.2.1", NULL, 0);
  resolver_hangs(true);
  CHECK_INT(resolve_poll("fork.test", &resolved, &why), RESOLVE_PENDING);
  pid_t child = fork();
  if (child == 0) {
    resolver_hangs(false);
    _exit(strcmp(found("fork.test"), "192.0.2.1") != 0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  CHECK_INT(status, 0);
  resolver_hangs(false);
  CHECK_FOUND("fork.test", "192.0.2.1");
}

static void test_shares(void) {
  CHECK_INT(resolve_share_ms(3000, 2), 1500);
  CHECK_INT(resolve_share_ms(2000, 8), RESOLVE_SHARE_MS);
  CHECK_INT(resolve_share_ms(300, 2), 300);
  CHECK_INT(resolve_share_ms(-5, 2), -5);
}

int main(void) {
  RUN(test_addresses_need_no_resolver);
  RUN(test_names_that_cannot_be);
  RUN(test_an_answer_holds_for_a_while);
  RUN(test_what_failed_comes_last);
  RUN(test_a_resolver_that_hangs);
  RUN(test_the_last_good_answer_serves_meanwhile);
  RUN(test_a_failure_is_asked_for_once_in_a_while);
  RUN(test_a_failure_is_told_at_once);
  RUN(test_more_names_than_places);
  RUN(test_fork);
  RUN(test_shares);
  return test_done();
}
