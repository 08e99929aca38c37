/* The addresses that an address policy is known to allow (libcurl.sockets.AddressPolicy): what C needs
 * to let most connections and requests pass without entering Python.
 *
 * Python decides, and adds what it has allowed; an address that is not here is asked about again. A
 * policy never changes its mind. Several easies and the policy itself have a set in common, in any
 * threads; the last one to let go frees it. */
#include "internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MOST 512 /* then all is forgotten */
#define ROOM 1024 /* a power of two */

typedef struct place {
  unsigned char host[16]; /* IPv4 as IPv6 has it, mapped, which is the same place */
  uint16_t port;
  uint16_t present;
} place;

struct verdicts {
  unsigned references;
  unsigned count;
  place places[ROOM];
};

verdicts *verdicts_new(void)
{
  verdicts *v = calloc(1, sizeof(*v));

  if(v)
    v->references = 1;
  return v;
}

void verdicts_free(verdicts *v)
{
  if(v && !__atomic_sub_fetch(&v->references, 1, __ATOMIC_ACQ_REL))
    free(v);
}

/* Where a place is in the table, or would go. */
static place *find(verdicts *v, const place *wanted)
{
  uint64_t halves[2];
  size_t at;

  memcpy(halves, wanted->host, sizeof(halves));
  at = ((halves[0] ^ halves[1] ^ wanted->port) * 0x9e3779b97f4a7c15) >> 32;
  for(;; at++) {
    place *found = &v->places[at % ROOM];

    if(!found->present || !memcmp(found, wanted, sizeof(*found)))
      return found;
  }
}

static place make_place(const void *host, size_t size, unsigned port)
{
  place made = { .port = (uint16_t)port, .present = 1 };

  if(size == 4)
    made.host[10] = made.host[11] = 0xff;
  memcpy(made.host + 16 - size, host, size);
  return made;
}

/* `host` has 4 or 16 bytes. */
void verdicts_allow(verdicts *v, const void *host, size_t size, unsigned port)
{
  place wanted = make_place(host, size, port), *found;

  common_lock();
  if(v->count >= MOST) {
    memset(v->places, 0, sizeof(v->places));
    v->count = 0;
  }
  found = find(v, &wanted);
  if(!found->present) {
    *found = wanted;
    v->count++;
  }
  common_unlock();
}

static int knows(verdicts *v, const place *wanted)
{
  int known;

  common_lock();
  known = find(v, wanted)->present;
  common_unlock();
  return known;
}

/* Whether the address that libcurl wants to connect to is allowed. */
int verdicts_allow_address(verdicts *v, const struct curl_sockaddr *address)
{
  place wanted;

  if(address->family == AF_INET && address->addr.sa_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)&address->addr;
    wanted = make_place(&in->sin_addr, 4, ntohs(in->sin_port));
  }
  else if(address->family == AF_INET6 && address->addr.sa_family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->addr;
    wanted = make_place(&in6->sin6_addr, 16, ntohs(in6->sin6_port));
  }
  else
    return 0;
  return knows(v, &wanted);
}

/* The same, for what CURLOPT_PREREQFUNCTION is told. Of a file: URL that is the connection before,
 * should there have been one. */
int verdicts_allow_request(verdicts *v, CURL *curl, const char *ip, int port)
{
  unsigned char host[16];
  size_t size = 4;
  char *url = NULL;
  place wanted;

  curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &url);
  if(!url || !strncasecmp(url, "file:", 5))
    return 0;
  if(inet_pton(AF_INET, ip, host) != 1) {
    size = 16;
    if(inet_pton(AF_INET6, ip, host) != 1)
      return 0;
  }
  wanted = make_place(host, size, (unsigned)port);
  return knows(v, &wanted);
}

/* From now on C lets pass what `v` has: requests; if `opens`, connections, for which it opens sockets as
 * libcurl does; if `check`, sockets that Python's opener has opened. NULL: everything goes to Python. */
int easy_set_verdicts(easy *e, verdicts *v, int opens, int check)
{
  int code = easy_enter(e);

  if(code)
    return code;
  if(v)
    __atomic_add_fetch(&v->references, 1, __ATOMIC_ACQ_REL);
  verdicts_free(e->verdicts);
  e->verdicts = v;
  e->verdicts_open = v && opens;
  e->verdicts_check = v && check;
  easy_leave(e);
  return 0;
}
