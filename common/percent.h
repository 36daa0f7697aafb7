#pragma once

#include <stddef.h>

/* The byte that the escape at the beginning of `text` stands for, such as "%2F" (RFC 3986 section
 * 2.1); -1 when the text does not begin with one. */
int percent_byte(const char *text, size_t len);
