#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * The head of an HTTP/1 response, as our own clients read it. No I/O; heads need no NUL at their
 * end. (What servers of ours read is a request: fcgi/http/, wsd/handshake.h.)
 */

/* The length of the head that `data` begins with, blank line included; 0 while it is incomplete. */
size_t http_head_len(const char *data, size_t len);

/* The status code of the response that `data` begins with; 0 when it is not HTTP/1, or too short
 * to tell. */
int http_head_status(const char *data, size_t len);

/* The value of the first header of that name, whatever its case; without the blanks around it, and
 * `*value_len` long. NULL when there is none. */
const char *http_head_find(const char *head, size_t len, const char *name, size_t *value_len);

/* Whether that header is a list of tokens (RFC 9110 section 5.6.1) which has this one. */
bool http_head_has(const char *head, size_t len, const char *name, const char *token);
