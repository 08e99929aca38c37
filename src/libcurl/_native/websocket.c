/* WebSocket frames. Python does not come here where libcurl lacks the function. */
#include "internal.h"

int easy_ws_send(easy *e, const void *data, size_t size, size_t *sent, curl_off_t fragsize,
                 unsigned int flags)
{
  int code = easy_enter_again(e);

  if(!code) {
    *sent = 0;
    code = curl_ws_send(e->curl, data, size, sent, fragsize, flags);
    easy_leave(e);
  }
  return code;
}

/* What libcurl says of the frame is copied: its own is overwritten by the next call. */
int easy_ws_recv(easy *e, void *data, size_t size, size_t *received, struct curl_ws_frame *frame)
{
  const struct curl_ws_frame *found = NULL;
  int code = easy_enter(e);

  if(!code) {
    *received = 0;
    code = curl_ws_recv(e->curl, data, size, received, &found);
    if(!code && found)
      *frame = *found;
    easy_leave(e);
  }
  return code;
}

/* CURLE_AGAIN: no frame is being delivered. */
int easy_ws_meta(easy *e, struct curl_ws_frame *frame)
{
  const struct curl_ws_frame *found;
  int code = easy_enter_again(e);

  if(!code) {
    found = curl_ws_meta(e->curl);
    if(found)
      *frame = *found;
    else
      code = CURLE_AGAIN;
    easy_leave(e);
  }
  return code;
}

int easy_ws_start_frame(easy *e, unsigned int flags, curl_off_t size)
{
  int code = easy_enter(e);

  if(!code) {
    code = curl_ws_start_frame(e->curl, flags, size);
    easy_leave(e);
  }
  return code;
}
