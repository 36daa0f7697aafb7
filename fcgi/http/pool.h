#pragma once

#include <stdbool.h>

/*
 * The pool: a parent that keeps the listening socket, forks `count` children and replaces those
 * that die, with a pause when they die young. On SIGTERM or SIGINT (and when whoever started it
 * dies) it has the children finish their requests and waits for them. On SIGHUP it has them finish
 * as well, and becomes the program that `argv` names by now: a new version, or other settings, on
 * the same socket and under the same process id, without a refused request.
 *
 * pool_run() returns in the children: the number of the child, 0 … count-1, with the signals that
 * stop a child still blocked. In the parent it returns -1 when all is over.
 */
int pool_run(int count, char **argv);

/*
 * To be called by a child that has been told to stop. True when it was told because the parent was
 * killed while whoever started the pool lives: then one of the children, which this made it, is to
 * call pool_run() again and so becomes the parent, on the same socket. A web server may not notice
 * that the pool died (lighttpd takes a socket on which the last child still listens for a pool that
 * lives, and never starts another one), so the pool must not need it. systemd does notice: of a
 * pool that it started itself there is no heir.
 */
bool pool_inherit(void);
