/* The plan of a call: what is drawn when it is created. */

#include "calls/plan.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

struct range {
  int min_ms, max_ms;
};

/* How likely each outcome is, and how long its stages are. */
static const struct {
  int percent;
  struct range duration[PLAN_STAGES];
} drawn[OUTCOME__MAX] = {
    [OUTCOME_ANSWERED] =
        {
            .percent = 70,
            .duration = {{1000, 2000}, {3000, 5000}, {2000, 4000}, {2000, 3000}},
        },
    [OUTCOME_UNANSWERED] =
        {
            .percent = 30,
            .duration = {{1000, 2000}, {3000, 5000}, {1000, 2000}, {2000, 3000}},
        },
};

/* One call's dice, seeded by the kernel's randomness once: a draw of its own would be a system
 * call. */
struct dice {
  unsigned short state[3]; /* as erand48() wants it */
};

/* 0 … sides-1 */
static int roll(struct dice *dice, int sides) {
  return (int)(erand48(dice->state) * sides);
}

static int32_t draw_ms(struct dice *dice, struct range range, double time_scale) {
  double ms = (range.min_ms + roll(dice, range.max_ms - range.min_ms + 1)) / time_scale;
  return ms < 1 ? 1 : (int32_t)lround(ms);
}

static enum call_outcome draw_outcome(struct dice *dice) {
  int ticket = roll(dice, 100);
  for (int i = 0; i < OUTCOME__MAX; i++) {
    if (ticket < drawn[i].percent)
      return (enum call_outcome)i;
    ticket -= drawn[i].percent;
  }
  assert(!"the outcomes' shares do not add up to 100");
}

void plan_draw(struct call_plan *plan, double time_scale, double failure_rate) {
  struct dice dice;
  arc4random_buf(dice.state, sizeof(dice.state));
  *plan = (struct call_plan){.outcome = draw_outcome(&dice)};
  for (int i = 0; i < PLAN_STAGES; i++)
    plan->duration_ms[i] = draw_ms(&dice, drawn[plan->outcome].duration[i], time_scale);
  while (plan->upload_failures < UPLOAD_ATTEMPTS && erand48(dice.state) < failure_rate)
    plan->upload_failures++;
}

int64_t plan_shortest_ms(double time_scale) {
  int shortest = drawn[0].duration[0].min_ms;
  for (int o = 0; o < OUTCOME__MAX; o++)
    for (int i = 0; i < STAGE_UPLOAD; i++)
      if (drawn[o].duration[i].min_ms < shortest)
        shortest = drawn[o].duration[i].min_ms;
  double ms = shortest / time_scale;
  return ms < 1 ? 1 : (int64_t)ms;
}

int64_t plan_backoff_ms(int attempt, double time_scale) {
  double ms = 2000.0 * (1 << (attempt > 0 && attempt < 16 ? attempt - 1 : 0)) / time_scale;
  return ms < 1 ? 1 : (int64_t)ms;
}
