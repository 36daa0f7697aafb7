#pragma once

struct worker;

/* Claims and does what is due until the worker is told to stop. */
void poll_run(struct worker *w);
