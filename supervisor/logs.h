#pragma once

enum { LOGS_KEPT_BYTES = 10 * 1024 * 1024 };

/*
 * Empties the logs (*.log) of a folder that have grown beyond LOGS_KEPT_BYTES. Their ends stay in
 * *.log.1. All programs append, so they need not be told. A line that is written at this moment may
 * be lost. Follows no links.
 */
void logs_bound(const char *folder);
