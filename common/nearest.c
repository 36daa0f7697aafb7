/* Finding the name that was meant: the edit distance (Levenshtein) between short names. */

#include "common/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { NAME_SIZE = 64, PART_MIN = 5, LONG_NAME = 8 };

/* The name without underscores, in capitals; cut to what is compared. */
static int normalise(const char *name, char out[NAME_SIZE]) {
  int len = 0;
  for (; *name && len < NAME_SIZE - 1; name++)
    if (*name != '_')
      out[len++] = (char)toupper((unsigned char)*name);
  out[len] = '\0';
  return len;
}

static int min3(int a, int b, int c) {
  int min = a < b ? a : b;
  return min < c ? min : c;
}

int nearest_distance(const char *a, const char *b) {
  char x[NAME_SIZE], y[NAME_SIZE];
  int x_len = normalise(a, x), y_len = normalise(b, y);
  int row[NAME_SIZE] = {0}; /* distances of x's first i characters from each beginning of y */
  for (int j = 0; j <= y_len; j++)
    row[j] = j;
  for (int i = 1; i <= x_len; i++) {
    int diagonal = row[0];
    row[0] = i;
    for (int j = 1; j <= y_len; j++) {
      int replaced = diagonal + (x[i - 1] != y[j - 1]);
      diagonal = row[j];
      row[j] = min3(replaced, row[j] + 1, row[j - 1] + 1);
    }
  }
  return row[y_len];
}

/* Whether `known` is some of the words in `name`, as in OLD_PORT: another name, and no typing
 * error. */
static bool adds_words(const char *name, const char *known) {
  const char *at = strstr(name, known);
  const char *end = at ? at + strlen(known) : NULL;
  return at && strcmp(name, known) != 0 && (at == name || at[-1] == '_') && (!*end || *end == '_');
}

const char *nearest_typo(const char *name, const char *const *known, size_t count) {
  char bare[NAME_SIZE];
  int max = normalise(name, bare) < LONG_NAME ? 1 : 2;
  const char *nearest = NULL;
  for (size_t i = 0; i < count; i++) {
    int distance = nearest_distance(name, known[i]);
    if (distance > max || adds_words(name, known[i]))
      continue;
    nearest = known[i];
    max = distance - 1; /* from here on only what is nearer */
  }
  return nearest;
}

const char *nearest_whole(const char *name, const char *const *known, size_t count) {
  char part[NAME_SIZE], whole[NAME_SIZE];
  if (normalise(name, part) < PART_MIN)
    return NULL;
  for (size_t i = 0; i < count; i++) {
    normalise(known[i], whole);
    if (strstr(whole, part))
      return known[i];
  }
  return NULL;
}
