/* One thread at a time inside a handle, and none in a forked child.
 *
 * An easy that was added to a multi is used by whoever drives the multi: entering it enters the
 * multi too. Joining and leaving a multi happen inside the easy, so `joined` holds still meanwhile. */
#include "internal.h"

#include <pthread.h>

/* Tells threads apart, for less than a variable of the thread's own. */
static inline void *this_thread(void) { return (void *)pthread_self(); }

/* How many forks this process is away from the one that loaded the library. */
static unsigned generation;

/* Around what all handles have in common, for moments. A fork waits for it: a child would wait forever
 * for a thread that it does not have. */
static pthread_mutex_t common = PTHREAD_MUTEX_INITIALIZER;

void common_lock(void) { pthread_mutex_lock(&common); }

void common_unlock(void) { pthread_mutex_unlock(&common); }

static void forked(void)
{
  generation++;
  steps_forked();
  sockets_forked();
  common_unlock();
}

/* From the start: a fork may come while another thread makes the first handle. */
__attribute__((constructor)) static void watch_forks(void)
{
  pthread_atfork(common_lock, common_unlock, forked);
}

/* libcurl's global state: made at the first handle, never cleaned up. A fork waits until it is made, for
 * libcurl has a lock of its own there, which nobody would release in the child. */
int library_init(void)
{
  static _Bool done;
  static CURLcode initialized;

  if(!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
    common_lock();
    if(!done) {
      initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
      __atomic_store_n(&done, 1, __ATOMIC_RELEASE);
    }
    common_unlock();
  }
  return (int)initialized;
}

void guard_init(guard *inside) { inside->generation = generation; }

int guard_forked(const guard *inside) { return inside->generation != generation; }

int guard_enter(guard *inside)
{
  void *nobody = NULL;

  if(inside->generation != generation)
    return HANDLE_FORKED;
  if(__atomic_load_n(&inside->thread, __ATOMIC_RELAXED) != this_thread() &&
     !__atomic_compare_exchange_n(&inside->thread, &nobody, this_thread(), 0, __ATOMIC_ACQUIRE,
                                  __ATOMIC_RELAXED))
    return HANDLE_BUSY;
  inside->depth++;
  guard_shown(inside);
  return 0;
}

/* Stay inside, in place of guard_leave: Python looks at what was found, and nobody else finds anything
 * until guard_shown. Where that is interrupted, until this thread comes again. */
void guard_show(guard *inside) { inside->shown = 1; }

void guard_shown(guard *inside)
{
  if(inside->shown && !guard_elsewhere(inside)) {
    inside->shown = 0;
    guard_leave(inside);
  }
}

/* Whether this thread is not inside: another may be, or none. */
int guard_elsewhere(const guard *inside)
{
  return __atomic_load_n(&inside->thread, __ATOMIC_RELAXED) != this_thread();
}

/* Whether this thread is. */
int easy_inside(const easy *e) { return !guard_elsewhere(&e->inside); }

/* Whether another thread is inside, and at work. */
int guard_busy(const guard *inside)
{
  return __atomic_load_n(&inside->thread, __ATOMIC_ACQUIRE) && guard_elsewhere(inside) && !inside->shown;
}

void guard_leave(guard *inside)
{
  if(--inside->depth == 0)
    __atomic_store_n(&inside->thread, NULL, __ATOMIC_RELEASE);
}

/* What was put off (plan.c) stays put off. */
int easy_enter_as_it_is(easy *e)
{
  int refusal = guard_enter(&e->inside);

  if(refusal)
    return refusal;
  if(!e->curl || (e->curl == UNBORN && easy_bear(e)))
    refusal = HANDLE_CLOSED;
  else if(e->joined)
    refusal = guard_enter(&e->joined->inside);
  if(refusal)
    guard_leave(&e->inside);
  return refusal;
}

/* Also from callbacks of its own. */
int easy_enter_again(easy *e)
{
  int refusal = easy_enter_as_it_is(e);

  if(!refusal && e->stage && (refusal = easy_plan_end(e)) != 0)
    easy_leave(e);
  return refusal;
}

/* A classic handle is not used while it performs, or the multi that it is in. */
static int refuse_classic(easy *e)
{
  if(!e->classic ||
     !(e->performing || (e->joined && e->joined->inside.depth > e->inside.depth)))
    return 0;
  easy_leave(e);
  return HANDLE_PERFORMING;
}

int easy_enter(easy *e)
{
  int refusal = easy_enter_again(e);

  return refusal ? refusal : refuse_classic(e);
}

/* For what changes nothing. */
int easy_enter_to_look(easy *e)
{
  int refusal = easy_enter_as_it_is(e);

  if(!refusal && (refusal = easy_plan_look(e)) != 0)
    easy_leave(e);
  return refusal ? refusal : refuse_classic(e);
}

/* For a transfer. */
int easy_enter_to_perform(easy *e)
{
  int refusal = e->classic ? easy_enter(e) : easy_enter_as_it_is(e);

  if(!refusal && !easy_performs(e) && e->stage && (refusal = easy_plan_begin(e)) != 0)
    easy_leave(e);
  return refusal;
}

/* Whether it could be entered. */
int easy_idle(easy *e)
{
  int refusal = easy_enter(e);

  if(!refusal)
    easy_leave(e);
  return refusal;
}

void easy_leave(easy *e)
{
  if(e->joined)
    guard_leave(&e->joined->inside);
  guard_leave(&e->inside);
}

/* How deep this thread is inside. */
int easy_depth(easy *e) { return guard_elsewhere(&e->inside) ? 0 : e->inside.depth; }

/* Leave, if this thread has entered since: an interrupt can come before Python has heard that it has. */
void easy_leave_to(easy *e, int depth)
{
  while(!guard_elsewhere(&e->inside) && e->inside.depth > depth)
    easy_leave(e);
}
