/*
 * clock.so: for LD_PRELOAD. It adds to the program's wall clock the number of seconds that the file
 * named by CLOCK_FILE contains at that moment. The monotonic clock does not change. libfaketime
 * would do the same, but fails with jemalloc, which redis-server is linked with.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset_s(void) {
  static int fd = -2;
  char text[32];
  const char *path = getenv("CLOCK_FILE");
  if (fd == -2)
    fd = open(path ? path : "/dev/null", O_RDONLY | O_CLOEXEC);
  ssize_t len = fd >= 0 ? pread(fd, text, sizeof(text) - 1, 0) : 0;
  text[len > 0 ? len : 0] = '\0';
  return atol(text);
}

int clock_gettime(clockid_t id, struct timespec *now) {
  int result = (int)syscall(SYS_clock_gettime, id, now);
  if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
    now->tv_sec += offset_s();
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec ts;
  int result = clock_gettime(CLOCK_REALTIME, &ts);
  now->tv_sec = ts.tv_sec;
  now->tv_usec = ts.tv_nsec / 1000;
  return result;
}

time_t time(time_t *now) {
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  if (now)
    *now = ts.tv_sec;
  return ts.tv_sec;
}
