/* A connected socket handed to libcurl 7.88, whose CURL_SOCKOPT_ALREADY_CONNECTED is broken.
 *
 * That version calls connect() on the socket all the same and takes EISCONN for a failure. So what it
 * gets to connect is a stand-in, which goes nowhere; the real socket takes its place as soon as
 * libcurl has come back from connect() to wait for it:
 *
 *  1. the opener returned a connected socket: the address is rewritten to a listener of our own that
 *     accepts nobody (its queue is full, so that connect() stays in progress);
 *  2. the sockopt callback answered ALREADY_CONNECTED: the real socket is set aside under another
 *     number, the stand-in put under the number that libcurl knows;
 *  3. libcurl connects the stand-in: in progress;
 *  4. libcurl waits, or tells us to watch the socket: the real one is put back, and is writable.
 *
 * All four happen in one thread, the one that drives the transfer. On other versions nothing here does
 * anything. */
#include "internal.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct stand_in {
  pthread_t thread;
  int fd;       /* the number libcurl knows */
  int real;     /* the connected socket set aside, -1 before step 2 */
  int listener; /* whose queue is full */
  int filler;   /* with this one */
  struct stand_in *next;
} stand_in;

static stand_in *all;
static int waiting; /* how many there are, of all threads */

static int connects_the_connected(void)
{
  static int known;

  if(!known) {
    unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;
    known = version >= 0x075800 && version < 0x080000 ? 2 : 1;
  }
  return known == 2;
}

static void discard(stand_in *s)
{
  if(s->real >= 0)
    close(s->real);
  if(s->listener >= 0)
    close(s->listener);
  if(s->filler >= 0)
    close(s->filler);
  free(s);
}

/* Take out the stand-in of this thread for `fd`; for -1 any. */
static stand_in *take(int fd)
{
  stand_in **at, *found;

  common_lock();
  for(at = &all; (found = *at) != NULL; at = &found->next) {
    if(pthread_equal(found->thread, pthread_self()) &&
       (fd < 0 || found->fd == fd)) {
      *at = found->next;
      waiting--;
      break;
    }
  }
  common_unlock();
  return found;
}

static void put(stand_in *s)
{
  common_lock();
  waiting++;
  s->next = all;
  all = s;
  common_unlock();
}

/* Step 1. Answers 0 where it fails. */
int connected_handed_over(curl_socket_t fd, struct curl_sockaddr *address)
{
  struct sockaddr_storage peer;
  struct sockaddr_in dead_end = { .sin_family = AF_INET };
  socklen_t size = sizeof(peer);
  stand_in *s;

  if(!connects_the_connected() || getpeername(fd, (struct sockaddr *)&peer, &size))
    return 1;
  s = calloc(1, sizeof(*s));
  if(!s)
    return 0;
  dead_end.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  size = sizeof(dead_end);
  s->thread = pthread_self();
  s->fd = fd;
  s->real = -1;
  s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  s->filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if(bind(s->listener, (struct sockaddr *)&dead_end, size) || listen(s->listener, 0) ||
     getsockname(s->listener, (struct sockaddr *)&dead_end, &size) ||
     connect(s->filler, (struct sockaddr *)&dead_end, size)) {
    discard(s);
    return 0;
  }
  address->family = AF_INET;
  address->addrlen = size;
  memcpy(&address->addr, &dead_end, size);
  put(s);
  return 1;
}

/* Step 2. Answers 0 where it fails. */
int connected_stand_in(curl_socket_t fd)
{
  stand_in *s;
  int instead;

  if(!connects_the_connected())
    return 1;
  s = take(fd);
  if(!s)
    return 1; /* not connected after all: libcurl will find out */
  s->real = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  instead = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if(s->real < 0 || instead < 0 || dup2(instead, fd) < 0 ||
     socket_adopt(fd)) {
    if(instead >= 0)
      close(instead);
    discard(s);
    return 0;
  }
  close(instead);
  put(s);
  return 1;
}

/* Whether this thread has swapped since libcurl has last looked at all it has. */
static __thread int swapped;

/* Step 4, called whenever libcurl has come back from a step or announces a socket. */
void connected_swap(void)
{
  stand_in *s;

  if(!__atomic_load_n(&waiting, __ATOMIC_RELAXED))
    return;
  while((s = take(-1)) != NULL) {
    if(s->real >= 0) { /* or libcurl was told that it is not connected */
      fcntl(s->real, F_SETFL, fcntl(s->real, F_GETFL) | O_NONBLOCK);
      dup2(s->real, s->fd);
      socket_adopt(s->fd);
      swapped = 1;
    }
    discard(s);
  }
}

static int look_again(void)
{
  int found;

  connected_swap();
  found = swapped;
  swapped = 0;
  return found;
}

/* curl_multi_perform. That version does not watch the socket before it has looked at it once more. */
CURLMcode connected_perform(CURLM *multi, int *running)
{
  CURLMcode code;

  do
    code = curl_multi_perform(multi, running);
  while(!code && look_again());
  return code;
}

/* curl_multi_socket_action, likewise. */
CURLMcode connected_action(CURLM *multi, curl_socket_t fd, int events, int *running)
{
  CURLMcode code = curl_multi_socket_action(multi, fd, events, running);

  while(!code && look_again())
    code = curl_multi_socket_all(multi, running);
  return code;
}

/* libcurl closes `fd`: whatever step it had reached. */
void connected_forget(curl_socket_t fd)
{
  stand_in *s;

  if(__atomic_load_n(&waiting, __ATOMIC_RELAXED) && (s = take(fd)) != NULL)
    discard(s);
}
