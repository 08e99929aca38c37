/* The limit: each job of `make bench` in C, on the same libcurl and with the same options.
 *
 *   jobs JOB URL COUNT [N]     does it and prints what it took, as JSON
 *   jobs --list                what it can do
 *
 * What the Python clients do for a job stands in clients/native.py, in the same order. */
#define _GNU_SOURCE
#include <curl/curl.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define AT_A_TIME 100
#define THREADS 4
#define BULK (512L * 1024)
#define HUGE_PAGE ((size_t)2 << 20)

static size_t received; /* for the check: bytes of all bodies */
static long lines;

static void die(const char *what, const char *why)
{
  fprintf(stderr, "jobs: %s: %s\n", what, why);
  exit(1);
}

static void ok(CURLcode code)
{
  if(code)
    die("libcurl", curl_easy_strerror(code));
}

/* A body in memory, as a careful C program collects it: the buffer is used again. */
typedef struct body {
  CURL *curl;
  char *data;
  size_t size, room;
} body;

static size_t collect(char *data, size_t size, size_t count, void *p)
{
  body *b = p;

  size *= count;
  if(b->room - b->size < size) {
    size_t room = b->room ? 2 * b->room : 4096;
    if(room < b->size + size)
      room = b->size + size;
    b->data = realloc(b->data, room);
    if(!b->data)
      return 0;
    b->room = room;
  }
  memcpy(b->data + b->size, data, size);
  b->size += size;
  return size;
}

static void common(CURL *curl, const char *url)
{
  ok(curl_easy_setopt(curl, CURLOPT_URL, url));
  ok(curl_easy_setopt(curl, CURLOPT_USERAGENT, "bench"));
}

static CURL *new_easy(const char *url, body *b)
{
  CURL *curl = curl_easy_init();

  if(!curl)
    die("curl_easy_init", "failed");
  common(curl, url);
  b->curl = curl;
  ok(curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect));
  ok(curl_easy_setopt(curl, CURLOPT_WRITEDATA, b));
  return curl;
}

static void get(CURL *curl, body *b)
{
  b->size = 0;
  ok(curl_easy_perform(curl));
  received += b->size;
}

/* a. sequential small GETs, kept alive; with `j` another thread spins */
static void sequential(const char *url, int count, int n)
{
  body b = { 0 };
  CURL *curl = new_easy(url, &b);

  while(count--)
    get(curl, &b);
  curl_easy_cleanup(curl);
  free(b.data);
}

/* b. reset and ten options per request */
static void options(const char *url, int count, int n)
{
  body b = { 0 };
  CURL *curl = new_easy(url, &b);

  while(count--) {
    curl_easy_reset(curl);
    common(curl, url);
    ok(curl_easy_setopt(curl, CURLOPT_REFERER, "http://127.0.0.1/"));
    ok(curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 30000L));
    ok(curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 5000L));
    ok(curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L));
    ok(curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L));
    ok(curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L));
    ok(curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L));
    ok(curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L));
    ok(curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect));
    ok(curl_easy_setopt(curl, CURLOPT_WRITEDATA, &b));
    get(curl, &b);
  }
  curl_easy_cleanup(curl);
  free(b.data);
}

/* c. a large body into memory: as good as C can do it. Huge pages, and the size known beforehand. */
static size_t collect_bulk(char *data, size_t size, size_t count, void *p)
{
  body *b = p;

  size *= count;
  if(!b->data) {
    curl_off_t length = 0;
    ok(curl_easy_getinfo(b->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length));
    b->room = ((size_t)length + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    b->data = aligned_alloc(HUGE_PAGE, b->room);
    if(!b->data)
      return 0;
    madvise(b->data, b->room, MADV_HUGEPAGE);
  }
  memcpy(b->data + b->size, data, size);
  b->size += size;
  return size;
}

static void memory(const char *url, int count, int n)
{
  body b = { 0 };
  CURL *curl = new_easy(url, &b);

  ok(curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, BULK));
  ok(curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect_bulk));
  while(count--) {
    get(curl, &b);
    free(b.data);
    b.data = NULL;
  }
  curl_easy_cleanup(curl);
}

/* d. a large body into a file, and a large upload from memory */
static size_t to_descriptor(char *data, size_t size, size_t count, void *p)
{
  ssize_t written = write(*(int *)p, data, size * count);

  received += written > 0 ? (size_t)written : 0;
  return written < 0 ? 0 : (size_t)written;
}

static void file(const char *url, int count, int n)
{
  body b = { 0 };
  CURL *curl = new_easy(url, &b);
  char name[] = "bench.XXXXXX";
  int fd = mkstemp(name);

  ok(curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, BULK));
  ok(curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, to_descriptor));
  ok(curl_easy_setopt(curl, CURLOPT_WRITEDATA, &fd));
  while(count--) {
    if(lseek(fd, 0, SEEK_SET) || ftruncate(fd, 0))
      die("bench file", "cannot be rewound");
    get(curl, &b);
  }
  curl_easy_cleanup(curl);
  close(fd);
  unlink(name);
}

typedef struct source {
  const char *data;
  size_t size, at;
} source;

static size_t from_memory(char *data, size_t size, size_t count, void *p)
{
  source *s = p;

  size *= count;
  if(size > s->size - s->at)
    size = s->size - s->at;
  memcpy(data, s->data + s->at, size);
  s->at += size;
  return size;
}

static void upload(const char *url, int count, int n)
{
  body b = { 0 };
  CURL *curl = new_easy(url, &b);
  struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
  source s = { .size = 100000000 };
  char *data = malloc(s.size);

  memset(data, 'x', s.size);
  s.data = data;
  ok(curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L));
  ok(curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, BULK));
  ok(curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers));
  ok(curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)s.size));
  ok(curl_easy_setopt(curl, CURLOPT_READFUNCTION, from_memory));
  ok(curl_easy_setopt(curl, CURLOPT_READDATA, &s));
  while(count--) {
    s.at = 0;
    get(curl, &b);
    received += s.at;
  }
  curl_easy_cleanup(curl);
  curl_slist_free_all(headers);
  free(data);
  free(b.data);
}

/* e. 50 headers: a callback for each line; or libcurl's parsed ones */
static size_t count_line(char *data, size_t size, size_t count, void *p)
{
  (void)data;
  (void)p;
  lines++;
  return size * count;
}

static void header_lines(const char *url, int count, int n)
{
  body b = { 0 };
  CURL *curl = new_easy(url, &b);

  ok(curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, count_line));
  while(count--)
    get(curl, &b);
  curl_easy_cleanup(curl);
  free(b.data);
}

static void header_mapping(const char *url, int count, int n)
{
  body b = { 0 };
  CURL *curl = new_easy(url, &b);

  while(count--) {
    struct curl_header *header = NULL;

    get(curl, &b);
    while((header = curl_easy_nextheader(curl, CURLH_HEADER, -1, header)) != NULL) {
      lines++;
      received += !*header->name;
    }
  }
  curl_easy_cleanup(curl);
  free(b.data);
}

/* f. a new connection per request, three socket callbacks */
static curl_socket_t opener(void *p, curlsocktype purpose, struct curl_sockaddr *address)
{
  (void)p;
  (void)purpose;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int socket_options(void *p, curl_socket_t fd, curlsocktype purpose)
{
  (void)p;
  (void)fd;
  (void)purpose;
  return CURL_SOCKOPT_OK;
}

static int closer(void *p, curl_socket_t fd)
{
  (void)p;
  return close(fd);
}

static void connections(const char *url, int count, int n)
{
  body b = { 0 };
  CURL *curl = new_easy(url, &b);

  ok(curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L));
  ok(curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, opener));
  ok(curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, socket_options));
  ok(curl_easy_setopt(curl, CURLOPT_CLOSESOCKETFUNCTION, closer));
  while(count--)
    get(curl, &b);
  curl_easy_cleanup(curl);
  free(b.data);
}

/* g, h, n. many at a time: libcurl's socket interface on epoll. h is the same, with asyncio in Python. */
typedef struct loop {
  CURLM *multi;
  int epoll;
  double deadline; /* milliseconds, -1: none */
} loop;

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int on_timer(CURLM *multi, long milliseconds, void *p)
{
  loop *l = p;

  (void)multi;
  l->deadline = milliseconds < 0 ? -1 : now() + (double)milliseconds;
  return 0;
}

static int on_socket(CURL *curl, curl_socket_t fd, int what, void *p, void *known)
{
  loop *l = p;
  struct epoll_event event = { .data.fd = fd };

  (void)curl;
  event.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
  if(what == CURL_POLL_REMOVE)
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
  else {
    epoll_ctl(l->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    curl_multi_assign(l->multi, fd, l);
  }
  return 0;
}

static void multi(const char *url, int count, int at_a_time, long version, int afresh)
{
  loop l = { .multi = curl_multi_init(), .epoll = epoll_create1(EPOLL_CLOEXEC), .deadline = -1 };
  int started = 0, done = 0, running, queued, i;
  body *bodies = calloc((size_t)at_a_time, sizeof(*bodies));
  struct epoll_event events[64];

  curl_multi_setopt(l.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(l.multi, CURLMOPT_SOCKETDATA, &l);
  curl_multi_setopt(l.multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(l.multi, CURLMOPT_TIMERDATA, &l);
  for(; started < at_a_time && started < count; started++) {
    CURL *curl = new_easy(url, &bodies[started]);

    ok(curl_easy_setopt(curl, CURLOPT_PRIVATE, &bodies[started]));
    if(version) {
      ok(curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, version));
      ok(curl_easy_setopt(curl, CURLOPT_PIPEWAIT, 1L));
      ok(curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L));
    }
    if(afresh) {
      ok(curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L));
      ok(curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L));
    }
    curl_multi_add_handle(l.multi, curl);
  }
  while(done < count) {
    CURLMsg *message;
    double left = l.deadline < 0 ? 1000 : l.deadline - now();
    int ready = epoll_wait(l.epoll, events, 64, left > 0 ? (int)left + 1 : 0);

    for(i = 0; i < ready; i++) {
      int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                 (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                 (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
      curl_multi_socket_action(l.multi, events[i].data.fd, what, &running);
    }
    if(l.deadline >= 0 && l.deadline <= now()) {
      l.deadline = -1;
      curl_multi_socket_action(l.multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    while((message = curl_multi_info_read(l.multi, &queued)) != NULL) {
      CURL *curl = message->easy_handle;
      char *private;
      body *b;

      ok(message->data.result);
      curl_easy_getinfo(curl, CURLINFO_PRIVATE, &private);
      b = (body *)private;
      received += b->size;
      b->size = 0;
      done++;
      curl_multi_remove_handle(l.multi, curl);
      if(started < count) {
        started++;
        curl_multi_add_handle(l.multi, curl);
      }
    }
  }
  for(i = 0; i < at_a_time; i++) {
    curl_easy_cleanup(bodies[i].curl);
    free(bodies[i].data);
  }
  free(bodies);
  curl_multi_cleanup(l.multi);
  close(l.epoll);
}

static void many(const char *url, int count, int n) { multi(url, count, n, 0, 0); }

static void many_h2(const char *url, int count, int n)
{
  multi(url, count, n, CURL_HTTP_VERSION_2TLS, 0);
}

static void crowd(const char *url, int count, int n) { multi(url, count, n, 0, 1); }

/* i. threads */
typedef struct work {
  const char *url;
  int count;
} work;

static void *thread(void *p)
{
  work *w = p;
  sequential(w->url, w->count, 0);
  return NULL;
}

static void threads(const char *url, int count, int number)
{
  pthread_t ids[64];
  work w = { url, count / number };
  int i;

  for(i = 0; i < number; i++)
    pthread_create(&ids[i], NULL, thread, &w);
  for(i = 0; i < number; i++)
    pthread_join(ids[i], NULL);
}

/* k. idle handles */
static void idle(const char *url, int count, int n)
{
  while(count--)
    if(!curl_easy_init())
      die("curl_easy_init", "failed");
}

static double seconds(struct timeval t) { return (double)t.tv_sec + 1e-6 * (double)t.tv_usec; }

/* In kB. Not ru_maxrss, which has the parent's as well. */
static long memory_of(const char *which)
{
  char line[200];
  long size = -1;
  FILE *status = fopen("/proc/self/status", "r");

  while(status && size < 0 && fgets(line, sizeof(line), status))
    if(!strncmp(line, which, strlen(which)))
      size = atol(line + strlen(which));
  if(size < 0)
    die("/proc/self/status", "cannot be read");
  fclose(status);
  return size;
}

/* What n is where it is not given: how many at a time, or threads. */
static const struct {
  const char *name;
  void (*function)(const char *url, int count, int n);
  int n;
} jobs[] = {
  { "a", sequential, 0 },
  { "b", options, 0 },
  { "c", memory, 0 },
  { "d-file", file, 0 },
  { "d-upload", upload, 0 },
  { "e-lines", header_lines, 0 },
  { "e-mapping", header_mapping, 0 },
  { "f", connections, 0 },
  { "f-policy", connections, 0 },
  { "g", many, AT_A_TIME },
  { "h", many, AT_A_TIME },
  { "h2", many_h2, AT_A_TIME },
  { "i", threads, THREADS },
  { "j", sequential, 0 },
  { "k", idle, 0 },
  { "n", crowd, AT_A_TIME },
};
#define JOBS (sizeof(jobs) / sizeof(*jobs))

static void list(void)
{
  size_t i;

  for(i = 0; i < JOBS; i++)
    printf("%c\"%s\"", i ? ',' : '[', jobs[i].name);
  puts("]");
}

int main(int argc, char **argv)
{
  struct rusage before, after;
  double begin, end;
  long base;
  size_t i;
  int n;

  if(argc == 2 && !strcmp(argv[1], "--list")) {
    list();
    return 0;
  }
  if(argc < 4)
    die("usage", "jobs JOB URL COUNT [N]");
  for(i = 0; i < JOBS && strcmp(argv[1], jobs[i].name); i++)
    ;
  if(i == JOBS)
    die("no such job", argv[1]);
  n = argc > 4 ? atoi(argv[4]) : 0;
  curl_global_init(CURL_GLOBAL_DEFAULT);
  base = memory_of("VmRSS:");
  getrusage(RUSAGE_SELF, &before);
  begin = now();
  jobs[i].function(argv[2], atoi(argv[3]), n ? n : jobs[i].n);
  end = now();
  getrusage(RUSAGE_SELF, &after);
  double user = seconds(after.ru_utime) - seconds(before.ru_utime);
  double system = seconds(after.ru_stime) - seconds(before.ru_stime);
  printf("{\"wall\": %.6f, \"cpu\": %.6f, \"user\": %.6f, \"peak\": %ld, \"base\": %ld, "
         "\"kept\": %ld, \"bytes\": %zu, \"lines\": %ld}\n",
         (end - begin) / 1e3, user + system, user, memory_of("VmHWM:"), base,
         memory_of("VmRSS:") - base,
         received, lines);
  return 0;
}
