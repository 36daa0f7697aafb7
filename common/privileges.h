#pragma once

/*
 * What a program gives up, in two steps. Neither can be taken back, and what is forked or executed
 * afterwards has no more. docs/architecture.md, "Privileges", says what each is worth.
 */

/*
 * To be called when all is open that only root may open. A program that root started becomes the
 * user `mcs`, and ends with status 1 and a line in the log where there is no such user. Then, and
 * whoever started it: no capabilities, no new privileges through setuid programs, and no look into
 * its memory for others of its user (nor a core, where keys and passwords would be).
 */
void privileges_drop(void);

/*
 * To be called before the first byte from outside is read, when all files are open that are
 * written: from then on the system calls that no part of the service needs fail with EPERM, and
 * other processes of the same user cannot be looked into (EACCES). Where the kernel has no such
 * filters, that is logged and the program goes on without.
 */
void privileges_confine(void);
