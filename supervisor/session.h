#pragma once

#include <sys/types.h>

/*
 * Sends a signal to all processes of a session and to its first process, which may not lead a
 * session yet; 0 sends none. Returns how many there are; zombies do not count. Reads all of /proc,
 * so it is for starts and stops.
 */
int session_signal(pid_t session, int signal);
