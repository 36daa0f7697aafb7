#pragma once

#include <stdbool.h>

/*
 * The pool: a parent that keeps the listening socket, forks `count` children and replaces those
 * that die, after a pause when they die young. On SIGTERM or SIGINT, and when the process that
 * started it dies, the children finish their requests and the parent waits for them. On SIGHUP they
 * finish as well, and the parent re-executes the program that `argv` names: a new version or other
 * settings, on the same socket and under the same process id, without a refused request.
 *
 * pool_run() returns in the children: the number of the child, 0 … count-1, with the signals that
 * stop a child still blocked. In the parent it returns -1 at the end.
 */
int pool_run(int count, char **argv);

/*
 * To be called by a child that has been told to stop. Returns true in the one child that becomes
 * the parent's successor, because the parent was killed while the process that started the pool
 * lives. The successor calls pool_run() again, on the same socket. The pool cannot leave this to
 * the web server: lighttpd takes a socket on which a child still listens for a pool that lives, and
 * never starts another one. systemd does notice; a pool that systemd started has no successor.
 */
bool pool_succeed(void);
