/* The table of settings in the forms that people and scripts read. */

#include "common/config.h"

#include "common/config/table.h"

void config_print_help(FILE *out, unsigned programs) {
  fputs("Settings, from the environment or the file that MCS_ENV_FILE names:\n", out);
  for (size_t i = 0; i < config_setting_count; i++) {
    const struct config_setting *s = &config_settings[i];
    if (s->programs & programs)
      fprintf(out, "  %-29s %s%s%s%s\n", s->variable, s->help, *s->fallback ? " [" : "",
              s->fallback, *s->fallback ? "]" : "");
  }
}

void config_print_env_example(FILE *out) {
  fputs(
      "# Settings of the mock communications service, with their defaults; copy to .env.\n"
      "# The environment takes precedence over this file. A commented-out setting is unset.\n",
      out);
  for (size_t i = 0; i < config_setting_count; i++) {
    const struct config_setting *s = &config_settings[i];
    fprintf(out, "\n# %s\n%s%s=%s\n", s->help, *s->fallback ? "" : "# ", s->variable, s->fallback);
  }
}

void config_print_markdown(FILE *out) {
  fputs("| Variable | Description | Default |\n|----------|-------------|---------|\n", out);
  for (size_t i = 0; i < config_setting_count; i++) {
    const struct config_setting *s = &config_settings[i];
    fprintf(out, "| `%s` | %s | %s%s%s |\n", s->variable, s->help, *s->fallback ? "`" : "",
            *s->fallback ? s->fallback : "unset", *s->fallback ? "`" : "");
  }
}

/* A value never starts a macro or ends one: "\\&" is in front. */
void config_print_mdoc(FILE *out) {
  for (size_t i = 0; i < config_setting_count; i++) {
    const struct config_setting *s = &config_settings[i];
    fprintf(out, ".It Ev %s\n%s.\n", s->variable, s->help);
    if (*s->fallback)
      fprintf(out, "Default:\n.Ql \\&%s\n", s->fallback);
  }
}

void config_print_shell(const struct config *config, FILE *out) {
  for (size_t i = 0; i < config_setting_count; i++) {
    const struct config_setting *s = &config_settings[i];
    fprintf(out, "%s='", s->variable);
    if (s->kind == CONFIG_KIND_INT)
      fprintf(out, "%ld", *(long *)config_field(config, s));
    else if (s->kind == CONFIG_KIND_REAL)
      fprintf(out, "%.12g", *(double *)config_field(config, s));
    else
      for (const char *p = *(const char **)config_field(config, s); *p; p++)
        fputs(*p == '\'' ? "'\\''" : (const char[]){*p, '\0'}, out);
    fputs("'\n", out);
  }
}
