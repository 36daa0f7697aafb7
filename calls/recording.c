/* Where recordings are. */

#include "calls/recording.h"

#include <stdio.h>

void recording_url(const struct config *config, const char *id, char out[CALL_URL_SIZE]) {
  snprintf(out, CALL_URL_SIZE, "https://%s.s3.%s.amazonaws.com/recordings/%s.mp3",
           config->s3_bucket, config->aws_region, id);
}
