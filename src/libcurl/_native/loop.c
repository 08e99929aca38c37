/* A multi as one descriptor: libcurl says through its socket and timer callbacks what it waits for, and
 * an epoll instance gathers that, with a timerfd for libcurl's timer and an eventfd for wakeup in it.
 *
 * Where there is no epoll, multi_step does the same with libcurl's own poll, and there is no descriptor. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define EVENTS_MOST 64

#ifdef __linux__
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#define NEVER (-1.0)

struct loop {
  int epoll;
  int wakeup;      /* an eventfd */
  int timer;       /* a timerfd, made when the descriptor is asked for; -1 before */
  double deadline; /* when libcurl's timer is due, in milliseconds of the monotonic clock */
  double armed;    /* what the timerfd is set to, until it has been heard */
  _Bool rung;      /* the eventfd is readable: a step comes in any case */
  _Bool stepping;  /* inside multi_step, which sees to the deadline when it ends */
};

static void ring(struct loop *l)
{
  if(!l->rung && !eventfd_write(l->wakeup, 1))
    l->rung = 1;
}

/* The descriptor becomes readable when libcurl's timer is due. Most deadlines are "now", and the eventfd
 * costs the kernel a fraction of what a timer does, which is set for an earlier deadline only: a later
 * one than it is set to is one idle step. */
static void arm(struct loop *l)
{
  struct itimerspec when = { 0 };

  if(l->timer < 0 || l->deadline < 0 || l->rung)
    return;
  if(l->deadline <= milliseconds_now()) {
    ring(l);
    return;
  }
  if(l->armed >= 0 && l->armed <= l->deadline)
    return;
  when.it_value.tv_sec = (time_t)(l->deadline / 1e3);
  when.it_value.tv_nsec = (long)((l->deadline - 1e3 * (double)when.it_value.tv_sec) * 1e6);
  timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &when, NULL);
  l->armed = l->deadline;
}

static int on_timer(CURLM *curlm, long milliseconds, void *p)
{
  struct loop *l = ((multi *)p)->loop;

  (void)curlm;
  l->deadline = milliseconds < 0 ? NEVER : milliseconds_now() + (double)milliseconds;
  if(!l->stepping)
    arm(l);
  return 0;
}

static int watch(struct loop *l, int how, int fd, int what)
{
  struct epoll_event event = { 0 };

  event.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
  event.data.fd = fd;
  return epoll_ctl(l->epoll, how, fd, &event);
}

/* A descriptor that libcurl has told of before is marked by curl_multi_assign. The kernel may know
 * better: a number can have been closed and used again unseen. */
static int on_socket(CURL *curl, curl_socket_t fd, int what, void *p, void *known)
{
  multi *m = p;
  struct loop *l = m->loop;
  int failed;

  if(guard_forked(&m->inside)) /* in a callback: the epoll instance is the parent's too */
    return 0;
  connected_swap();
  if(what == CURL_POLL_REMOVE) {
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
    return 0;
  }
  multi_notice(m, curl);
  failed = watch(l, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, what);
  if(failed && errno == EEXIST)
    failed = watch(l, EPOLL_CTL_MOD, fd, what);
  else if(failed && errno == ENOENT)
    failed = watch(l, EPOLL_CTL_ADD, fd, what);
  if(!known)
    curl_multi_assign(m->curlm, fd, m);
  if(failed)
    m->refused = 1;
  return 0;
}

void loop_free(struct loop *l)
{
  if(l) {
    if(l->timer >= 0)
      close(l->timer);
    if(l->wakeup >= 0)
      close(l->wakeup);
    if(l->epoll >= 0)
      close(l->epoll);
    free(l);
  }
}

int loop_wakeup(struct loop *l)
{
  return eventfd_write(l->wakeup, 1) ? CURLM_WAKEUP_FAILURE : CURLM_OK;
}

/* From here on the multi is driven by its descriptor. */
static int loop_start(multi *m)
{
  struct loop *l;

  if(m->loop)
    return CURLM_OK;
  l = calloc(1, sizeof(*l));
  if(!l)
    return CURLM_OUT_OF_MEMORY;
  l->timer = -1;
  l->deadline = m->first ? milliseconds_now() : NEVER; /* what was added before has yet to begin */
  l->armed = NEVER;
  l->epoll = epoll_create1(EPOLL_CLOEXEC);
  l->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if(l->epoll < 0 || l->wakeup < 0 || watch(l, EPOLL_CTL_ADD, l->wakeup, CURL_POLL_IN)) {
    loop_free(l);
    return CURLM_OUT_OF_MEMORY;
  }
  __atomic_store_n(&m->loop, l, __ATOMIC_RELEASE);
  curl_multi_setopt(m->curlm, CURLMOPT_SOCKETDATA, m);
  curl_multi_setopt(m->curlm, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(m->curlm, CURLMOPT_TIMERDATA, m);
  curl_multi_setopt(m->curlm, CURLMOPT_TIMERFUNCTION, on_timer);
  return CURLM_OK;
}

static int timer_start(struct loop *l)
{
  if(l->timer >= 0)
    return CURLM_OK;
  l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if(l->timer < 0 || watch(l, EPOLL_CTL_ADD, l->timer, CURL_POLL_IN))
    return CURLM_OUT_OF_MEMORY;
  arm(l);
  return CURLM_OK;
}

/* The descriptor that is readable when multi_step has something to do. Below -1: a refusal, or minus
 * a CURLMcode minus 100. -1: not to be had here. */
int multi_fileno(multi *m)
{
  int fd, code = multi_enter(m);

  if(code)
    return code - 100;
  if(m->portable)
    fd = -1;
  else {
    code = loop_start(m);
    if(!code)
      code = timer_start(m->loop);
    fd = code ? -100 - code : m->loop->epoll;
  }
  multi_leave(m);
  return fd;
}

/* What is ready now, or within `milliseconds`, and libcurl's timer. Answers how many events there were,
 * -1 where the wait was interrupted. */
static int turn(multi *m, double until, int *code)
{
  struct loop *l = m->loop;
  struct epoll_event events[EVENTS_MOST];
  double wake = l->deadline >= 0 && l->deadline < until ? l->deadline : until;
  double left = wake - milliseconds_now();
  int count, i, running, timed = 0;

  count = epoll_wait(l->epoll, events, EVENTS_MOST, left > 0 ? (int)left + 1 : 0);
  for(i = 0; i < count && !*code; i++) {
    int fd = events[i].data.fd, what = 0;
    eventfd_t times;

    if(fd == l->timer || fd == l->wakeup) {
      eventfd_read(fd, &times);
      if(fd == l->timer)
        l->armed = NEVER;
      else
        l->rung = 0;
      continue;
    }
    if(events[i].events & EPOLLIN)
      what |= CURL_CSELECT_IN;
    if(events[i].events & EPOLLOUT)
      what |= CURL_CSELECT_OUT;
    if(events[i].events & (EPOLLERR | EPOLLHUP))
      what |= CURL_CSELECT_ERR;
    *code = connected_action(m->curlm, fd, what, &running);
  }
  if(!*code && l->deadline >= 0 && l->deadline <= milliseconds_now()) {
    l->deadline = NEVER;
    timed = 1;
    *code = connected_action(m->curlm, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  if(count > 0 || timed)
    *code = multi_nudge(m, *code, &running);
  return count;
}
#else
void loop_free(struct loop *l) { free(l); }
int loop_wakeup(struct loop *l) { return l ? CURLM_WAKEUP_FAILURE : CURLM_OK; }
int multi_fileno(multi *m)
{
  (void)m;
  return -1;
}
#endif

/* The same on libcurl's own poll, where a wait that was cut short cannot be told from an idle one. */
static int portable_turn(multi *m, double until, int *code)
{
  double left = until - milliseconds_now();
  int running, ready = 1;

  if(left > 0)
    *code = curl_multi_poll(m->curlm, NULL, 0, (int)left + 1, &ready);
  if(!*code)
    *code = connected_perform(m->curlm, &running);
  return ready ? ready : -1;
}

static int any_turn(multi *m, double until, int *code)
{
#ifdef __linux__
  if(!m->portable)
    return turn(m, until, code);
#endif
  return portable_turn(m, until, code);
}

static int step_begins(multi *m)
{
  int code = CURLM_OK;

#ifdef __linux__
  if(!m->portable) {
    code = loop_start(m);
    if(!code)
      m->loop->stepping = 1;
  }
#endif
  return code;
}

static void step_ends(multi *m)
{
#ifdef __linux__
  if(m->loop) {
    m->loop->stepping = 0;
    arm(m->loop);
  }
#endif
}

/* Do what there is to do, waiting up to `milliseconds` for something to finish; with 0, what is ready
 * now. What has finished is in m->results, and out of the multi. Finished transfers are looked for
 * before every wait: one that ended while others' data was buffered would stall them all. A multi
 * without transfers has wakeups to hear, and connections to shut down. */
int multi_step(multi *m, int milliseconds)
{
  double until = milliseconds_now() + milliseconds;
  int count, code = multi_enter(m);

  if(code)
    return code;
  if(m->inside.depth > 1) {
    multi_leave(m);
    return CURLM_RECURSIVE_API_CALL;
  }
  m->drives++;
  code = step_begins(m);
  if(!code)
    code = multi_results(m, 1);
  while(!code && !m->results_count && !m->failed && !m->halted) {
    count = any_turn(m, m->first ? until : 0, &code);
    if(!code)
      code = multi_results(m, 1);
    /* A signal, or all of what was ready, or the time is over. */
    if(count < 0 || !m->first || (!milliseconds && count < EVENTS_MOST) || milliseconds_now() > until)
      break;
  }
  step_ends(m);
  code = multi_refusal(m, code);
  multi_deliver(m);
  multi_show_results(m, code);
  return code;
}
