/* TLS sessions, out and in. Python does not come here where libcurl lacks the function. */
#include "internal.h"

static CURLcode on_session(CURL *curl, void *p, const char *key, const unsigned char *shmac,
                           size_t shmac_size, const unsigned char *data, size_t size,
                           curl_off_t valid_until, int tls_id, const char *alpn,
                           size_t earlydata_max)
{
  easy *e = p;
  (void)curl;
  return e->stopped ? CURLE_ABORTED_BY_CALLBACK
                    : (CURLcode)python_session(e->id, key, shmac, shmac_size, data, size,
                                               valid_until, tls_id, alpn, earlydata_max);
}

int easy_ssls_export(easy *e)
{
  int code = easy_enter(e);

  if(!code) {
    e->stopped = 0;
    code = curl_easy_ssls_export(e->curl, on_session, e);
    easy_leave(e);
  }
  return code;
}

int easy_ssls_import(easy *e, const char *key, const unsigned char *shmac, size_t shmac_size,
                     const unsigned char *data, size_t size)
{
  int code = easy_enter(e);

  if(!code) {
    code = curl_easy_ssls_import(e->curl, key, shmac, shmac_size, data, size);
    easy_leave(e);
  }
  return code;
}
