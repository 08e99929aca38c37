/* The life of an easy handle: made, performed, reset, duplicated, closed. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* The default for CURLOPT_USERAGENT of classic handles, kept for good. */
static const char *agent;

void easy_classic_agent(const char *text) { agent = strdup(text); }

/* What every handle has where the user has set nothing: a classic one writes to stdout, as libcurl does. */
static CURLcode set_defaults(easy *e)
{
  CURLcode code = curl_easy_setopt(e->curl, CURLOPT_PRIVATE, e);

  if(!code && !e->classic)
    code = curl_easy_setopt(e->curl, CURLOPT_WRITEDATA, e);
  if(!code && !e->classic)
    code = curl_easy_setopt(e->curl, CURLOPT_WRITEFUNCTION, collect);
  if(!code && !e->classic)
    code = curl_easy_setopt(e->curl, CURLOPT_READFUNCTION, read_nothing);
  if(!code && e->error)
    code = curl_easy_setopt(e->curl, CURLOPT_ERRORBUFFER, e->error);
  if(!code && e->files && e->files->log)
    code = curl_easy_setopt(e->curl, CURLOPT_STDERR, e->files->log);
  return code;
}

static void easy_prepare(easy *e, CURL *curl, _Bool classic)
{
  guard_init(&e->inside);
  e->curl = curl;
  e->classic = classic;
  e->id = new_id();
}

/* Take over a CURL that libcurl has made. Answers 1 when out of memory: it is the caller's still. */
int easy_adopt(easy *e, CURL *curl, _Bool classic)
{
  easy_prepare(e, curl, classic);
  if(!set_defaults(e))
    return 0;
  e->curl = NULL;
  return 1;
}

/* What libcurl no longer points to. */
static void let_go(easy *e)
{
  notes_free(e);
  kept_free(e->kept);
  e->kept = NULL;
  if(e->files && e->files->log)
    fclose(e->files->log);
  free(e->plan);
  e->plan = NULL;
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

static int adopt_or_free(easy *e, CURL *curl, _Bool classic)
{
  if(curl && !easy_adopt(e, curl, classic))
    return 0;
  curl_easy_cleanup(curl);
  return 1;
}

char unborn;

/* Answers 1 when out of memory. */
int easy_bear(easy *e)
{
  CURL *curl = curl_easy_init();

  if(!curl)
    return 1;
  e->curl = curl;
  if(!set_defaults(e) && !curl_easy_setopt(curl, CURLOPT_USERAGENT, agent))
    return 0;
  e->curl = UNBORN;
  curl_easy_cleanup(curl);
  return 1;
}

/* Make a handle, in memory that is Python's and zero: it has to be there for as long as anything in
 * Python can reach it, finalizers of a cycle that is collected included. Answers 1 when out of memory. */
int easy_init(easy *e) { return library_init() || adopt_or_free(e, curl_easy_init(), 0); }

/* A duplicate with libcurl's copies of the options, lists of its own, and none of the pointers that
 * belong to the original: its callbacks, objects and closer are set again from Python, and so are
 * POSTFIELDS, MIMEPOST and CURLU before it is used: clearing these makes a POST of any request, and
 * from some 8.x on forgets the URL. */
int easy_duplicate(easy *original, easy *e)
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
  size_t i;
  int code = easy_enter_again(original);

  if(code)
    return code;
  code = adopt_or_free(e, curl_easy_duphandle(original->curl), original->classic);
  if(!code) {
    for(i = 0; i < sizeof(foreign) / sizeof(*foreign); i++)
      curl_easy_setopt(e->curl, foreign[i], NULL); /* an unknown option needs no clearing */
    curl_easy_setopt(e->curl, CURLOPT_HEADERDATA, NULL);
    curl_easy_setopt(e->curl, CURLOPT_READDATA, stdin);
    if(e->classic) {
      curl_easy_setopt(e->curl, CURLOPT_WRITEDATA, stdout);
      curl_easy_setopt(e->curl, CURLOPT_WRITEFUNCTION, NULL);
    }
    e->maxconnects = original->maxconnects;
    e->buffers = original->buffers;
    e->kept = kept_copy(original->kept, e->curl);
    code = (original->files && original->files->log &&
            easy_set_stderr(e, fileno(original->files->log))) ||
           !notes_copy(original, e);
    if(code)
      easy_end(e);
  }
  easy_leave(original);
  return code;
}

/* curl_easy_cleanup. Closing a handle in a callback of its own would pull the ground from under
 * libcurl (which, from 8.22, then does nothing at all): the transfer is stopped, and Python closes
 * again when it has ended. */
int easy_close(easy *e)
{
  multi *joined;
  CURL *curl;
  int refusal;

  if(guard_forked(&e->inside) && e->curl) {
    const guard *driven = e->joined ? &e->joined->inside : &e->inside;

    if(driven->depth && !guard_elsewhere(driven)) { /* forked in a callback */
      e->closing = e->stopped = 1;
      return HANDLE_DEFERRED;
    }
  }
  if(guard_forked(&e->inside)) {
    /* The connections belong to the parent, which a goodbye from here would confuse. */
    e->curl = NULL;
    return 0;
  }
  if(e->curl == UNBORN) { /* and not to be born for this */
    refusal = guard_enter(&e->inside);
    if(refusal)
      return refusal;
    if(e->curl == UNBORN)
      e->curl = NULL;
    guard_leave(&e->inside);
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
    easy_remove(e, joined->curlm);
    multi_unlink(e);
    multi_leave(joined);
  }
  e->closing = e->performing = e->classic;
  easy_give_back_steps(e);
  easy_drop_steps(e);
  curl = e->curl;
  curl_easy_cleanup(curl);
  e->closing = e->performing = 0;
  e->curl = NULL;
  let_go(e);
  share_release(e->share);
  e->share = NULL;
  easy_leave(e);
  return 0;
}

/* The same where there is nothing else to close. */
int easy_close_alone(easy *e) { return e->registered ? HANDLE_REGISTERED : easy_close(e); }

/* The backstop for a handle that was never closed: nothing of Python is left to call. */
void easy_end(easy *e)
{
  e->inside.thread = NULL; /* nobody can be inside, whatever has kept Python from leaving */
  e->inside.depth = 0;
  e->performing = 0;
  e->stopped = 1;
  easy_close(e);
  if(e->joined) /* in a forked child */
    multi_unlink(e);
  verdicts_free(e->verdicts);
  e->verdicts = NULL;
  free(e->first);
  e->first = NULL;
}

/* A classic handle, in memory that ends it when it goes. NULL: no libcurl, or no memory. */
easy *easy_classic(size_t size)
{
  easy *e = library_init() ? NULL : calloc(1, size);

  if(e)
    easy_prepare(e, UNBORN, 1);
  return e;
}

/* One that was closed, and that nothing in Python can reach, is as good as a new one. */
void easy_renew(easy *e)
{
  char *first = e->first;

  if(e->joined) /* in a forked child */
    multi_unlink(e);
  verdicts_free(e->verdicts);
  memset(e, 0, sizeof(*e));
  e->first = first;
  easy_prepare(e, UNBORN, 1);
}

void easy_free(easy *e)
{
  easy_end(e);
  free(e);
}

/* The same for a handle in other memory. Python may be interrupted before it has noted what comes here in
 * the end, and try again: what was lost, perhaps kept for long by a traceback, ends nothing then. */
void easy_insure(easy *e) { e->insurances++; }

void easy_backstop(easy *e)
{
  if(--e->insurances == 0 && e->insured)
    easy_end(e);
}

static int amid(easy *e)
{
  multi *m = e->joined;

  if(e->performing || !m)
    return e->performing != 0;
  if(e->waits == m->drives)
    return 0;
  if(!e->ended)
    multi_results(m, 0);
  return !e->ended;
}

/* 1: in the middle of a transfer, where libcurl goes on to use what it was given. Not so in a multi that
 * was not driven since, nor when the transfer has ended. */
int easy_amid(easy *e)
{
  int code = e->performing || e->joined ? easy_enter_again(e) : 0;

  if(!code && (e->performing || e->joined)) {
    code = amid(e);
    easy_leave(e);
  }
  return code;
}

/* curl_easy_reset, which does not clear the pointer to the RESOLVE list: the next transfer would read
 * it after it was freed. Connections, cookies, sessions and the share stay, and so does the log. */
int easy_reset_now(easy *e)
{
  int code;

  curl_easy_setopt(e->curl, CURLOPT_RESOLVE, NULL);
  curl_easy_reset(e->curl);
  notes_forget(e);
  kept_free(e->kept);
  e->kept = NULL;
  sink_close(e);
  source_close(e);
  e->gathers = 0;
  e->opens = e->writes = e->secures = 0;
  verdicts_free(e->verdicts);
  e->verdicts = NULL;
  e->verdicts_open = e->verdicts_check = 0;
  e->closer = 0;
  e->maxconnects_changed |= e->maxconnects != 0;
  e->maxconnects = 0;
  e->buffers = BUFFERS_SMALL;
  code = set_defaults(e);
  if(!code && e->classic)
    code = curl_easy_setopt(e->curl, CURLOPT_USERAGENT, agent);
  if(!code)
    easy_freshly_reset(e);
  return code;
}

int easy_reset(easy *e)
{
  int code = easy_enter(e);

  if(code)
    return code;
  code = amid(e) ? HANDLE_DEFERRED : easy_reset_now(e);
  easy_leave(e);
  return code;
}

/* The easy behind a CURL; NULL for libcurl's own and pushed ones. */
easy *easy_of(CURL *curl)
{
  char *private = NULL;

  if(curl)
    curl_easy_getinfo(curl, CURLINFO_PRIVATE, &private);
  return (easy *)private;
}

int easy_pause(easy *e, int bitmask)
{
  int code = easy_enter_again(e);

  if(!code) {
    code = e->dropping ? CURLE_RECURSIVE_API_CALL : curl_easy_pause(e->curl, bitmask);
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
    code = easy_clear_error(e);
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
    code = easy_clear_error(e);
    if(!code)
      code = curl_easy_recv(e->curl, data, size, received);
    easy_leave(e);
  }
  return code;
}
