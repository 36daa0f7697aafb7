/*
 * Feeds a fuzz target the inputs of its corpus, tests/fuzz/corpus/NAME/, so that whatever was once
 * found stays found. NAME is that of this program, build/MODE/tests/test_corpus_NAME; files named
 * on the command line are fed instead.
 */

#include "tests/fuzz/fuzz.h"

#include "common/buf.h"
#include "common/cleanup.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static void feed_file(const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f) {
    perror(path);
    exit(1);
  }
  cleanup_buf struct buf input = {0};
  size_t n;
  while ((n = fread(buf_reserve(&input, 65536), 1, 65536, f)) > 0)
    input.len += n;
  fclose(f);
  fprintf(stderr, "# %s\n", path); /* the last one named is the one that failed */
  /* In memory of exactly its size, so that a sanitizer sees a read beyond its end. */
  uint8_t *exact = malloc(input.len ? input.len : 1);
  if (!exact)
    abort();
  memcpy(exact, input.data, input.len);
  LLVMFuzzerTestOneInput(exact, input.len);
  free(exact);
}

static void corpus_folder(char out[PATH_MAX]) {
  char self[PATH_MAX / 2];
  ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
  self[len > 0 ? len : 0] = '\0';
  char *slash = strrchr(self, '/'), *name = strstr(slash ? slash : self, "corpus_");
  if (!slash || !name) {
    fputs("not named test_corpus_NAME\n", stderr);
    exit(1);
  }
  snprintf(out, PATH_MAX, "%.*s/../../../tests/fuzz/corpus/%s", (int)(slash - self), self,
           name + 7);
}

static int feed_folder(const char *folder) {
  struct dirent **entries;
  int count = scandir(folder, &entries, NULL, alphasort), fed = 0;
  if (count < 0) {
    perror(folder);
    exit(1);
  }
  for (int i = 0; i < count; i++) {
    char path[PATH_MAX + 256];
    snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
    if (entries[i]->d_name[0] != '.') {
      feed_file(path);
      fed++;
    }
    free(entries[i]);
  }
  free(entries);
  return fed;
}

int main(int argc, char **argv) {
  char folder[PATH_MAX];
  int fed = argc - 1;
  for (int i = 1; i < argc; i++)
    feed_file(argv[i]);
  if (fed == 0) {
    corpus_folder(folder);
    fed = feed_folder(folder);
  }
  printf("%s 1 - %d inputs\n1..1\n", fed ? "ok" : "not ok", fed);
  return fed ? 0 : 1;
}
