/* The life of a call: the table, the draw, and the names. */

#include "calls/lifecycle.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const status_names[CALL_STATUS__MAX] = {
    [CALL_QUEUED] = "QUEUED",         [CALL_RINGING] = "RINGING",     [CALL_ANSWERED] = "ANSWERED",
    [CALL_UNANSWERED] = "UNANSWERED", [CALL_COMPLETED] = "COMPLETED",
};

struct range {
  int min_ms, max_ms;
};

static const struct {
  const char *name, *api_name;
  int percent;
  enum call_status path[LIFECYCLE_STATES];
  struct range stages[LIFECYCLE_STAGES];
} outcomes[OUTCOME__MAX] = {
    [OUTCOME_ANSWERED] =
        {
            .name = "ANSWERED",
            .api_name = "answered",
            .percent = 70,
            .path = {CALL_QUEUED, CALL_RINGING, CALL_ANSWERED, CALL_COMPLETED},
            .stages = {{1000, 2000}, {3000, 5000}, {2000, 4000}, {2000, 3000}},
        },
    [OUTCOME_UNANSWERED] =
        {
            .name = "UNANSWERED",
            .api_name = "unanswered",
            .percent = 30,
            .path = {CALL_QUEUED, CALL_RINGING, CALL_UNANSWERED, CALL_COMPLETED},
            .stages = {{1000, 2000}, {3000, 5000}, {1000, 2000}, {2000, 3000}},
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
    if (ticket < outcomes[i].percent)
      return (enum call_outcome)i;
    ticket -= outcomes[i].percent;
  }
  assert(!"the outcomes' shares do not add up to 100");
}

void lifecycle_draw(struct call_plan *plan, double time_scale, double failure_rate) {
  struct dice dice;
  arc4random_buf(dice.state, sizeof(dice.state));
  *plan = (struct call_plan){.outcome = draw_outcome(&dice)};
  for (int i = 0; i < LIFECYCLE_STAGES; i++)
    plan->duration_ms[i] = draw_ms(&dice, outcomes[plan->outcome].stages[i], time_scale);
  while (plan->upload_failures < UPLOAD_ATTEMPTS && erand48(dice.state) < failure_rate)
    plan->upload_failures++;
}

int64_t lifecycle_shortest_ms(double time_scale) {
  int shortest = outcomes[0].stages[0].min_ms;
  for (int o = 0; o < OUTCOME__MAX; o++)
    for (int i = 0; i < STAGE_UPLOAD; i++)
      if (outcomes[o].stages[i].min_ms < shortest)
        shortest = outcomes[o].stages[i].min_ms;
  double ms = shortest / time_scale;
  return ms < 1 ? 1 : (int64_t)ms;
}

enum call_status lifecycle_status(enum call_outcome outcome, int seq) {
  assert(outcome < OUTCOME__MAX && seq >= 1);
  return outcomes[outcome].path[(seq < LIFECYCLE_STATES ? seq : LIFECYCLE_STATES) - 1];
}

int64_t lifecycle_backoff_ms(int attempt, double time_scale) {
  double ms = 2000.0 * (1 << (attempt > 0 && attempt < 16 ? attempt - 1 : 0)) / time_scale;
  return ms < 1 ? 1 : (int64_t)ms;
}

const char *lifecycle_status_name(enum call_status status) {
  assert(status < CALL_STATUS__MAX);
  return status_names[status];
}

const char *lifecycle_outcome_name(enum call_outcome outcome) {
  assert(outcome < OUTCOME__MAX);
  return outcomes[outcome].name;
}

const char *lifecycle_outcome_api_name(enum call_outcome outcome) {
  assert(outcome < OUTCOME__MAX);
  return outcomes[outcome].api_name;
}

bool lifecycle_outcome_parse(const char *name, enum call_outcome *outcome) {
  for (int i = 0; i < OUTCOME__MAX; i++)
    if (strcmp(name, outcomes[i].name) == 0) {
      *outcome = (enum call_outcome)i;
      return true;
    }
  return false;
}
