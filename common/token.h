#pragma once

#include <stdbool.h>
#include <stddef.h>

/* True if the text is a token of HTTP (RFC 9110 section 5.6.2): a method, the name of a header. */
bool token_valid(const char *text, size_t len);
