#pragma once

/* The commands of load, a file each (idle and events share one). `argv` begins behind the command's
 * name. Each prints its results and returns the program's exit status; 64 for wrong usage. */
int command_traffic(int argc, char **argv);
int command_crowd(int argc, char **argv);
int command_late(int argc, char **argv);
int command_idle(int argc, char **argv);
int command_events(int argc, char **argv);
