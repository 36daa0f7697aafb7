#pragma once

/*
 * Points at which tests let a program die or stop, to see that nothing is lost there. They are in
 * builds with -DMCS_FAULT_POINTS only (MODE=faults), and nothing at all in others.
 *
 * FAULT_POINT("name"): when the file $MCS_VAR/run/fault.name exists, one process that comes by
 * takes (removes) it and kills itself, or stops itself when the file begins with "stop".
 */
#ifdef MCS_FAULT_POINTS
#define FAULT_POINT(name) fault_point(name)
#else
#define FAULT_POINT(name) ((void)0)
#endif

/* Use the macro. */
void fault_point(const char *name);
