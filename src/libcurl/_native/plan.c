/* A reset and the same options again, before every request: what does not change is not done twice.
 *
 * The plan is what was set in one call and may be set again. Where a handle has been reset and then
 * given its plan and nothing else, the next reset is put off; the plan after it, too; and the transfer
 * after that begins with what is there already. Whoever comes in otherwise (guard.c) finds both done.
 *
 * A reset clears more than options: counted retries, what was learnt of authentication, the referer of
 * a redirection, infos. So it is put off only where a single transfer, which left none of that, has
 * been made since the last one, and where the options are nothing but values (options.py says which). */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum {
  UNKNOWN,     /* anything may be set */
  FRESH,       /* nothing: there was a reset */
  PLANNED,     /* the plan, and nothing else */
  USED,        /* the same, and one transfer was begun since */
  RESET_LATER, /* the same, but that should be reset */
  AGAIN_LATER  /* and then be given its plan */
};

struct plan {
  int count;
  const char *texts;
  int64_t settings[];
};

void easy_freshly_reset(easy *e) { e->stage = FRESH; }

static int keep_to(easy *e)
{
  int fresh = e->stage == FRESH;
  int code = easy_set_all(e, e->plan->settings, e->plan->count, e->plan->texts);

  e->stage = fresh && !code ? PLANNED : UNKNOWN;
  return code % SET_BEFORE;
}

static int catch_up(easy *e)
{
  int again = e->stage == AGAIN_LATER;
  int code = 0;

  if(e->stage >= RESET_LATER)
    code = easy_reset_now(e);
  return code || !again ? code : keep_to(e);
}

/* For those who look at the handle only. */
int easy_plan_look(easy *e) { return e->stage >= RESET_LATER ? catch_up(e) : 0; }

/* For those who may change it. */
int easy_plan_end(easy *e)
{
  int code = catch_up(e);

  e->stage = UNKNOWN;
  return code;
}

/* For a transfer. */
int easy_plan_begin(easy *e)
{
  if(e->stage != PLANNED && e->stage != AGAIN_LATER)
    return easy_plan_end(e);
  e->stage = USED;
  return 0;
}

void easy_plan_failed(easy *e) { e->stage = UNKNOWN; }

static int is(easy *e, CURLINFO info, long wanted)
{
  long number = -1;

  return !curl_easy_getinfo(e->curl, info, &number) && number == wanted;
}

/* Whether the last transfer has left nothing behind that a reset would clear. Of authentication there is
 * nothing to learn: without options that choose another, it is Basic, which is sent at once or refused. */
static int plain_transfer(easy *e)
{
  return is(e, CURLINFO_RESPONSE_CODE, 200) && is(e, CURLINFO_NUM_CONNECTS, 0) &&
         is(e, CURLINFO_REDIRECT_COUNT, 0);
}

/* Answers 0 where the reset could be put off: everything else is up to easy_reset. */
int easy_reset_later(easy *e)
{
  int code = easy_enter_as_it_is(e);

  if(code)
    return code;
  code = e->joined || e->performing ||
         !(e->stage >= RESET_LATER || (e->stage == USED && plain_transfer(e)));
  if(!code)
    e->stage = RESET_LATER;
  easy_leave(e);
  return code;
}

/* What was set by easy_set_many is the plan: easy_set_again will set it. None is made in a callback: what
 * libcurl has to say of a value may go to the debug callback, in the middle of a plan. */
int easy_plan(easy *e, const int64_t *settings, int count, const char *texts, size_t size)
{
  size_t room = (size_t)count * 2 * sizeof(*settings);
  struct plan *plan;
  int code = easy_enter(e);

  if(code)
    return code;
  plan = e->inside.depth > 1 ? NULL : malloc(sizeof(*plan) + room + size);
  code = CURLE_OUT_OF_MEMORY;
  if(plan) {
    plan->count = count;
    plan->texts = (char *)plan->settings + room;
    memcpy(plan->settings, settings, room);
    memcpy((char *)plan->settings + room, texts, size);
    free(e->plan);
    e->plan = plan;
    code = 0;
  }
  easy_leave(e);
  return code;
}

/* Set what was planned. */
int easy_set_again(easy *e)
{
  int code = easy_enter_as_it_is(e);

  if(code)
    return code;
  if(e->stage >= RESET_LATER)
    e->stage = AGAIN_LATER;
  else
    code = e->plan ? keep_to(e) : CURLE_FAILED_INIT;
  easy_leave(e);
  return code;
}
