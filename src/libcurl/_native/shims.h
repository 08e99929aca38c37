/* What this package's own C files offer to Python. Read by the C compiler and, as it stands, by
 * cffi: typedefs, structs and prototypes only.
 *
 * A shim answers with libcurl's own code (0 and up), or with one of these refusals, decided before
 * libcurl is entered. */
enum refusal {
  HANDLE_CLOSED = -1,   /* the handle was closed */
  HANDLE_BUSY = -2,     /* another thread is using it */
  HANDLE_FORKED = -3,   /* it was made in another process, before a fork */
  HANDLE_DEFERRED = -4, /* it is in a callback of its own: it will be closed when that ends */
  HANDLE_RUNNING = -5,  /* perform: not finished; continue it */
  HANDLE_PERFORMING = -6, /* a classic handle, which is not used in callbacks of its own */
  HANDLE_REGISTERED = -7 /* Python has registered it: there is more to close than the handle itself */
};

/* Who is inside a handle. A handle is used by one thread at a time; the same thread may enter again
 * (a callback that calls setopt). */
typedef struct guard {
  void *thread;         /* identifies the thread inside, NULL for none */
  unsigned generation;  /* the process it was made in, counted in forks */
  unsigned short depth; /* how often it has entered */
  _Bool shown;          /* one of these is for Python to look at what was found */
} guard;

/* A growing run of bytes. */
typedef struct buffer {
  char *data;
  size_t size; /* bytes in use */
  size_t room; /* bytes allocated */
} buffer;

/* Where a body goes, where an upload comes from and where to tell about it, when that is no callback. */
typedef struct files {
  int sink;                /* a file, 0 for none */
  int source;              /* a file, 0 for none */
  const char *memory;      /* what is uploaded, where there is no file */
  int64_t begin, size, at; /* of the source */
  int64_t written;         /* to the sink, by all transfers */
  int error;               /* errno of either file */
  void *log;               /* CURLOPT_STDERR, a FILE of our own */
} files;

/* What easy_fetch has room for without ado. */
enum { FIRST_ROOM = 16384 };

/* What `performing` is when all that is left of a transfer is that Python looks at its body. */
enum { FETCHED = 2 };

/* Where the answers of easy_fetch begin that are no sizes. */
enum { NO_SIZE = -4096 };

/* How much of a body that is taken in pieces waits in memory before its transfer is paused. */
enum { STREAM_MOST = 1 << 18 };

/* How long libcurl is left alone before Python may look at signals, in milliseconds. */
enum { SLICE = 100 };

/* Something libcurl keeps a pointer to, and how to free it once no option points there. */
struct kept;

/* A CURLM. The easies that were added to it are linked through `next` and `before`. */
typedef struct multi {
  guard inside;
  CURLM *curlm;             /* NULL once closed */
  uintptr_t id;             /* never used twice */
  struct easy *first;       /* the easies in it */
  struct easy *pending;     /* those with something to deliver to Python */
  struct loop *loop;        /* where a descriptor of its own stands for it (loop.c) */
  int64_t *results;         /* triples: an easy's id, its CURLcode, the size of a body at e->first where
                             * there is nothing else to do in Python, or -1 */
  int results_room;
  int results_count;
  _Bool portable;           /* driven by libcurl's own poll, without a descriptor */
  _Bool nudged;             /* has an FTP transfer that may stall (multi_nudge) */
  _Bool halted;             /* an easy of it was stopped by a callback that could not tell libcurl */
  _Bool refused;            /* a multi callback failed: the call in progress will say so */
  _Bool timer_refused;      /* and it was the timer's */
  _Bool failed;             /* a multi callback raised: none is entered any more in this call */
  unsigned drives;          /* how often it was driven */
  unsigned told;            /* `drives` when a select last ended because the timer was due */
  unsigned wakers;          /* how many threads are in multi_wakeup */
  _Bool ending;             /* none comes in any more: it is being closed */
  _Bool woken;              /* wakeup was called, perhaps just when a slice of a wait had ended */
} multi;

/* A CURLSH and the locks of what it shares. */
typedef struct share share;

/* What Python has of one: the handles in it hold it too. */
typedef struct share_hold {
  share *share;
} share_hold;

/* What easy_set_many adds to the code of an option that failed, for each that was set before it. */
enum { SET_BEFORE = 1 << 16 };

/* An option that is set, and its value where that is a number or a text. */
typedef struct note {
  int64_t number; /* of a text, its size */
  char *text;
  int option;
} note;

/* A CURL and everything that libcurl may point to on its behalf: it lives until curl_easy_cleanup
 * has returned. Callbacks get its address from libcurl and pass its id on to Python. */
typedef struct easy {
  guard inside;
  CURL *curl;        /* NULL once closed */
  uintptr_t id;      /* never used twice */
  CURLM *steps;      /* the private multi that perform() steps, from the first one on (steps.c) */
  CURLSH *cache;     /* names, kept for the handle where its private multi is lent; else NULL */
  share *share;      /* the user's that it is in, held until libcurl has let go of it; NULL for none */
  multi *joined;     /* the multi that the user added it to */
  struct easy *next; /* in that multi */
  struct easy *before;
  struct plan *plan; /* what easy_set_again sets */
  char *error;       /* CURLOPT_ERRORBUFFER, made by the first transfer */
  struct verdicts *verdicts; /* addresses that need not be asked about, NULL for none */
  note *notes;       /* of a classic handle: what is set (notes.c) */
  struct kept *kept; /* one per list option, and what a transfer may be using still */
  uintptr_t closer;  /* the closer cell under which sockets are booked, 0 for none */
  char *first;       /* FIRST_ROOM bytes that small bodies are fetched into: they stay where they are */
  buffer body;       /* what was received, where there is no write callback */
  struct lines *lines; /* of headers, that Python has yet to hear of; made by the first one */
  struct easy *pending_next; /* in the multi: the next easy with something to deliver */
  files *files;      /* NULL for none */
  int note_count;
  int maxconnects;   /* as set: the private multi needs it, 0 for libcurl's default */
  unsigned transfers; /* how many have begun */
  unsigned waits;    /* in a multi: its `drives` when it was added, until which nothing happens */
  unsigned char stage; /* of a plan: what is set, and what is put off (plan.c) */
  unsigned char insurances; /* how many times easy_backstop is to come */
  unsigned char buffers; /* how large libcurl's are (perform.c) */
  unsigned char performing; /* inside easy_perform; FETCHED from the end of easy_fetch to easy_fetched */
  _Bool maxconnects_changed; /* and the private multi has not heard of it */
  _Bool classic; /* as pycurl's are: it has an agent, and is not used in callbacks of its own */
  _Bool opens; /* a Python opener is set */
  _Bool writes; /* a Python write callback is set */
  _Bool secures; /* a Python callback for SSL_CTX is set */
  _Bool ended; /* in its multi: the transfer is over, libcurl has said so */
  _Bool verdicts_open; /* and not asked about addresses that are in `verdicts` */
  _Bool verdicts_check; /* what the opener has opened is to be in `verdicts`, or Python is asked */
  _Bool fresh;   /* a socket was opened since the last request */
  _Bool refusing; /* the opener has refused an address since the last request */
  _Bool insured;   /* the last easy_backstop is to end it */
  _Bool registered; /* of a classic handle: Python finds it by its id */
  _Bool attention; /* Python has something to do after every transfer */
  _Bool lent;    /* body is memory of a bytes object */
  _Bool gathers; /* the write callback is a BytesIO's, which is given what was gathered */
  _Bool gathered; /* so it is again after this transfer */
  _Bool collects; /* the body of this transfer is collected in the write callback's place */
  _Bool pending; /* in the multi's list of those with something to deliver */
  _Bool refused; /* a callback refused what was gathered for it */
  _Bool limited; /* pause when more than STREAM_MOST has arrived */
  _Bool paused;  /* because of that */
  _Bool streams; /* what arrives is taken in pieces: easy_stream comes back with each */
  _Bool touched; /* Python has had control: what it has written to the sink's file goes first */
  _Bool attached; /* in the private multi */
  _Bool leaves_more; /* than one request's connection, there: certificates, connections of libcurl's own */
  _Bool dropping; /* it leaves a multi: no closer begins, or goes on with, a transfer */
  _Bool closing; /* close() was called in a callback */
  _Bool stopped; /* a callback raised: no callback of this transfer is entered any more */
} easy;

/* What easy_getinfo finds: the caller's, for a signal handler may ask for another info before it is read. */
typedef union found {
  long number;
  curl_off_t offset;
  double real;
  void *pointer;
} found;

/* The same for short strings. */
enum { TEXT_ROOM = 1024 };

/* guard.c */
int library_init(void);
int easy_enter(easy *);
int easy_enter_to_look(easy *);
int easy_enter_again(easy *);
int easy_idle(easy *);
int easy_depth(easy *);
void easy_leave_to(easy *, int depth);
int easy_inside(const easy *);

/* easy.c */
void easy_classic_agent(const char *);
easy *easy_classic(size_t size);
void easy_renew(easy *);
void easy_free(easy *);
int easy_init(easy *);
int easy_duplicate(easy *, easy *twin);
int easy_adopt(easy *, CURL *, _Bool classic);
int easy_close(easy *);
int easy_close_alone(easy *);
void easy_insure(easy *);
void easy_backstop(easy *);
void easy_renounce(easy *);
int easy_amid(easy *);
int easy_reset(easy *);
int easy_pause(easy *, int bitmask);
int easy_upkeep(easy *);
int easy_send(easy *, const void *data, size_t size, size_t *sent);
int easy_recv(easy *, void *data, size_t size, size_t *received);

/* perform.c */
int easy_perform(easy *, int milliseconds);
int easy_continue(easy *, int milliseconds);
int easy_stream(easy *, int milliseconds);
int easy_stream_on(easy *, int milliseconds);
int64_t easy_fetch(easy *);
int64_t easy_fetch_on(easy *);
int easy_fetched(easy *);
void easy_abandon(easy *);

/* infos.c */
int easy_getinfo(easy *, int info, found *);
int easy_getinfo_text(easy *, int info, char **text);
void easy_free_text(char *text);
int64_t easy_info_number(easy *, int info);
double easy_info_real(easy *, int info);
const char *easy_info_text(easy *, int info, char *room);

/* headers.c */
int easy_headers(easy *, unsigned origin, int request, buffer *names, buffer *values);

/* options.c */
int easy_set_number(easy *, int option, int64_t);
int easy_set_text(easy *, int option, const char *);
int easy_set_pointer(easy *, int option, void *);
int easy_set_post(easy *, void *data, curl_off_t size);
int easy_set_blob(easy *, int option, void *data, size_t size);
int easy_set_list(easy *, int option, const char *items, size_t size);
struct curl_slist *easy_list(easy *, int option);
int easy_set_stderr(easy *, int fd);
int easy_set_many(easy *, const int64_t *settings, int count, const char *texts);

/* notes.c */
enum { POST_COPIED = 16384 };
enum { SHORT_TEXT = 1, SHORT_LIST };
void easy_note_short(int option, int what);
int easy_note_number(easy *, int option, int64_t);
int easy_note_text(easy *, int option, const char *text, size_t size);
int easy_note_post(easy *, const char *data, size_t size);
int easy_note_any_text(easy *, int option, const char *text, size_t size);
int easy_note_list(easy *, int option, const char *items, size_t size, int count);
int easy_note(easy *, int option, int present);

/* plan.c */
int easy_plan(easy *, const int64_t *settings, int count, const char *texts, size_t size);
int easy_set_again(easy *);
int easy_reset_later(easy *);

/* sinks.c */
char *easy_first(easy *);
void easy_body_taken(easy *);
int easy_set_sink(easy *, int fd);
int easy_set_source(easy *, const char *data, int fd, curl_off_t begin, curl_off_t size);

/* callbacks.c */
int easy_set_callback(easy *, int option, int present);
int list_append(struct curl_slist **, const char *);

/* multi.c */
multi *multi_new(size_t size);
int multi_close(multi *);
void multi_free(multi *);
int multi_enter(multi *);
void multi_leave(multi *);
int multi_forked(const multi *);
int multi_add(multi *, easy *);
int multi_admit(multi *, easy *);
void multi_added(multi *);
int multi_remove(multi *, easy *);
int multi_perform(multi *, int *running);
int multi_poll(multi *, struct curl_waitfd *, unsigned count, int milliseconds, int *ready);
int multi_wait(multi *, struct curl_waitfd *, unsigned count, int milliseconds, int *ready);
int multi_wakeup(multi *);
int multi_waitfds(multi *, struct curl_waitfd *, unsigned room, unsigned *count);
int multi_timeout(multi *, long *milliseconds);
int multi_fdset(multi *, int *fds, int room, int *count);
int multi_socket_action(multi *, curl_socket_t, int events, int *running);
int multi_assign(multi *, curl_socket_t, int present);
int multi_set_number(multi *, CURLMoption, int64_t);
int multi_set_list(multi *, CURLMoption, char **);
int multi_get_offt(multi *, CURLMinfo_offt, curl_off_t *);
int multi_notify(multi *, unsigned notification, int enable);
int multi_info_read(multi *);
void multi_results_taken(multi *);

/* multi_callbacks.c */
int multi_set_callback(multi *, CURLMoption, int present);

/* classic.c */
enum { TIME_PASSED = 2147483647 };
#define NO_NUMBER -4611686018427387904
int multi_in_use(multi *);
int easy_call_back(easy *, int option, int gathers);
int64_t multi_take_in(multi *, easy *);
int64_t multi_let_go(multi *, easy *);
int64_t multi_finished(multi *);
int64_t multi_drive(multi *);
int64_t multi_act(multi *, int fd, int events);
int64_t multi_due(multi *);
int64_t multi_wait_slice(multi *, int milliseconds, int polls);

/* loop.c */
int multi_fileno(multi *);
int multi_step(multi *, int milliseconds);

/* share.c */
share_hold *share_new(size_t size);
void share_free(share_hold *);
int share_empty(share *);
int share_close(share *);
int share_closed(const share *);
int share_set(share *, CURLSHoption, int data);
int easy_set_share(easy *, share *);

/* url.c */
void url_end(CURLU **);

/* sockets.c */
int easy_set_closer(easy *, uintptr_t closer, int present);
uintptr_t new_id(void);
size_t sockets_booked(uintptr_t closer);
void sockets_forget(uintptr_t closer);
int socket_family(int fd);
int environment_names_proxies(void);
int socket_in_netns(int netns, int family, int socktype, int protocol);

/* verdicts.c */
typedef struct verdicts verdicts;
verdicts *verdicts_new(void);
void verdicts_free(verdicts *);
void verdicts_allow(verdicts *, const void *host, size_t size, unsigned port);
int easy_set_verdicts(easy *, verdicts *, int opens, int check);

/* mime.c */
int mime_source(curl_mimepart *, uintptr_t id, curl_off_t size, int seekable);
int mime_headers(curl_mimepart *, const char *items, size_t size);

/* websocket.c */
int easy_ws_send(easy *, const void *data, size_t size, size_t *sent, curl_off_t fragsize,
                 unsigned flags);
int easy_ws_recv(easy *, void *data, size_t size, size_t *received, struct curl_ws_frame *);
int easy_ws_meta(easy *, struct curl_ws_frame *);
int easy_ws_start_frame(easy *, unsigned flags, curl_off_t size);

/* sessions.c */
int easy_ssls_export(easy *);
int easy_ssls_import(easy *, const char *key, const unsigned char *shmac, size_t shmac_size,
                     const unsigned char *data, size_t size);

/* presence.c (generated): functions newer than the oldest libcurl supported */
typedef struct newer_function {
  const char *name;
  const char *since;
  int present;
} newer_function;
const newer_function *newer_functions(void);
