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
/* Assigns some of the idle subscribers to a new call: so many that most are busy most of the time.
 */
void subscribers_add(const char *id, int64_t now);
/* Connects those whose pause is over. `counts`: the number of connected ones goes into the mean. */
void subscribers_tick(int64_t now, bool counts);
/* Whether any follows a call. */
bool subscribers_busy(void);
/* Ends the subscriptions that are left, with the verdict "unfinished". */
void subscribers_give_up(int64_t now);
/* Prints the totals, as members of a JSON object. */
void subscribers_print(void);
