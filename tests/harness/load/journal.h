#pragma once

#include <stdint.h>
#include <stdio.h>

/*
 * The log of the traffic: a line for each thing that a client saw, its fields separated by tabs.
 * tests/faults/account.bash reads it; traffic.c has the list of lines.
 */

/* Creates the file, and begins to count time. Ends the program when it cannot. */
void journal_open(const char *path);
void journal_close(void);
/* When it was opened. */
int64_t journal_start_us(void);
/* Writes the fields that most lines begin with: what, when it began, how long it took. Returns
 * where the other fields go, and a newline. */
FILE *journal_line(const char *what, int64_t began_us, int64_t ended_us);
/* Writes a mark, which has only a time. */
void journal_mark(void);
