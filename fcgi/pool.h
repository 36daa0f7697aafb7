#pragma once

/*
 * The pool: a parent that keeps the listening socket, forks `count` children and replaces those
 * that die, with a pause when they die young. On SIGTERM or SIGINT (and when whoever started it
 * dies) it has the children finish their requests and waits for them.
 *
 * pool_run() returns in the children: the number of the child, 0 … count-1. In the parent it
 * returns -1 when all is over.
 */
int pool_run(int count);
