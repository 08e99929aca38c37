/* A CURLU in memory that is Python's: gone for everybody who can still reach it once it is freed. */
#include "internal.h"

void url_end(CURLU **url)
{
  curl_url_cleanup(*url);
  *url = NULL;
}
