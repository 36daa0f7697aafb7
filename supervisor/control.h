#pragma once

struct supervisor;

/*
 * What the director asks, on its descriptor 3: a line for each request and each reply. The reply is
 * "ok", or "failed" and why, if nothing else is said here.
 *
 * - take: takes the folder; "busy" when another process has it
 * - log: our output goes to log/mcs.log in it from now on
 * - table: reads etc/components, again or for the first time; see table.h
 * - start NAME: starts a component
 * - replace NAME: starts it a second time, and then stops the old one; see component_replace()
 * - stop NAME: tells it to stop
 * - state NAME: "running PROCESS", "replacing PROCESS" while an old process is there too, "ending",
 *   "dead" or "absent"
 * - ready: all is up, or up again: what dies is started again. The reply comes when there is
 *   something to do: "restart"
 */

/* Reads what there is to read, and answers. Does not wait for the director. */
void control_serve(struct supervisor *s);

/* Has the director restart the components. Does nothing while the director is busy: ./mcs restart
 * repeats its signal. */
void control_restart(struct supervisor *s);
