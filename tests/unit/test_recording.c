/* Where recordings are (calls/recording.c). */

#include "calls/recording.h"

#include "tests/unit/test.h"

#define ID "0199c0de-1234-7abc-8def-0123456789ab"

static void test_url(void) {
  const struct config config = {.s3_bucket = "a-bucket", .aws_region = "eu-west-1"};
  char url[CALL_URL_SIZE];
  recording_url(&config, ID, url);
  CHECK_STR(url, "https://a-bucket.s3.eu-west-1.amazonaws.com/recordings/" ID ".mp3");
}

/* The longest settings that are taken still make a whole URL. */
static void test_longest(void) {
  char bucket[64], region[64], url[CALL_URL_SIZE];
  memset(bucket, 'b', 63);
  memset(region, 'r', 63);
  bucket[63] = region[63] = '\0';
  const struct config config = {.s3_bucket = bucket, .aws_region = region};
  recording_url(&config, ID, url);
  CHECK_STR(strrchr(url, '/'), "/" ID ".mp3");
}

int main(void) {
  RUN(test_url);
  RUN(test_longest);
  return test_done();
}
