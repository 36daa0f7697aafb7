#pragma once

#include "tests/harness/load/client.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The WebSockets of the traffic: each follows a call from its creation to its end, and connects
 * again when it is cut, asking for what it missed. Each call followed is a line of the journal,
 * with a verdict; each handshake another one.
 */

/* Prepares `count` of them, which then wait for calls. The server is borrowed. */
void subscribers_init(const struct client_server *server, int count);
void subscribers_done(void);
/* Gives a new call so many of those without a call that about all of them are occupied. */
void subscribers_add(const char *id, int64_t now);
/* Connects those whose pause is over. `counts`: how many are connected counts for the mean. */
void subscribers_tick(int64_t now, bool counts);
/* Whether any follows a call. */
bool subscribers_busy(void);
/* Ends the calls that are followed, as unfinished. */
void subscribers_give_up(int64_t now);
/* Prints what became of all of them, as members of a JSON object. */
void subscribers_print(void);
