/* What handles share, and the locks around it.
 *
 * The locks are C's own: libcurl may hold one while it calls a closer, which waits for the GIL, so no
 * thread may ever wait for one with the GIL held. cffi lets go of it before C is entered. They are
 * recursive, because a closer may use a handle of the same share. */
#include "internal.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define KINDS (CURL_LOCK_DATA_HSTS + 1)

struct share {
  guard inside;
  CURLSH *curlsh; /* NULL once closed */
  unsigned kinds; /* what it shares: a bit for each curl_lock_data */
  unsigned holders; /* Python, and each easy that libcurl has attached: it locks as it leaves */
  pthread_mutex_t locks[KINDS]; /* by curl_lock_data; what comes later shares the first */
};

static void on_lock(CURL *curl, curl_lock_data data, curl_lock_access access, void *p)
{
  share *s = p;
  (void)curl;
  (void)access;
  pthread_mutex_lock(&s->locks[data < KINDS ? data : 0]);
}

static void on_unlock(CURL *curl, curl_lock_data data, void *p)
{
  share *s = p;
  (void)curl;
  pthread_mutex_unlock(&s->locks[data < KINDS ? data : 0]);
}

static CURLSH *make_curlsh(share *s)
{
  CURLSH *curlsh = curl_share_init();
  int kind;

  if(!curlsh)
    return NULL;
  curl_share_setopt(curlsh, CURLSHOPT_USERDATA, s);
  curl_share_setopt(curlsh, CURLSHOPT_LOCKFUNC, on_lock);
  curl_share_setopt(curlsh, CURLSHOPT_UNLOCKFUNC, on_unlock);
  for(kind = 0; kind < KINDS; kind++)
    if(s->kinds & 1u << kind)
      curl_share_setopt(curlsh, CURLSHOPT_SHARE, kind);
  return curlsh;
}

static share *make_share(void)
{
  share *s = calloc(1, sizeof(*s));
  pthread_mutexattr_t recursive;
  int i;

  if(!s)
    return NULL;
  guard_init(&s->inside);
  s->curlsh = make_curlsh(s);
  if(!s->curlsh) {
    free(s);
    return NULL;
  }
  s->holders = 1;
  pthread_mutexattr_init(&recursive);
  pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
  for(i = 0; i < KINDS; i++)
    pthread_mutex_init(&s->locks[i], &recursive);
  pthread_mutexattr_destroy(&recursive);
  return s;
}

/* A share, and Python's hold on it. NULL when out of memory. */
share_hold *share_new(size_t size)
{
  share_hold *hold = calloc(1, size);

  if(hold && (hold->share = make_share()) == NULL) {
    free(hold);
    hold = NULL;
  }
  return hold;
}

/* One holder less. The last one closes it, where Python has not; in a forked child it is the parent's. */
void share_release(share *s)
{
  int i;

  if(!s || __atomic_sub_fetch(&s->holders, 1, __ATOMIC_ACQ_REL))
    return;
  if(s->curlsh && !guard_forked(&s->inside))
    curl_share_cleanup(s->curlsh);
  for(i = 0; i < KINDS; i++)
    pthread_mutex_destroy(&s->locks[i]);
  free(s);
}

/* Handles in different threads may be attached at the same time: each in its turn. */
static int share_enter(share *s)
{
  int refusal;

  while((refusal = guard_enter(&s->inside)) == HANDLE_BUSY)
    sched_yield();
  if(!refusal && !s->curlsh) {
    guard_leave(&s->inside);
    refusal = HANDLE_CLOSED;
  }
  return refusal;
}

/* CURLSHOPT_SHARE and _UNSHARE. */
int share_set(share *s, CURLSHoption option, int data)
{
  int code = share_enter(s);

  if(!code) {
    code = curl_share_setopt(s->curlsh, option, data);
    if(!code && data < KINDS)
      s->kinds = option == CURLSHOPT_SHARE ? s->kinds | 1u << data : s->kinds & ~(1u << data);
    guard_leave(&s->inside);
  }
  return code;
}

/* curl_share_cleanup: CURLSHE_IN_USE while a handle uses it, and nothing has happened. */
int share_close(share *s)
{
  int code;

  if(guard_forked(&s->inside)) {
    s->curlsh = NULL;
    return 0;
  }
  code = share_enter(s);
  if(code)
    return code == HANDLE_CLOSED ? 0 : code;
  code = curl_share_cleanup(s->curlsh);
  if(!code)
    s->curlsh = NULL;
  guard_leave(&s->inside);
  return code;
}

/* What is in it goes as share_close has it, and it is open still, if there is the memory for that. */
int share_empty(share *s)
{
  int code = share_enter(s);

  if(code)
    return code;
  code = curl_share_cleanup(s->curlsh);
  if(!code)
    s->curlsh = make_curlsh(s);
  guard_leave(&s->inside);
  return code;
}

int share_closed(const share *s) { return !s->curlsh; }

/* The backstop. A share that is still in use stays until its handles are gone. */
void share_free(share_hold *hold)
{
  share_close(hold->share);
  share_release(hold->share);
  free(hold);
}

/* CURLOPT_SHARE; NULL detaches. Not in a multi: there 7.88.1 crashes on a change of shares. */
int easy_set_share(easy *e, share *s)
{
  int code = s ? share_enter(s) : 0;

  if(code)
    return code;
  code = easy_enter(e);
  if(!code) {
    if(e->joined || easy_performs(e))
      code = HANDLE_DEFERRED;
    else {
      easy_detach(e);
      if(s || !e->cache) /* or it is in no share but its own */
        code = easy_change_share(e, s ? s->curlsh : NULL);
      if(!code) {
        if(s)
          __atomic_add_fetch(&s->holders, 1, __ATOMIC_RELAXED);
        share_release(e->share);
        e->share = s;
      }
    }
    easy_leave(e);
  }
  if(s)
    guard_leave(&s->inside);
  return code;
}
