/* What the classic face asks for most, each in one call that Python needs no memory for.
 *
 * A multi's answer is a number; or, where Python has to look at what callbacks have left for it, -1 minus
 * the number; or NO_NUMBER and libcurl's code or a refusal. */
#include "internal.h"

#include <poll.h>

/* A classic multi is not used in callbacks of its own. */
static int idle(multi *m)
{
  guard_shown(&m->inside); /* an interrupt has kept Python from saying so */
  return guard_elsewhere(&m->inside);
}

/* Whether anybody is inside. */
int multi_in_use(multi *m)
{
  guard_shown(&m->inside);
  return m->inside.depth != 0;
}

static int64_t told(multi *m, int code, int64_t number)
{
  return code ? NO_NUMBER + code : m->failed || m->halted ? -1 - number : number;
}

/* easy_set_callback, and whether what the write callback is given may be gathered. */
int easy_call_back(easy *e, int option, int gathers)
{
  int code = easy_set_callback(e, option, 1);

  if(!code && option == CURLOPT_WRITEFUNCTION)
    e->gathers = gathers != 0;
  return code;
}

/* multi_admit and multi_remove: the easy's id. */
int64_t multi_take_in(multi *m, easy *e)
{
  return told(m, idle(m) ? multi_admit(m, e) : HANDLE_PERFORMING, (int64_t)e->id);
}

int64_t multi_let_go(multi *m, easy *e)
{
  return told(m, idle(m) ? multi_remove(m, e) : HANDLE_PERFORMING, (int64_t)e->id);
}

/* multi_info_read: how many results there are. */
int64_t multi_finished(multi *m)
{
  int code = multi_info_read(m);

  return code ? NO_NUMBER + code : m->results_count;
}

/* multi_perform: how many transfers still run. */
int64_t multi_drive(multi *m)
{
  int running = 0;
  int code = idle(m) ? multi_perform(m, &running) : HANDLE_PERFORMING;

  return told(m, code, running);
}

/* multi_socket_action: the same. */
int64_t multi_act(multi *m, int fd, int events)
{
  int running = 0;
  int code = idle(m) ? multi_socket_action(m, fd, events, &running) : HANDLE_PERFORMING;

  return told(m, code, running);
}

/* multi_timeout: the milliseconds, or -1 for no such time. */
int64_t multi_due(multi *m)
{
  long milliseconds = -1;
  int code = idle(m) ? multi_timeout(m, &milliseconds) : HANDLE_PERFORMING;

  return code ? NO_NUMBER + code : milliseconds;
}

/* What there is to wait for, one descriptor or more for each easy, and when libcurl's timer is due; 0 where
 * that is not known: libcurl does not tell of descriptors above FD_SETSIZE, and of some transfers there
 * are none. */
static int descriptors(multi *m, struct pollfd fds[FD_SETSIZE], long *due)
{
  static const short events[] = { POLLIN, POLLOUT, POLLPRI };
  fd_set sets[3];
  int kind, fd, highest = -1, count = 0, easies = 0;
  const easy *e;

  if(multi_enter(m))
    return 0;
  for(kind = 0; kind < 3; kind++)
    FD_ZERO(&sets[kind]);
  if(curl_multi_fdset(m->curlm, &sets[0], &sets[1], &sets[2], &highest) ||
     curl_multi_timeout(m->curlm, due))
    highest = -1;
  for(fd = 0; fd <= highest && fd < FD_SETSIZE; fd++) {
    fds[count].fd = fd;
    fds[count].events = 0;
    for(kind = 0; kind < 3; kind++)
      if(FD_ISSET(fd, &sets[kind]))
        fds[count].events |= events[kind];
    count += fds[count].events != 0;
  }
  for(e = m->first; e; e = e->next)
    easies++;
  multi_leave(m);
  return count < easies ? 0 : count;
}

/* As pycurl waits, with nobody inside: other threads may add handles meanwhile. Until the timer is due: who
 * does not drive the multi then has been told once. */
static int64_t wait_outside(multi *m, struct pollfd *fds, int count, int milliseconds, long due)
{
  int timer = due >= 0 && due < milliseconds && !(due == 0 && m->told == m->drives);
  int ready = poll(fds, (nfds_t)count, timer ? (int)due : milliseconds);

  if(ready > 0)
    return ready;
  if(!timer || ready)
    return TIME_PASSED; /* or a signal came, which Python is to hear of */
  m->told = m->drives;
  return 0;
}

/* multi_wait or multi_poll: how many descriptors are ready; TIME_PASSED when the time has passed without
 * any; 0 when there was nothing to wait for so long. */
int64_t multi_wait_slice(multi *m, int milliseconds, int polls)
{
  struct pollfd fds[FD_SETSIZE];
  double until = milliseconds_now() + milliseconds - 1;
  int ready = 0, passed, code;
  long due = -1;
  int count = !polls && idle(m) ? descriptors(m, fds, &due) : 0;

  if(count)
    return wait_outside(m, fds, count, milliseconds, due);
  code = !idle(m) ? HANDLE_PERFORMING
         : polls ? multi_poll(m, NULL, 0, milliseconds, &ready)
                 : multi_wait(m, NULL, 0, milliseconds, &ready);

  passed = !m->woken && milliseconds_now() >= until;
  m->woken = 0;
  return told(m, code, ready || !passed ? ready : TIME_PASSED);
}
