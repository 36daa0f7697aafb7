#pragma once

#include "common/config.h"

#include <stddef.h>

/* The table of config.def, for config.c and the files of config/. */
enum config_kind { CONFIG_KIND_STR, CONFIG_KIND_INT, CONFIG_KIND_REAL };

struct config_setting {
  const char *variable;
  const char *help;
  size_t offset;
  const char *fallback; /* as text, for every kind */
  double min, max;      /* of a number; `max` characters of a string */
  enum config_kind kind;
  unsigned programs; /* FOR_… */
  const char *(*rule)(const char *);
};

extern const struct config_setting config_settings[];
extern const char *const config_variables[]; /* their names, in the same order */
extern const size_t config_setting_count;

/* A `char *`, a long or a double. */
static inline void *config_field(const struct config *config, const struct config_setting *s) {
  return (char *)config + s->offset;
}
