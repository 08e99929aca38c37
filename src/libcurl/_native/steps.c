/* The private multi of an easy handle that is performed by itself.
 *
 * A multi costs more than a short transfer's Python: tables, and a pair of sockets. So it is lent, and
 * given back for the next handle when it is as empty as it was. Of what it caches, names are kept in a
 * share that is the handle's own meanwhile, and the connection of a handle that has made a single request,
 * as most do, is closed before. Whatever else a handle has left there ends with the multi.
 *
 * Only where that was tested to be so, with libcurl 7.88: later ones shut down connections in their own
 * time (8.9), and keep TLS sessions in the multi (8.12). Elsewhere, and in a share of the user's, each
 * handle has a multi of its own. */
#include "internal.h"

#include <strings.h>

#define LENT_FROM 0x075800
#define LENT_BEFORE 0x080000

/* The one that waits for the next handle, in any thread; and one of the parent's, with its sockets. */
static CURLM *spare, *inherited;

void steps_forked(void)
{
  if(spare)
    inherited = spare;
  spare = NULL;
}

static _Bool can_lend(void)
{
  static unsigned version;

  if(!__atomic_load_n(&version, __ATOMIC_RELAXED))
    __atomic_store_n(&version, curl_version_info(CURLVERSION_NOW)->version_num, __ATOMIC_RELAXED);
  return version >= LENT_FROM && version < LENT_BEFORE;
}

static CURLM *borrow(void)
{
  CURLM *found = __atomic_exchange_n(&spare, NULL, __ATOMIC_ACQUIRE);

  if(found)
    return found;
  curl_multi_cleanup(__atomic_exchange_n(&inherited, NULL, __ATOMIC_ACQUIRE));
  return curl_multi_init();
}

static void give_back(CURLM *steps)
{
  steps = __atomic_exchange_n(&spare, steps, __ATOMIC_ACQ_REL);
  curl_multi_cleanup(steps); /* where there was one: nothing to do for NULL */
}

/* Answers 1 when out of memory. */
int easy_take_steps(easy *e)
{
  _Bool lent = can_lend() && !e->share;

  if(lent) {
    e->cache = curl_share_init();
    if(!e->cache || curl_share_setopt(e->cache, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) ||
       curl_easy_setopt(e->curl, CURLOPT_SHARE, e->cache)) {
      easy_drop_steps(e);
      return 1;
    }
  }
  e->steps = lent ? borrow() : curl_multi_init();
  if(!e->steps) {
    easy_drop_steps(e);
    return 1;
  }
  e->maxconnects_changed = e->maxconnects != 0;
  e->leaves_more = 0;
  if(lent)
    watch_tls(e);
  return 0;
}

/* curl_multi_remove_handle. A closer that it calls is not to have libcurl set timers for the handle, which
 * would stay in the multi. */
CURLMcode easy_remove(easy *e, CURLM *multi)
{
  _Bool dropping = e->dropping;
  CURLMcode code;

  e->dropping = 1;
  code = curl_multi_remove_handle(multi, e->curl);
  e->dropping = dropping;
  return code;
}

/* Out of the private multi. */
CURLMcode easy_detach(easy *e)
{
  if(!e->attached)
    return CURLM_OK;
  e->attached = 0;
  return easy_remove(e, e->steps);
}

/* Whether all that is left in a multi that was lent is the connection of the one request that it served. */
static _Bool has_one_connection(easy *e)
{
  long connects = 0;
  const char *scheme = NULL;

  return e->cache && e->attached && !e->leaves_more &&
         !curl_easy_getinfo(e->curl, CURLINFO_NUM_CONNECTS, &connects) && connects == 1 &&
         !curl_easy_getinfo(e->curl, CURLINFO_SCHEME, &scheme) && scheme &&
         !strncasecmp(scheme, "http", 4); /* others are to say goodbye */
}

/* For a handle that is closed next: libcurl closes the connection of a connect_only handle that is removed. */
void easy_give_back_steps(easy *e)
{
  CURLM *steps = e->steps;

  if(!has_one_connection(e))
    return;
  curl_easy_setopt(e->curl, CURLOPT_VERBOSE, 0L); /* it would tell the debug callback */
  curl_easy_setopt(e->curl, CURLOPT_CONNECT_ONLY, 1L);
  if(!easy_detach(e)) {
    e->steps = NULL;
    give_back(steps);
  }
}

/* The share that a handle is in, its own perhaps, makes way for another one, or for none. */
CURLcode easy_change_share(easy *e, CURLSH *other)
{
  struct curl_slist *addresses = easy_list(e, CURLOPT_RESOLVE);
  CURLcode code = curl_easy_setopt(e->curl, CURLOPT_SHARE, other);

  if(code)
    return code;
  curl_share_cleanup(e->cache); /* nothing to do for NULL */
  e->cache = NULL;
  if(addresses) /* which stay with the names of the other one */
    curl_easy_setopt(e->curl, CURLOPT_RESOLVE, addresses);
  return CURLE_OK;
}

/* The private multi goes, and the connections: closers are called. */
void easy_drop_steps(easy *e)
{
  CURLM *steps = e->steps;

  e->dropping = 1;
  easy_detach(e);
  e->steps = NULL;
  curl_multi_cleanup(steps);
  if(e->cache)
    easy_change_share(e, NULL);
  e->dropping = 0;
}
