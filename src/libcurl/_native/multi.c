/* A multi handle: its life, the easies in it, and typed doors to libcurl's functions. */
#include "internal.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* In memory that is Python's, and ends it when it goes: it has to be there for as long as anything in Python
 * can reach it, finalizers of a cycle that is collected included. NULL when out of memory. */
multi *multi_new(size_t size)
{
  multi *m = calloc(1, size);

  if(m) {
    guard_init(&m->inside);
    m->curlm = curl_multi_init();
    m->id = new_id();
    if(!m->curlm) {
      free(m);
      m = NULL;
    }
  }
  return m;
}

int multi_enter(multi *m)
{
  int refusal = guard_enter(&m->inside);

  if(!refusal && !m->curlm) {
    guard_leave(&m->inside);
    refusal = HANDLE_CLOSED;
  }
  return refusal;
}

void multi_leave(multi *m) { guard_leave(&m->inside); }

int multi_forked(const multi *m) { return guard_forked(&m->inside); }

/* Inside both: `joined` is what tells other threads whom to ask before they enter the easy. */
void multi_link(multi *m, easy *e)
{
  e->joined = m;
  e->ended = 0;
  e->waits = m->drives;
  e->before = NULL;
  e->next = m->first;
  if(m->first)
    m->first->before = e;
  m->first = e;
}

/* Inside the multi. Another thread can be on its way into the easy, where the multi will stop it. */
void multi_unlink(easy *e)
{
  easy **at;
  int refusal;

  while((refusal = guard_enter(&e->inside)) == HANDLE_BUSY)
    sched_yield();
  for(at = &e->joined->pending; e->pending && *at; at = &(*at)->pending_next)
    if(*at == e) {
      *at = e->pending_next;
      e->pending = 0;
      break;
    }
  if(e->before)
    e->before->next = e->next;
  else
    e->joined->first = e->next;
  if(e->next)
    e->next->before = e->before;
  e->joined = NULL;
  e->next = e->before = NULL;
  if(!refusal) /* of a fork in a callback */
    guard_leave(&e->inside);
}

/* curl_multi_cleanup. The callbacks go first (8.10 calls them in the middle of it), then the easies,
 * which stay usable. A multi that is closed in a callback of its own says so: it cannot be. */
int multi_close(multi *m)
{
  CURLM *curlm;
  int refusal;

  if(guard_forked(&m->inside)) {
    m->curlm = NULL;
    return 0;
  }
  refusal = multi_enter(m);
  if(refusal)
    return refusal == HANDLE_CLOSED ? 0 : refusal;
  if(m->inside.depth > 1) {
    multi_leave(m);
    return CURLM_RECURSIVE_API_CALL;
  }
  curlm = m->curlm;
  curl_multi_setopt(curlm, CURLMOPT_SOCKETFUNCTION, NULL);
  curl_multi_setopt(curlm, CURLMOPT_TIMERFUNCTION, NULL);
  curl_multi_setopt(curlm, CURLMOPT_PUSHFUNCTION, NULL);
  curl_multi_setopt(curlm, CURLMOPT_NOTIFYFUNCTION, NULL); /* 8.17: refused before, and not set */
  while(m->first) {
    easy *e = m->first;

    easy_remove(e, curlm);
    multi_unlink(e);
  }
  __atomic_store_n(&m->ending, 1, __ATOMIC_SEQ_CST);
  while(__atomic_load_n(&m->wakers, __ATOMIC_SEQ_CST)) /* for a moment */
    sched_yield();
  curl_multi_cleanup(curlm);
  m->curlm = NULL;
  loop_free(m->loop);
  m->loop = NULL;
  free(m->results);
  m->results = NULL;
  m->results_count = m->results_room = 0;
  multi_leave(m);
  return CURLM_OK;
}

/* The backstop: nothing of Python is left to call. Another thread can be inside on behalf of an easy,
 * for a moment; one that was kept from leaving (easy_end) is not waited for. */
void multi_free(multi *m)
{
  double until = milliseconds_now() + 1000;

  while(m->curlm && !guard_forked(&m->inside) && guard_busy(&m->inside) && milliseconds_now() < until)
    sched_yield();
  m->inside.thread = NULL;
  m->inside.depth = 0;
  m->inside.shown = 0;
  m->failed = 1;
  multi_close(m);
  while(m->first) /* in a forked child, where nobody has taken them out */
    multi_unlink(m->first);
  free(m);
}

/* Something was gathered: it is delivered before control goes back to Python. */
void multi_note(easy *e)
{
  if(e->joined && !e->pending) {
    e->pending = 1;
    e->pending_next = e->joined->pending;
    e->joined->pending = e;
  }
}

/* Control goes back to Python. */
void multi_deliver(multi *m)
{
  while(m->pending) {
    easy *e = m->pending;

    m->pending = e->pending_next;
    e->pending = 0;
    ready(e);
  }
}

static int enter_both(multi *m, easy *e)
{
  int refusal = multi_enter(m);

  if(!refusal) {
    refusal = guard_enter(&e->inside);
    if(!refusal && (!e->curl || (e->curl == UNBORN && easy_bear(e)))) {
      guard_leave(&e->inside);
      refusal = HANDLE_CLOSED;
    }
    if(refusal)
      multi_leave(m);
  }
  return refusal;
}

static void leave_both(multi *m, easy *e)
{
  guard_leave(&e->inside);
  multi_leave(m);
}

/* curl_multi_add_handle. The private multi of the easy, and its connections, end here. */
static int add(multi *m, easy *e)
{
  int code;

  if(e->joined || easy_performs(e))
    return CURLM_ADDED_ALREADY;
  if(easy_plan_end(e))
    return CURLM_OUT_OF_MEMORY;
  easy_drop_steps(e);
  easy_size_buffers(e, BUFFERS_SMALL);
  code = easy_begin(e) ? CURLM_OUT_OF_MEMORY : curl_multi_add_handle(m->curlm, e->curl);
  if(!code && m->refused) {
    easy_remove(e, m->curlm);
    code = multi_refusal(m, code);
  }
  if(!code)
    multi_link(m, e);
  return code;
}

/* Where Python has noted it already: it may be driven, and closed, at once. */
int multi_add(multi *m, easy *e)
{
  int code = enter_both(m, e);

  if(!code) {
    code = add(m, e);
    leave_both(m, e);
  }
  return code;
}

/* Nobody drives, or closes the easy, until Python has noted it (multi_added). */
int multi_admit(multi *m, easy *e)
{
  int code = enter_both(m, e);

  if(code)
    return code;
  code = add(m, e);
  guard_leave(&e->inside);
  if(code)
    multi_leave(m);
  else
    guard_show(&m->inside);
  return code;
}

void multi_added(multi *m) { guard_shown(&m->inside); }

/* What Python has not heard of a transfer is void when its handle is removed, as libcurl's messages are. */
static void forget_results(multi *m, const easy *e)
{
  int64_t *to = m->results, *end = to + 3 * m->results_count;

  for(int64_t *at = to; at < end; at += 3)
    if(at[0] != (int64_t)e->id) {
      memmove(to, at, 3 * sizeof(*at));
      to += 3;
    }
  m->results_count = (int)(to - m->results) / 3;
}

/* curl_multi_remove_handle, which libcurl refuses in most callbacks. */
int multi_remove(multi *m, easy *e)
{
  int timer, code = enter_both(m, e);

  if(code)
    return code;
  code = e->joined == m ? easy_remove(e, m->curlm) : CURLM_BAD_EASY_HANDLE;
  ready(e);
  if(m->results_count && (!code || !e->joined))
    forget_results(m, e);
  if(!code) {
    multi_unlink(e);
    /* It is out, whatever callbacks say; pycurl's users hear of the timer's, as from libcurl. */
    timer = m->timer_refused;
    code = multi_refusal(m, code);
    if(!e->classic || !timer)
      code = CURLM_OK;
  }
  leave_both(m, e);
  return code;
}

/* An FTP transfer that is about to connect its data connection may wait for an event that never comes
 * (7.88.1; 8.14 not any more): where there is one, all transfers are looked at after every event. */
void multi_notice(multi *m, CURL *curl)
{
  static int stalls;
  long protocol = 0;

  if(!stalls) {
    unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;
    stalls = version >= 0x075700 && version < 0x080e00 ? 1 : -1;
  }
  if(stalls > 0 && !m->nudged && !curl_easy_getinfo(curl, CURLINFO_PROTOCOL, &protocol))
    m->nudged = (protocol & (CURLPROTO_FTP | CURLPROTO_FTPS)) != 0;
}

int multi_nudge(multi *m, int code, int *running)
{
  if(!m->nudged || code)
    return code;
  if(!m->first)
    m->nudged = 0;
  return curl_multi_socket_all(m->curlm, running);
}

#define INSIDE(m, call)                                                                            \
  do {                                                                                             \
    int code_ = multi_enter(m);                                                                    \
    if(!code_) {                                                                                   \
      code_ = multi_refusal(m, (call));                                                            \
      multi_deliver(m);                                                                            \
      multi_leave(m);                                                                              \
    }                                                                                              \
    return code_;                                                                                  \
  } while(0)

int multi_perform(multi *m, int *running) { INSIDE(m, (m->drives++, connected_perform(m->curlm, running))); }

int multi_poll(multi *m, struct curl_waitfd *extra, unsigned count, int milliseconds, int *ready)
{
  INSIDE(m, curl_multi_poll(m->curlm, extra, count, milliseconds, ready));
}

int multi_wait(multi *m, struct curl_waitfd *extra, unsigned count, int milliseconds, int *ready)
{
  INSIDE(m, curl_multi_wait(m->curlm, extra, count, milliseconds, ready));
}

/* For any thread, at any time: who closes the multi waits for those that are in here. */
int multi_wakeup(multi *m)
{
  int code = HANDLE_CLOSED;

  if(guard_forked(&m->inside))
    return m->curlm ? HANDLE_FORKED : HANDLE_CLOSED;
  __atomic_add_fetch(&m->wakers, 1, __ATOMIC_SEQ_CST);
  if(!__atomic_load_n(&m->ending, __ATOMIC_SEQ_CST)) {
    struct loop *l = __atomic_load_n(&m->loop, __ATOMIC_ACQUIRE);

    __atomic_store_n(&m->woken, 1, __ATOMIC_RELAXED);
    code = l ? loop_wakeup(l) : curl_multi_wakeup(m->curlm);
  }
  __atomic_sub_fetch(&m->wakers, 1, __ATOMIC_SEQ_CST);
  return code;
}

int multi_waitfds(multi *m, struct curl_waitfd *fds, unsigned room, unsigned *count)
{
  INSIDE(m, curl_multi_waitfds(m->curlm, fds, room, count));
}

int multi_timeout(multi *m, long *milliseconds)
{
  INSIDE(m, curl_multi_timeout(m->curlm, milliseconds));
}

/* curl_multi_fdset, without fd_set's limits showing: triples of 0, 1 or 2 (read, write, exception)
 * and a descriptor. Descriptors above FD_SETSIZE are left out by libcurl. */
int multi_fdset(multi *m, int *fds, int room, int *count)
{
  fd_set sets[3];
  int highest = -1, fd, kind, code = multi_enter(m);

  *count = 0;
  if(code)
    return code;
  for(kind = 0; kind < 3; kind++)
    FD_ZERO(&sets[kind]);
  code = curl_multi_fdset(m->curlm, &sets[0], &sets[1], &sets[2], &highest);
  for(kind = 0; kind < 3; kind++)
    for(fd = 0; fd <= highest && fd < FD_SETSIZE && *count + 2 <= room; fd++)
      if(FD_ISSET(fd, &sets[kind])) {
        fds[(*count)++] = kind;
        fds[(*count)++] = fd;
      }
  multi_leave(m);
  return code;
}

int multi_socket_action(multi *m, curl_socket_t fd, int events, int *running)
{
  INSIDE(m, (m->drives++,
             multi_nudge(m, connected_action(m->curlm, fd, events, running), running)));
}

/* Whether libcurl knows the descriptor; what is assigned to it stays in Python. */
int multi_assign(multi *m, curl_socket_t fd, int present)
{
  INSIDE(m, curl_multi_assign(m->curlm, fd, present ? m : NULL));
}

int multi_set_number(multi *m, CURLMoption option, int64_t value)
{
  INSIDE(m, (int)option >= CURLOPTTYPE_OFF_T
              ? curl_multi_setopt(m->curlm, option, (curl_off_t)value)
              : curl_multi_setopt(m->curlm, option, (long)value));
}

int multi_set_list(multi *m, CURLMoption option, char **list)
{
  INSIDE(m, curl_multi_setopt(m->curlm, option, list));
}

int multi_get_offt(multi *m, CURLMinfo_offt info, curl_off_t *value)
{
  INSIDE(m, curl_multi_get_offt(m->curlm, info, value));
}

int multi_notify(multi *m, unsigned notification, int enable)
{
  INSIDE(m, enable ? curl_multi_notify_enable(m->curlm, notification)
                   : curl_multi_notify_disable(m->curlm, notification));
}

/* Collect what has finished into m->results, where it stays until Python says that it has it; optionally
 * take it out of the multi. */
int multi_results(multi *m, int remove)
{
  CURLMsg *message;
  int queued;

  while((message = curl_multi_info_read(m->curlm, &queued)) != NULL) {
    easy *e = easy_of(message->easy_handle);
    CURLcode result = message->data.result;
    int64_t *slot;

    if(message->msg != CURLMSG_DONE || !e)
      continue;
    e->ended = 1;
    if(!result && e->closing)
      result = CURLE_ABORTED_BY_CALLBACK;
    if(!ready(e) && e->refused && !result)
      result = CURLE_WRITE_ERROR;
    if(m->results_count == m->results_room) {
      int room = m->results_room ? 2 * m->results_room : 16;
      int64_t *larger = realloc(m->results, 3 * (size_t)room * sizeof(*larger));

      if(!larger)
        return CURLM_OUT_OF_MEMORY;
      m->results = larger;
      m->results_room = room;
    }
    slot = m->results + 3 * m->results_count++;
    slot[0] = (int64_t)e->id;
    slot[1] = result;
    slot[2] = !result && !e->stopped && !e->attention && e->first && e->body.data == e->first
                ? (int64_t)e->body.size : -1;
    if(remove) {
      easy_remove(e, m->curlm);
      multi_unlink(e);
    }
  }
  return CURLM_OK;
}

/* curl_multi_info_read, all of it; nothing is taken out of the multi. */
int multi_info_read(multi *m)
{
  int code = multi_enter(m);

  if(code)
    return code;
  code = multi_results(m, 0);
  multi_show_results(m, code);
  return code;
}

/* Leave, unless there is something that Python has yet to take. */
void multi_show_results(multi *m, int code)
{
  if(!code && m->results_count)
    guard_show(&m->inside);
  else
    multi_leave(m);
}

/* Python has them. */
void multi_results_taken(multi *m)
{
  if(!guard_elsewhere(&m->inside)) {
    m->results_count = 0;
    guard_shown(&m->inside);
  }
}
