#pragma once

#include "calls/call.h"

#include <stdint.h>

/* What a lookup of a call comes to. */
enum answer_kind {
  ANSWER_FOUND,   /* `call` is how it stands, without metadata */
  ANSWER_UNKNOWN, /* the record has no such call */
  ANSWER_AWAY,    /* nobody could be asked, or answered in time */
};

struct answer {
  const char *id;
  uint32_t ticket; /* the asker's own number for the question */
  enum answer_kind kind;
  const struct call *call; /* NULL unless found; gone when the callback returns */
};

/* Who wants the answers. */
struct answer_to {
  void (*take)(void *arg, const struct answer *answer);
  void *arg;
};
