#pragma once

/*
 * Points at which tests let a program die or stop, to see that nothing is lost there. They are in
 * builds with -DMCS_FAILPOINTS only (MODE=faults), and nothing at all in others.
 *
 * FAILPOINT("name"): when the file $MCS_VAR/run/failpoint.name exists, the first process that
 * reaches the point removes it and kills itself, or stops itself when the file begins with "stop".
 */
#ifdef MCS_FAILPOINTS
#define FAILPOINT(name) failpoint(name)
#else
#define FAILPOINT(name) ((void)0)
#endif

/* Use the macro. */
void failpoint(const char *name);
