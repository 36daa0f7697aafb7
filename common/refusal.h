#pragma once

#include <stdbool.h>

/*
 * What the databases' error replies mean, for a person. Each is a definite answer: what was asked
 * was not done. (A script of Redis's may have failed half-way: see what it says about that.)
 */
struct refusal {
  const char *code;    /* Redis's first word, or PostgreSQL's SQLSTATE; "": any other */
  const char *begins;  /* how the reply begins, where that is not the code */
  const char *meaning; /* such as "its memory is full" */
  bool reconnect;      /* Redis: another connection may lead to a server that does not refuse */
};

/* The entry for an error reply's text. Static. */
const struct refusal *refusal_by_redis(const char *error);
/* The entry for an SQLSTATE. Static. */
const struct refusal *refusal_by_postgres(const char *sqlstate);
