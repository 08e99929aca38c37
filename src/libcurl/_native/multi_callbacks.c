/* What libcurl calls for a multi handle, and Python hears of. In the thread that drives the multi, with
 * the multi entered; of one that raised, the call in progress tells. */
#include "internal.h"

/* What a call answers in which a callback of the multi's own has failed. libcurl is not told: in the
 * middle of curl_multi_add_handle it would leave the easy half added, and up to 7.88 at least it goes on
 * to have sockets of transfers that are gone, which crashes. */
int multi_refusal(multi *m, int code)
{
  if(!m->refused || m->inside.depth > 1)
    return code;
  m->refused = m->timer_refused = 0;
  return code ? code : CURLM_ABORTED_BY_CALLBACK;
}

static int refused(multi *m, int answer)
{
  if(answer == -1)
    m->refused = 1;
  return 0;
}

static int on_socket(CURL *curl, curl_socket_t fd, int what, void *p, void *assigned)
{
  multi *m = p;
  easy *e = easy_of(curl);

  (void)assigned;
  multi_notice(m, curl);
  connected_swap();
  return refused(m, m->failed ? -1 : python_socket(m->id, e ? e->id : 0, fd, what));
}

static int on_timer(CURLM *curlm, long milliseconds, void *p)
{
  multi *m = p;
  int answer = m->failed ? -1 : python_timer(m->id, milliseconds);

  (void)curlm;
  m->timer_refused |= answer == -1;
  return refused(m, answer);
}

/* Python takes the pushed handle over, or gives it back (easy_renounce) and libcurl frees it. */
static int on_push(CURL *parent, CURL *curl, size_t count, struct curl_pushheaders *headers, void *p)
{
  multi *m = p;
  easy *from = easy_of(parent), *pushed = NULL;
  int answer;

  if(m->failed)
    return CURL_PUSH_DENY;
  answer = python_push(m->id, from ? from->id : 0, curl, &pushed, headers, count);
  if(answer == CURL_PUSH_OK) {
    multi_link(m, pushed); /* libcurl adds it on return */
    pushed->waits--;       /* in the middle of its transfer */
  }
  return answer;
}

static void on_notify(CURLM *curlm, unsigned notification, CURL *curl, void *p)
{
  multi *m = p;
  easy *e = easy_of(curl);

  (void)curlm;
  if(!m->failed)
    python_notify(m->id, notification, e ? e->id : 0);
}

typedef void (*any_function)(void);

int multi_set_callback(multi *m, CURLMoption option, int present)
{
  static const struct {
    CURLMoption function, data;
    any_function on;
  } callbacks[] = {
    { CURLMOPT_SOCKETFUNCTION, CURLMOPT_SOCKETDATA, (any_function)on_socket },
    { CURLMOPT_TIMERFUNCTION, CURLMOPT_TIMERDATA, (any_function)on_timer },
    { CURLMOPT_PUSHFUNCTION, CURLMOPT_PUSHDATA, (any_function)on_push },
    { CURLMOPT_NOTIFYFUNCTION, CURLMOPT_NOTIFYDATA, (any_function)on_notify },
  };
  size_t i;
  int code = multi_enter(m);

  if(code)
    return code;
  code = CURLM_UNKNOWN_OPTION;
  for(i = 0; i < sizeof(callbacks) / sizeof(*callbacks); i++) {
    if(callbacks[i].function == option) {
      code = curl_multi_setopt(m->curlm, callbacks[i].data, m);
      if(!code)
        code = curl_multi_setopt(m->curlm, option, present ? callbacks[i].on : NULL);
    }
  }
  multi_leave(m);
  return code;
}
