#pragma once

/*
 * What the text of a setting must satisfy, a function for each rule that config.def names. NULL: it
 * does; else what is wrong, to be said after the setting's name.
 */
const char *config_rule_any(const char *text);
const char *config_rule_some(const char *text);
const char *config_rule_pool_mode(const char *text);
const char *config_rule_word(const char *text);
const char *config_rule_name(const char *text);
const char *config_rule_hosts(const char *text);
const char *config_rule_address(const char *text);
const char *config_rule_listen(const char *text);
const char *config_rule_sentinels(const char *text);
const char *config_rule_parts(const char *text);
const char *config_rule_origins(const char *text);
const char *config_rule_log_level(const char *text);
const char *config_rule_api_keys(const char *text);
const char *config_rule_base_path(const char *text);
const char *config_rule_public_url(const char *text);
