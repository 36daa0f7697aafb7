#pragma once

#include <stdint.h>

/*
 * What processes cost, all those of a list together: `pids` has them separated by commas. Ends the
 * program if one of them is gone.
 */

/* Processor time that their only threads have taken so far; stat's would be rounded to hundredths
 * of a second. */
int64_t processes_cpu_ns(const char *pids);
/* Memory that is theirs alone, and with their share of what is not. */
int64_t processes_private_bytes(const char *pids);
int64_t processes_pss_bytes(const char *pids);
