/* The private multi of an easy handle that is performed by itself.
 *
 * A multi costs more than a short transfer's Python: tables, and a pair of sockets. So it is lent, and
 * given back for the next handle. What a handle has cached, its connections above all, is kept in a
 * share that is its own: nobody else sees it, and it ends when the handle lets go of the multi.
 *
 * A handle in a share of the user's has a multi of its own, which ends with all that it has. So has each
 * handle where libcurl is another: 7.74 does not find the connection of a connect_only handle in a share;
 * from 8.9 on a multi shuts down connections in its own time, and from 8.12 on it has TLS sessions. */
#include "internal.h"

#define LENT_FROM 0x075800
#define LENT_BEFORE 0x080900

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

static CURLSH *new_cache(void)
{
  CURLSH *cache = curl_share_init();

  if(cache && (curl_share_setopt(cache, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) ||
               curl_share_setopt(cache, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS))) {
    curl_share_cleanup(cache);
    cache = NULL;
  }
  return cache;
}

/* Answers 1 when out of memory. */
int easy_take_steps(easy *e)
{
  _Bool lent = can_lend() && !e->shares;

  if(lent) {
    e->cache = new_cache();
    if(!e->cache)
      return 1;
    if(curl_easy_setopt(e->curl, CURLOPT_SHARE, e->cache)) {
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
  e->maxconnects_told = 0;
  return 0;
}

/* Out of the private multi. */
CURLMcode easy_detach(easy *e)
{
  if(!e->attached)
    return CURLM_OK;
  e->attached = 0;
  return curl_multi_remove_handle(e->steps, e->curl);
}

/* The private multi goes, and the connections: closers are called. */
void easy_drop_steps(easy *e)
{
  CURLM *steps = e->steps;
  CURLSH *cache = e->cache;
  CURLMcode code = easy_detach(e);

  e->steps = NULL;
  e->cache = NULL;
  e->dropping = 1;
  if(cache) {
    curl_easy_setopt(e->curl, CURLOPT_SHARE, NULL);
    curl_share_cleanup(cache);
  }
  if(cache && steps && !code && !e->maxconnects_told)
    give_back(steps);
  else
    curl_multi_cleanup(steps);
  e->dropping = 0;
}
