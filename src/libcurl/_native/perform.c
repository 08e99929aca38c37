/* A transfer of an easy handle by itself: begun, stepped and ended. */
#include "internal.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define BULK_BUFFER (512L << 10)
#define UPLOAD_BUFFER (64L << 10) /* libcurl's default */

static CURLcode from_multi(CURLMcode code)
{
  switch(code) {
  case CURLM_OK:
    return CURLE_OK;
  case CURLM_OUT_OF_MEMORY:
    return CURLE_OUT_OF_MEMORY;
  case CURLM_RECURSIVE_API_CALL:
    return CURLE_RECURSIVE_API_CALL;
  case CURLM_ADDED_ALREADY:
    return CURLE_FAILED_INIT;
  default:
    return CURLE_BAD_FUNCTION_ARGUMENT;
  }
}

/* libcurl says there what went wrong. */
CURLcode easy_clear_error(easy *e)
{
  if(!e->error) {
    e->error = malloc(CURL_ERROR_SIZE);
    if(!e->error)
      return CURLE_OUT_OF_MEMORY;
    curl_easy_setopt(e->curl, CURLOPT_ERRORBUFFER, e->error);
  }
  e->error[0] = 0;
  return CURLE_OK;
}

/* Before any transfer: nothing of the last one is left. */
int easy_begin(easy *e)
{
  if(easy_clear_error(e))
    return CURLE_OUT_OF_MEMORY;
  sinks_begin(e);
  e->stopped = e->fresh = e->refusing = 0;
  e->transfers++;
  kept_purge(&e->kept);
  return CURLE_OK;
}

void easy_size_buffers(easy *e, enum buffers size)
{
  if(e->buffers == BUFFERS_CHOSEN || e->buffers == size)
    return;
  curl_easy_setopt(e->curl, CURLOPT_BUFFERSIZE,
                   size == BUFFERS_LARGE ? BULK_BUFFER : (long)CURL_MAX_WRITE_SIZE);
  curl_easy_setopt(e->curl, CURLOPT_UPLOAD_BUFFERSIZE,
                   size == BUFFERS_LARGE ? BULK_BUFFER : UPLOAD_BUFFER);
  e->buffers = size;
}

/* Begin a transfer in the private multi, as curl_easy_perform does in one of its own. */
static CURLcode begin(easy *e, enum buffers size)
{
  if(e->joined)
    return CURLE_FAILED_INIT;
  if(easy_begin(e))
    return CURLE_OUT_OF_MEMORY;
  if(e->steps)
    e->leaves_more = 1;
  else if(easy_take_steps(e))
    return CURLE_OUT_OF_MEMORY;
  easy_detach(e);
  easy_size_buffers(e, size);
  if(e->maxconnects_changed) {
    curl_multi_setopt(e->steps, CURLMOPT_MAXCONNECTS, (long)e->maxconnects);
    e->maxconnects_changed = 0;
    e->leaves_more = 1;
  }
  e->attached = 1;
  return from_multi(curl_multi_add_handle(e->steps, e->curl));
}

/* Control goes back to Python, which hears first of all that was gathered. */
static int slice_ends(easy *e, CURLcode *result)
{
  if(ready(e))
    return HANDLE_RUNNING;
  *result = e->refused ? CURLE_WRITE_ERROR : CURLE_ABORTED_BY_CALLBACK;
  return 0;
}

/* Whether it has not got as far as its request. A connection to this very machine is made at once: to
 * look again costs less than to wait for it. */
static _Bool connects(easy *e)
{
  curl_off_t pretransfer = 0;

  return !curl_easy_getinfo(e->curl, CURLINFO_PRETRANSFER_TIME_T, &pretransfer) && !pretransfer;
}

/* Nobody wakes a private multi, so its wakeup socket need not be watched, as curl_multi_poll does. But
 * only that waits where there is no socket yet. Either ends early for a signal. */
static CURLMcode wait_until(double until, CURLM *steps, int *active)
{
  double left = until - milliseconds_now();
  CURLMcode code;

  errno = 0;
  code = curl_multi_wait(steps, NULL, 0, (int)left + 1, active);
  if(code || *active || errno == EINTR || (left = until - milliseconds_now()) <= 0)
    return code;
  return curl_multi_poll(steps, NULL, 0, (int)left + 1, active);
}

/* Step the transfer until it ends or `milliseconds` have passed (answering HANDLE_RUNNING), or the
 * wait was cut short, perhaps by a signal that Python wants to hear of. */
static int step(easy *e, int milliseconds, CURLcode *result)
{
  double until = 0;
  int running = 0, active, queued;
  _Bool looked = 0;
  CURLMsg *message;

  for(;;) {
    CURLMcode code = connected_perform(e->steps, &running);

    e->leaves_more |= running > 1; /* DNS over HTTPS */
    if(!code && e->stopped) {
      *result = CURLE_ABORTED_BY_CALLBACK;
      return 0;
    }
    if(!code && !running)
      break;
    if(!code && !looked) {
      looked = 1;
      if(connects(e))
        continue;
    }
    if(!until)
      until = milliseconds_now() + milliseconds;
    if(!code && (milliseconds_now() >= until || (e->streams && e->body.size)))
      return slice_ends(e, result);
    if(!code)
      code = wait_until(until, e->steps, &active);
    if(code) {
      *result = from_multi(code);
      return 0;
    }
    if(!active)
      return slice_ends(e, result);
  }
  message = curl_multi_info_read(e->steps, &queued);
  *result = message ? message->data.result : CURLE_FAILED_INIT;
  if(*result)
    ready(e); /* what came before the failure */
  else
    slice_ends(e, result);
  return 0;
}

/* After a transfer; still inside. */
static int end(easy *e, CURLcode result)
{
  if(e->collects)
    collect_no_more(e);
  /* As long as the handle is attached, libcurl finds its connection: for ACTIVESOCKET, upkeep, send. */
  if(result) {
    easy_detach(e);
    easy_plan_failed(e);
  }
  if(!result && e->closing)
    result = CURLE_ABORTED_BY_CALLBACK;
  if(!result)
    e->error[0] = 0; /* of an address that failed before another one worked */
  e->performing = e->stopped = 0;
  if(e->streams)
    e->streams = e->limited = 0;
  return (int)result;
}

static int finish(easy *e, CURLcode result)
{
  int code = end(e, result);

  easy_leave(e);
  return code;
}

static int start(easy *e, int collects, enum buffers size)
{
  CURLcode result;
  int refusal = easy_enter_to_perform(e);

  if(refusal)
    return refusal;
  if(easy_performs(e)) {
    easy_leave(e);
    return CURLE_RECURSIVE_API_CALL;
  }
  e->performing = 1;
  result = collects ? collect_instead(e) : CURLE_OK;
  if(!result)
    result = begin(e, size);
  return result ? finish(e, result) : 0;
}

/* A transfer, in slices of at most `milliseconds`: HANDLE_RUNNING means easy_continue, at once, from
 * the same thread. Meanwhile the handle stays entered. */
int easy_perform(easy *e, int milliseconds)
{
  int code = start(e, 0, BUFFERS_LARGE);

  return code ? code : easy_continue(e, milliseconds);
}

int easy_continue(easy *e, int milliseconds)
{
  CURLcode result;
  int running = step(e, milliseconds, &result);

  return running ? running : finish(e, result);
}

/* The same for a body that is taken in pieces: HANDLE_RUNNING may mean that there is one. Between the
 * pieces nobody is inside, and any thread may go on (easy_stream_on). The buffers are small: libcurl
 * decodes all of one even where the transfer is paused, and that may be a thousand times its size. */
int easy_stream(easy *e, int milliseconds)
{
  int code = start(e, 0, BUFFERS_SMALL);

  if(code)
    return code;
  e->streams = 1;
  e->limited = 1;
  code = easy_continue(e, milliseconds);
  if(code == HANDLE_RUNNING)
    easy_leave(e);
  return code;
}

int easy_stream_on(easy *e, int milliseconds)
{
  int code = easy_enter(e);

  if(code)
    return code;
  if(!e->performing) {
    easy_leave(e);
    return CURLE_ABORTED_BY_CALLBACK;
  }
  if(e->paused) {
    e->paused = 0;
    code = curl_easy_pause(e->curl, CURLPAUSE_CONT);
  }
  if(code)
    code = finish(e, (CURLcode)code);
  else if(e->paused) /* again: what libcurl had decoded was more than a piece. 8.14 would receive more */
    code = HANDLE_RUNNING;
  else
    code = easy_continue(e, milliseconds);
  if(code == HANDLE_RUNNING)
    easy_leave(e);
  return code;
}

/* A transfer whose body Python wants: HANDLE_RUNNING means easy_fetch_on, as with easy_perform. One that has
 * succeeded is not over before easy_fetched: the body is this transfer's, whatever other threads do, or a
 * signal handler before Python has looked at it. The answer is the size of a body at e->first, where there is
 * nothing else to do than to look there; else NO_SIZE and the answer of easy_perform. The body of a classic
 * handle is collected for this once. */
int64_t easy_fetch(easy *e)
{
  int code = start(e, e->classic, BUFFERS_LARGE);

  return code ? NO_SIZE + code : easy_fetch_on(e);
}

int64_t easy_fetch_on(easy *e)
{
  CURLcode result;
  int code = step(e, SLICE, &result);

  if(!code && (code = end(e, result)) == 0) {
    e->performing = FETCHED;
    return !e->attention && e->body.data == e->first ? (int64_t)e->body.size : NO_SIZE;
  }
  if(code != HANDLE_RUNNING)
    easy_leave(e);
  return NO_SIZE + code;
}

/* Python has the body, or was interrupted: the transfer is over. Whether somebody has asked to close it. */
int easy_fetched(easy *e)
{
  if(e->performing != FETCHED || guard_elsewhere(&e->inside))
    return 0;
  e->performing = 0;
  easy_leave(e);
  return e->closing;
}

/* Give up a transfer that easy_perform or easy_stream has left running. */
void easy_abandon(easy *e)
{
  if(e->streams) {
    int refusal;

    while((refusal = easy_enter(e)) == HANDLE_BUSY) /* somebody looks at the body */
      sched_yield();
    if(refusal)
      return;
  }
  else if(guard_elsewhere(&e->inside))
    return;
  if(e->performing)
    finish(e, CURLE_ABORTED_BY_CALLBACK);
}
