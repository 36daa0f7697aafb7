#pragma once

/*
 * What a program gives up, in two steps. Neither can be taken back, and what is forked or executed
 * afterwards has no more. docs/architecture.md, "Privileges", says what each is worth.
 */

/*
 * Call it when all is open that only root may open. A program that root started becomes the user
 * `mcs`, and ends with status 1 and a line in the log where there is no such user. Then, whichever
 * user started it, it has no capabilities and gets no privileges through setuid programs. Other
 * processes of its user cannot read its memory, and it leaves no core: keys and passwords are
 * there.
 */
void privileges_drop(void);

/*
 * Call it before the first byte from outside is read, when all files that are written are open.
 * From then on the system calls that no component needs fail with EPERM, and the memory of other
 * processes of the same user cannot be read (EACCES). Where the kernel has no such filters, the
 * program logs that and goes on without.
 */
void privileges_confine(void);
