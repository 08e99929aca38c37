/* Sockets: who opens them, and which closer each of them was opened under.
 *
 * libcurl copies CLOSESOCKETFUNCTION and -DATA into a connection when it makes one, and calls them
 * when that connection closes: in whatever thread, from whatever handle's transfer, long after the
 * easy handle may be gone. So the data is never a pointer but the number of a closer, which Python
 * keeps alive while a descriptor is booked under it. */
#define _GNU_SOURCE /* setns */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#ifdef __linux__
#include <sched.h>
#endif
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

uintptr_t new_id(void)
{
  static uintptr_t last;
  return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

/* The book: booked[fd] is the closer that fd was opened under, 0 for none. Descriptors are small
 * numbers and shared by all threads, hence an array under the lock of what all have in common. */
static uintptr_t *booked;
static int booked_room;

/* Answers 0 when out of memory. */
static int book_socket(curl_socket_t fd, uintptr_t closer)
{
  int done = 1;

  common_lock();
  if(fd >= booked_room) {
    int room = fd < 32 ? 64 : 2 * fd;
    uintptr_t *larger = realloc(booked, (size_t)room * sizeof(*booked));

    if(larger) {
      memset(larger + booked_room, 0, (size_t)(room - booked_room) * sizeof(*booked));
      booked = larger;
      booked_room = room;
    }
    else
      done = 0;
  }
  if(done)
    booked[fd] = closer;
  common_unlock();
  return done;
}

static void unbook_socket(curl_socket_t fd)
{
  common_lock();
  if(fd >= 0 && fd < booked_room)
    booked[fd] = 0;
  common_unlock();
}

/* The closers that are being called, under the same lock: not on the stacks of their threads, which the
 * interpreter's exit may end in the middle of a call. */
static uintptr_t *called;
static int called_count, called_room;

/* The booking goes next, but the closer is not to be dropped yet: Python waits for the GIL perhaps. */
static void begin_call(uintptr_t closer)
{
  common_lock();
  if(called_count == called_room) {
    uintptr_t *larger = realloc(called, ((size_t)called_room + 16) * sizeof(*called));

    if(larger) {
      called = larger;
      called_room += 16;
    }
  }
  if(called_count < called_room)
    called[called_count++] = closer;
  common_unlock();
}

static void end_call(uintptr_t closer)
{
  int i;

  common_lock();
  for(i = 0; i < called_count && called[i] != closer; i++)
    ;
  if(i < called_count) /* or it was begun before a fork */
    called[i] = called[--called_count];
  common_unlock();
}

/* In the child, with the lock held: the other threads are gone. */
void sockets_forked(void) { called_count = 0; }

/* How many descriptors are open under this closer, or about to be closed by it. */
size_t sockets_booked(uintptr_t closer)
{
  size_t count = 0;
  int fd, i;

  common_lock();
  for(fd = 0; fd < booked_room; fd++)
    count += booked[fd] == closer;
  for(i = 0; i < called_count; i++)
    count += called[i] == closer;
  common_unlock();
  return count;
}

/* The connection cache is gone: whatever it did not report closed will not be reported any more. */
void sockets_forget(uintptr_t closer)
{
  int fd;

  common_lock();
  for(fd = 0; fd < booked_room; fd++)
    if(booked[fd] == closer)
      booked[fd] = 0;
  common_unlock();
}

/* Makes a descriptor ours: not inherited by programs that this one starts. Answers its errno. */
int socket_adopt(int fd) { return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? errno : 0; }

/* The address family of a socket; minus errno where fd is none. */
int socket_family(int fd)
{
  struct sockaddr_storage name;
  socklen_t size = sizeof(name);

  return getsockname(fd, (struct sockaddr *)&name, &size) ? -errno : name.ss_family;
}

/* Whether the environment, as libcurl reads it, may name a proxy. */
int environment_names_proxies(void)
{
  extern char **environ;
  char **variable = environ;

  for(; variable && *variable; variable++) {
    const char *end = strchr(*variable, '=');

    if(end && end - *variable >= 6 && !strncasecmp(end - 6, "_proxy", 6))
      return 1;
  }
  return 0;
}

/* Opens a socket in the network namespace that a descriptor stands for; minus errno where it fails. A
 * thread of its own enters it: one that failed to come back would take the program along. */
struct elsewhere {
  int netns, family, socktype, protocol, fd;
};

static void *open_elsewhere(void *p)
{
  struct elsewhere *wanted = p;
#ifdef __linux__
  wanted->fd = setns(wanted->netns, CLONE_NEWNET);
  if(!wanted->fd)
    wanted->fd = socket(wanted->family, wanted->socktype | SOCK_CLOEXEC, wanted->protocol);
  if(wanted->fd < 0)
    wanted->fd = -errno;
#else
  wanted->fd = -ENOSYS;
#endif
  return NULL;
}

int socket_in_netns(int netns, int family, int socktype, int protocol)
{
  struct elsewhere wanted = { netns, family, socktype, protocol, -1 };
  pthread_t thread;
  int problem = pthread_create(&thread, NULL, open_elsewhere, &wanted);

  if(problem)
    return -problem;
  pthread_join(thread, NULL);
  return wanted.fd;
}

/* Python's opener. What it gives is ours, and is to be a socket of the family that the address says; how
 * classic handles have it, that is the opener's affair. */
static curl_socket_t open_by_python(easy *e, curlsocktype purpose, struct curl_sockaddr *address)
{
  int type = address->socktype & ~(SOCK_CLOEXEC | SOCK_NONBLOCK), family;
  curl_socket_t fd = python_opensocket(e->id, purpose, address->family, type, address->protocol,
                                       (char *)&address->addr, address->addrlen);

  if(fd == CURL_SOCKET_BAD)
    return fd;
  family = socket_family(fd);
  if(family == address->family || (family >= 0 && e->classic)) {
    socket_adopt(fd);
    return fd;
  }
  python_wrong_socket(e->id, fd, family, address->family);
  if(family >= 0) /* else it is no socket: 0 would be stdin */
    close(fd);
  return CURL_SOCKET_BAD;
}

/* Python's opener, and then its policy: about where the socket is connected to, if it is, or where the
 * opener lets libcurl connect it. */
static curl_socket_t open_checked(easy *e, curlsocktype purpose, struct curl_sockaddr *address)
{
  struct {
    struct curl_sockaddr address;
    char room[sizeof(struct sockaddr_storage)];
  } asked;
  struct sockaddr_storage peer;
  socklen_t size = sizeof(peer);
  unsigned most = sizeof(struct sockaddr_storage);
  curl_socket_t fd;

  asked.address = *address;
  memcpy(&asked.address.addr, &address->addr, address->addrlen < most ? address->addrlen : most);
  fd = open_by_python(e, purpose, address);
  if(fd == CURL_SOCKET_BAD ||
     (purpose == CURLSOCKTYPE_IPCXN && getpeername(fd, (struct sockaddr *)&peer, &size) &&
      verdicts_allow_address(e->verdicts, address)) ||
     python_judge(e->id, fd, purpose, address, &asked.address))
    return fd;
  close(fd);
  return CURL_SOCKET_BAD;
}

/* CURLOPT_OPENSOCKETFUNCTION: Python's opener, or socket(2) where only a closer is set. */
curl_socket_t on_open_socket(void *p, curlsocktype purpose, struct curl_sockaddr *address)
{
  easy *e = p;
  curl_socket_t fd;

  if(e->opens ? !ready(e) : e->stopped)
    return CURL_SOCKET_BAD;
  if(e->opens && !(e->verdicts_open && purpose == CURLSOCKTYPE_IPCXN &&
                   verdicts_allow_address(e->verdicts, address)))
    fd = e->verdicts_check ? open_checked(e, purpose, address)
                           : open_by_python(e, purpose, address);
  else
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if(fd == CURL_SOCKET_BAD)
    return fd;
  /* A callback may have set a closer meanwhile: e->closer is what counts from here. */
  if((e->closer && !book_socket(fd, e->closer)) ||
     (e->opens && purpose == CURLSOCKTYPE_IPCXN && !connected_handed_over(fd, address))) {
    unbook_socket(fd);
    close(fd);
    return CURL_SOCKET_BAD;
  }
  e->fresh = 1;
  return fd;
}

/* CURLOPT_SOCKOPTFUNCTION. */
int on_socket_options(void *p, curl_socket_t fd, curlsocktype purpose)
{
  easy *e = p;
  int answer = ready(e) ? python_sockopt(e->id, fd, purpose) : CURL_SOCKOPT_ERROR;

  if(answer == CURL_SOCKOPT_ALREADY_CONNECTED && !connected_stand_in(fd))
    answer = CURL_SOCKOPT_ERROR;
  return answer;
}

/* CURLOPT_CLOSESOCKETFUNCTION. The booking goes first, because the number can be in use again as
 * soon as Python's closer has closed it. A closer that is gone leaves what libcurl would do. */
static int on_close_socket(void *closer, curl_socket_t fd)
{
  uintptr_t id = (uintptr_t)closer;
  int answer;

  begin_call(id);
  unbook_socket(fd);
  connected_forget(fd);
  answer = python_closesocket(id, fd);
  end_call(id);
  return answer < 0 ? close(fd) : answer;
}

/* Connections made from now on close through `closer`, a number that is never used twice, and are
 * booked under it. Not `present`: they close as libcurl does by itself, and yet are booked under
 * `closer` where that is not 0. */
int easy_set_closer(easy *e, uintptr_t closer, int present)
{
  int code = easy_enter(e);

  if(code)
    return code;
  code = curl_easy_setopt(e->curl, CURLOPT_CLOSESOCKETDATA, (void *)closer);
  if(!code)
    code = curl_easy_setopt(e->curl, CURLOPT_CLOSESOCKETFUNCTION,
                            present ? on_close_socket : NULL);
  if(!code)
    code = curl_easy_setopt(e->curl, CURLOPT_OPENSOCKETDATA, e);
  if(!code)
    code = curl_easy_setopt(e->curl, CURLOPT_OPENSOCKETFUNCTION,
                            e->opens || closer ? on_open_socket : NULL);
  if(!code)
    e->closer = closer;
  easy_leave(e);
  return code;
}
