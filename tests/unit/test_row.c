/* Which writer gets which stripe of the metrics (calls/row.c). */

#include "calls/row.h"

#include "tests/unit/test.h"

#include <stdlib.h>

enum { STRIPES = 64 }; /* rows that sql/migrations makes */

static void test_children_share_none(void) {
  for (int pool = 0; pool < 100; pool++) {
    unsigned first = pool ? arc4random() : (unsigned)-1;
    bool used[STRIPES + 1] = {false};
    for (int child = 0; child < 48; child++) {
      int stripe = row_stripe_of_child(first, child);
      CHECK(stripe >= 1 && stripe <= STRIPES && !used[stripe]);
      if (stripe >= 1 && stripe <= STRIPES)
        used[stripe] = true;
    }
    for (int i = 0; i < 20; i++) {
      int stripe = row_stripe_of_worker();
      CHECK(stripe >= 1 && stripe <= STRIPES && !used[stripe]);
    }
  }
}

/* More children than stripes share them, and get none that is not there. */
static void test_many_children(void) {
  for (int child = 0; child < 1000; child++) {
    int stripe = row_stripe_of_child((unsigned)-1, child);
    CHECK(stripe >= 1 && stripe <= STRIPES);
  }
}

int main(void) {
  RUN(test_children_share_none);
  RUN(test_many_children);
  return test_done();
}
