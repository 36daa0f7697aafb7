#pragma once

#include "calls/call.h"
#include "common/config.h"

/* The URL under which the recording of the call `id` can be had once it is uploaded. */
void recording_url(const struct config *config, const char *id, char out[CALL_URL_SIZE]);
