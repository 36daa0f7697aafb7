/* The table of settings, made of config.def, and the names in it. */

#include "common/config/table.h"

#include "common/config/rules.h"
#include "common/nearest.h"

#include <string.h>

const struct config_setting config_settings[] = {
#define CONFIG_STR(field_, variable_, programs_, fallback_, max_, check_, help_)                   \
  {.variable = #variable_,                                                                         \
   .help = help_,                                                                                  \
   .kind = CONFIG_KIND_STR,                                                                        \
   .offset = offsetof(struct config, field_),                                                      \
   .fallback = fallback_,                                                                          \
   .max = max_,                                                                                    \
   .programs = programs_,                                                                          \
   .rule = config_rule_##check_},
#define CONFIG_NUMBER(kind_, field_, variable_, programs_, fallback_, min_, max_, help_)           \
  {.variable = #variable_,                                                                         \
   .help = help_,                                                                                  \
   .kind = kind_,                                                                                  \
   .offset = offsetof(struct config, field_),                                                      \
   .fallback = #fallback_,                                                                         \
   .min = min_,                                                                                    \
   .max = max_,                                                                                    \
   .programs = programs_},
#define CONFIG_INT(...) CONFIG_NUMBER(CONFIG_KIND_INT, __VA_ARGS__)
#define CONFIG_REAL(...) CONFIG_NUMBER(CONFIG_KIND_REAL, __VA_ARGS__)
#include "common/config.def"
#undef CONFIG_STR
#undef CONFIG_INT
#undef CONFIG_REAL
};

const char *const config_variables[] = {
#define CONFIG_STR(field, variable, ...) #variable,
#define CONFIG_INT CONFIG_STR
#define CONFIG_REAL CONFIG_STR
#include "common/config.def"
#undef CONFIG_STR
#undef CONFIG_INT
#undef CONFIG_REAL
};

const size_t config_setting_count = ARRAY_LEN(config_settings);

bool config_is_setting(const char *name) {
  for (size_t i = 0; i < config_setting_count; i++)
    if (strcmp(name, config_variables[i]) == 0)
      return true;
  return false;
}

const char *config_meant(const char *name) {
  const char *typo = nearest_typo(name, config_variables, config_setting_count);
  return typo ? typo : nearest_whole(name, config_variables, config_setting_count);
}
