#pragma once

/* What became of a request to create a call. An admission ends in the same ways as the creation, so
 * a front door translates one list, once. */
enum verdict {
  VERDICT_CREATED, /* of an admission: admitted */
  VERDICT_TOO_MANY_CONCURRENT,
  VERDICT_TOO_MANY_A_SECOND,
  VERDICT_REBUILDING, /* Redis lost the live state; it is being rebuilt, and nothing was created */
  VERDICT_REFUSED,    /* certainly nothing was created: a database refuses, or is away */
  VERDICT_UNKNOWN,    /* it may have been created */
};
