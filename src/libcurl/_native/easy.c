/* The life of an easy handle: made, performed, reset, duplicated, closed. */
#include "internal.h"

#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define BULK_BUFFER (512L << 10)
#define UPLOAD_BUFFER (64L << 10) /* libcurl's default */

/* What every handle has where the user has set nothing. */
static CURLcode set_defaults(easy *e)
{
  CURLcode code = curl_easy_setopt(e->curl, CURLOPT_PRIVATE, e);

  if(!code)
    code = curl_easy_setopt(e->curl, CURLOPT_WRITEDATA, e->agent ? (void *)stdout : e);
  if(!code)
    code = curl_easy_setopt(e->curl, CURLOPT_WRITEFUNCTION, e->agent ? NULL : collect);
  if(!code && !e->agent)
    code = curl_easy_setopt(e->curl, CURLOPT_READFUNCTION, read_nothing);
  if(!code && e->error)
    code = curl_easy_setopt(e->curl, CURLOPT_ERRORBUFFER, e->error);
  if(!code && e->log)
    code = curl_easy_setopt(e->curl, CURLOPT_STDERR, e->log);
  return code;
}

/* Take over a CURL that libcurl has made. NULL: out of memory, and `curl` is the caller's still. */
easy *easy_adopt(CURL *curl, const char *agent)
{
  easy *e = calloc(1, sizeof(*e));

  if(!e)
    return NULL;
  guard_init(&e->inside);
  e->curl = curl;
  e->agent = agent;
  e->id = new_id();
  if(set_defaults(e)) {
    free(e);
    return NULL;
  }
  return e;
}

/* What libcurl no longer points to. */
static void let_go(easy *e)
{
  kept_free(e->kept);
  e->kept = NULL;
  if(e->log)
    fclose(e->log);
  e->log = NULL;
  free(e->error);
  e->error = NULL;
  sinks_free(e);
}

/* Give the CURL back, for libcurl to free. */
void easy_renounce(easy *e)
{
  curl_easy_setopt(e->curl, CURLOPT_RESOLVE, NULL);
  curl_easy_reset(e->curl);
  e->curl = NULL;
  let_go(e);
}

static easy *adopt_or_free(CURL *curl, const char *agent)
{
  easy *e = curl ? easy_adopt(curl, agent) : NULL;

  if(!e)
    curl_easy_cleanup(curl);
  return e;
}

char unborn;

/* Answers 1 when out of memory. */
int easy_bear(easy *e)
{
  CURL *curl = curl_easy_init();

  if(!curl)
    return 1;
  e->curl = curl;
  if(!set_defaults(e) && !curl_easy_setopt(curl, CURLOPT_USERAGENT, e->agent))
    return 0;
  e->curl = UNBORN;
  curl_easy_cleanup(curl);
  return 1;
}

/* A classic handle where there is an agent, which has to live as long. NULL: out of memory. */
easy *easy_new(const char *agent)
{
  easy *e;

  if(library_init())
    return NULL;
  if(!agent)
    return adopt_or_free(curl_easy_init(), NULL);
  e = calloc(1, sizeof(*e));
  if(e) {
    guard_init(&e->inside);
    e->curl = UNBORN;
    e->agent = agent;
    e->id = new_id();
  }
  return e;
}

/* A duplicate with libcurl's copies of the options, lists of its own, and none of the pointers that
 * belong to the original: its callbacks, objects and closer are set again from Python, and so are
 * POSTFIELDS, MIMEPOST and CURLU before it is used: clearing these makes a POST of any request, and
 * from some 8.x on forgets the URL. */
easy *easy_duplicate(easy *original)
{
  static const CURLoption foreign[] = {
    CURLOPT_ERRORBUFFER, CURLOPT_CLOSESOCKETFUNCTION, CURLOPT_OPENSOCKETFUNCTION,
    CURLOPT_SOCKOPTFUNCTION, CURLOPT_HEADERFUNCTION, CURLOPT_READFUNCTION, CURLOPT_SEEKFUNCTION,
    CURLOPT_XFERINFOFUNCTION, CURLOPT_DEBUGFUNCTION, CURLOPT_PREREQFUNCTION,
    CURLOPT_PROGRESSFUNCTION, CURLOPT_IOCTLFUNCTION, CURLOPT_INTERLEAVEFUNCTION,
    CURLOPT_RESOLVER_START_FUNCTION, CURLOPT_TRAILERFUNCTION, CURLOPT_SSL_CTX_FUNCTION,
    CURLOPT_SSH_KEYFUNCTION, CURLOPT_SSH_HOSTKEYFUNCTION, CURLOPT_FNMATCH_FUNCTION,
    CURLOPT_CHUNK_BGN_FUNCTION, CURLOPT_CHUNK_END_FUNCTION, CURLOPT_HSTSREADFUNCTION,
    CURLOPT_HSTSWRITEFUNCTION, CURLOPT_STREAM_DEPENDS, CURLOPT_STREAM_DEPENDS_E,
  };
  easy *e = NULL;
  size_t i;

  if(easy_enter_again(original))
    return NULL;
  e = adopt_or_free(curl_easy_duphandle(original->curl), original->agent);
  if(e) {
    for(i = 0; i < sizeof(foreign) / sizeof(*foreign); i++)
      curl_easy_setopt(e->curl, foreign[i], NULL); /* an unknown option needs no clearing */
    curl_easy_setopt(e->curl, CURLOPT_HEADERDATA, NULL);
    curl_easy_setopt(e->curl, CURLOPT_READDATA, stdin);
    e->maxconnects = original->maxconnects;
    e->bulk = original->bulk;
    e->sized = original->sized;
    e->kept = kept_copy(original->kept, e->curl);
    if(easy_set_stderr(e, original->log ? fileno(original->log) : -1)) {
      easy_free(e);
      e = NULL;
    }
  }
  easy_leave(original);
  return e;
}



/* Out of the private multi. */
void easy_detach(easy *e)
{
  if(e->attached) {
    curl_multi_remove_handle(e->steps, e->curl);
    e->attached = 0;
  }
}

/* The private multi goes, and its connections with it: closers are called. */
void easy_drop_steps(easy *e)
{
  CURLM *steps = e->steps;

  easy_detach(e);
  e->steps = NULL;
  curl_multi_cleanup(steps);
}

/* curl_easy_cleanup. Closing a handle in a callback of its own would pull the ground from under
 * libcurl (which, from 8.22, then does nothing at all): the transfer is stopped, and Python closes
 * again when it has ended. */
int easy_close(easy *e)
{
  multi *joined;
  CURL *curl;
  int refusal;

  if(guard_forked(&e->inside) || e->curl == UNBORN) {
    /* The connections belong to the parent, which a goodbye from here would confuse. */
    e->curl = NULL;
    return 0;
  }
  refusal = easy_enter(e);
  if(refusal)
    return refusal == HANDLE_CLOSED ? 0 : refusal;
  if(e->inside.depth > 1 || (e->joined && e->joined->inside.depth > 1)) {
    e->closing = e->stopped = 1;
    easy_leave(e);
    return HANDLE_DEFERRED;
  }
  joined = e->joined;
  if(joined) {
    curl_multi_remove_handle(joined->curlm, e->curl);
    multi_unlink(e);
    multi_leave(joined);
  }
  e->closing = e->performing = e->agent != NULL;
  easy_drop_steps(e);
  curl = e->curl;
  curl_easy_cleanup(curl);
  e->closing = e->performing = 0;
  e->curl = NULL;
  let_go(e);
  easy_leave(e);
  return 0;
}

/* The backstop for a handle that was never closed: nothing of Python is left to call. */
void easy_free(easy *e)
{
  e->inside.thread = NULL; /* nobody can be inside, whatever has kept Python from leaving */
  e->inside.depth = 0;
  e->performing = 0;
  e->stopped = 1;
  easy_close(e);
  verdicts_free(e->verdicts);
  free(e->first);
  free(e);
}

/* curl_easy_reset, which does not clear the pointer to the RESOLVE list: the next transfer would read
 * it after it was freed. Connections, cookies, sessions and the share stay, and so does the log. */
int easy_reset(easy *e)
{
  int code = easy_enter(e);

  if(code)
    return code;
  if(e->performing || e->joined) {
    easy_leave(e);
    return HANDLE_DEFERRED;
  }
  curl_easy_setopt(e->curl, CURLOPT_RESOLVE, NULL);
  curl_easy_reset(e->curl);
  kept_free(e->kept);
  e->kept = NULL;
  sink_close(e);
  source_close(e);
  e->gathers = 0;
  e->opens = 0;
  verdicts_free(e->verdicts);
  e->verdicts = NULL;
  e->verdicts_open = e->verdicts_check = 0;
  e->closer = 0;
  e->maxconnects = 0;
  e->bulk = e->sized = 0;
  code = set_defaults(e);
  if(!code && e->agent)
    code = curl_easy_setopt(e->curl, CURLOPT_USERAGENT, e->agent);
  easy_leave(e);
  return code;
}

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

/* The easy behind a CURL; NULL for libcurl's own and pushed ones. */
easy *easy_of(CURL *curl)
{
  char *private = NULL;

  if(curl)
    curl_easy_getinfo(curl, CURLINFO_PRIVATE, &private);
  return (easy *)private;
}

/* libcurl says there what went wrong. */
static CURLcode clear_error(easy *e)
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
  if(clear_error(e))
    return CURLE_OUT_OF_MEMORY;
  sinks_begin(e);
  e->stopped = e->fresh = e->refusing = 0;
  e->transfers++;
  kept_purge(&e->kept);
  return CURLE_OK;
}

/* A single transfer is served best by large buffers, of which only what is used takes memory; in a
 * multi there may be thousands. What the user has chosen stays. */
void easy_size_buffers(easy *e, int bulk)
{
  if(e->sized || e->bulk == bulk)
    return;
  curl_easy_setopt(e->curl, CURLOPT_BUFFERSIZE, bulk ? BULK_BUFFER : (long)CURL_MAX_WRITE_SIZE);
  curl_easy_setopt(e->curl, CURLOPT_UPLOAD_BUFFERSIZE, bulk ? BULK_BUFFER : UPLOAD_BUFFER);
  e->bulk = bulk != 0;
}

/* Begin a transfer in the private multi, as curl_easy_perform does in one of its own. */
static CURLcode begin(easy *e)
{
  if(e->joined)
    return CURLE_FAILED_INIT;
  if(easy_begin(e))
    return CURLE_OUT_OF_MEMORY;
  if(!e->steps) {
    e->steps = curl_multi_init();
    if(!e->steps)
      return CURLE_OUT_OF_MEMORY;
  }
  easy_detach(e);
  easy_size_buffers(e, 1);
  if(e->maxconnects != e->steps_maxconnects) {
    curl_multi_setopt(e->steps, CURLMOPT_MAXCONNECTS, (long)e->maxconnects);
    e->steps_maxconnects = e->maxconnects;
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

/* Step the transfer until it ends or `milliseconds` have passed (answering HANDLE_RUNNING), or the
 * wait was cut short, perhaps by a signal that Python wants to hear of. */
static int step(easy *e, int milliseconds, CURLcode *result)
{
  double until = 0;
  int running, active, queued;
  CURLMsg *message;

  for(;;) {
    double now, left;
    CURLMcode code = connected_perform(e->steps, &running);

    if(!code && e->stopped) {
      *result = CURLE_ABORTED_BY_CALLBACK;
      return 0;
    }
    if(!code && !running)
      break;
    now = milliseconds_now();
    if(!until)
      until = now + milliseconds;
    left = until - now;
    if(!code && (left <= 0 || (e->streams && e->body.size)))
      return slice_ends(e, result);
    if(!code)
      code = curl_multi_poll(e->steps, NULL, 0, (int)left + 1, &active);
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

static int finish(easy *e, CURLcode result)
{
  /* As long as the handle is attached, libcurl finds its connection: for ACTIVESOCKET, upkeep, send. */
  if(result)
    easy_detach(e);
  if(!result && e->closing)
    result = CURLE_ABORTED_BY_CALLBACK;
  if(!result)
    e->error[0] = 0; /* of an address that failed before another one worked */
  e->performing = e->stopped = 0;
  if(e->streams)
    e->streams = e->body_most = 0;
  easy_leave(e);
  return (int)result;
}

static int start(easy *e)
{
  CURLcode result;
  int refusal = easy_enter(e);

  if(refusal)
    return refusal;
  if(e->performing) {
    easy_leave(e);
    return CURLE_RECURSIVE_API_CALL;
  }
  e->performing = 1;
  result = begin(e);
  return result ? finish(e, result) : 0;
}

/* A transfer, in slices of at most `milliseconds`: HANDLE_RUNNING means easy_continue, at once, from
 * the same thread. Meanwhile the handle stays entered. */
int easy_perform(easy *e, int milliseconds)
{
  int code = start(e);

  return code ? code : easy_continue(e, milliseconds);
}

int easy_continue(easy *e, int milliseconds)
{
  CURLcode result;
  int running = step(e, milliseconds, &result);

  return running ? running : finish(e, result);
}

/* The same for a body that is taken in pieces: HANDLE_RUNNING may mean that there is one. Between the
 * pieces nobody is inside, and any thread may go on (easy_stream_on). */
int easy_stream(easy *e, int milliseconds)
{
  int code = start(e);

  if(code)
    return code;
  e->streams = 1;
  e->body_most = STREAM_MOST;
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
  code = code ? finish(e, (CURLcode)code) : easy_continue(e, milliseconds);
  if(code == HANDLE_RUNNING)
    easy_leave(e);
  return code;
}

/* easy_perform for a small body, where Python has nothing else to do: its size, at e->first. -1 where
 * Python has, with the answer of easy_perform in e->answer. */
int64_t easy_fetch(easy *e)
{
  int answer = easy_perform(e, SLICE);

  if(!answer && !e->attention && e->body.data == e->first)
    return (int64_t)e->body.size;
  e->answer = answer;
  return -1;
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

/* The type of an info is part of its number. What was found stands in e->info. */
int easy_getinfo(easy *e, CURLINFO info)
{
  int code = easy_enter(e);

  if(!code) {
    e->info.pointer = NULL;
    code = curl_easy_getinfo(e->curl, info, &e->info);
    easy_leave(e);
  }
  return code;
}

/* For strings, which other calls may free: a copy, for easy_free_text; NULL where there is none. */
int easy_getinfo_text(easy *e, CURLINFO info, char **text)
{
  int code = easy_enter(e);

  *text = NULL;
  if(!code) {
    char *found = NULL;

    code = curl_easy_getinfo(e->curl, info, &found);
    if(found && !(*text = strdup(found)))
      code = CURLE_OUT_OF_MEMORY;
    easy_leave(e);
  }
  return code;
}

void easy_free_text(char *text) { free(text); }

/* The short way to an info that is always there: the number itself. INT64_MIN: ask easy_getinfo. */
int64_t easy_info_number(easy *e, CURLINFO info)
{
  int64_t found = INT64_MIN;

  if(!easy_enter(e)) {
    long number = 0;
    curl_off_t offset = 0;

    if((info & CURLINFO_TYPEMASK) == CURLINFO_OFF_T) {
      if(!curl_easy_getinfo(e->curl, info, &offset))
        found = offset;
    }
    else if(!curl_easy_getinfo(e->curl, info, &number))
      found = number;
    easy_leave(e);
  }
  return found;
}

/* NaN: ask easy_getinfo. */
double easy_info_real(easy *e, CURLINFO info)
{
  double found = 0;

  if(easy_enter(e))
    return NAN;
  if(curl_easy_getinfo(e->curl, info, &found))
    found = NAN;
  easy_leave(e);
  return found;
}

/* A copy, good until this thread asks again. NULL: ask easy_getinfo_text. */
const char *easy_info_text(easy *e, CURLINFO info)
{
  static __thread char copy[1024];
  char *found = NULL;

  if(easy_enter(e))
    return NULL;
  if(curl_easy_getinfo(e->curl, info, &found) || (found && strlen(found) >= sizeof(copy)))
    found = NULL;
  if(found)
    strcpy(copy, found);
  easy_leave(e);
  return found ? copy : NULL;
}

int easy_pause(easy *e, int bitmask)
{
  int code = easy_enter_again(e);

  if(!code) {
    code = curl_easy_pause(e->curl, bitmask);
    easy_leave(e);
  }
  return code;
}

int easy_upkeep(easy *e)
{
  int code = easy_enter(e);

  if(!code) {
    code = curl_easy_upkeep(e->curl);
    easy_leave(e);
  }
  return code;
}

int easy_send(easy *e, const void *data, size_t size, size_t *sent)
{
  int code = easy_enter(e);

  if(!code) {
    *sent = 0;
    code = clear_error(e);
    if(!code)
      code = curl_easy_send(e->curl, data, size, sent);
    easy_leave(e);
  }
  return code;
}

int easy_recv(easy *e, void *data, size_t size, size_t *received)
{
  int code = easy_enter(e);

  if(!code) {
    *received = 0;
    code = clear_error(e);
    if(!code)
      code = curl_easy_recv(e->curl, data, size, received);
    easy_leave(e);
  }
  return code;
}
