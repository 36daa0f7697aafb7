#pragma once

#include "fcgi/http/router.h"

/* Our own API: JSON, and keys as bearer tokens. */
extern const struct api routes_api;
