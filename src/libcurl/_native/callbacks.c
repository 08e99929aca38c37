/* The callbacks of an easy handle, as libcurl sees them.
 *
 * Each is the same: libcurl hands back the `easy` it was given, which lives as long as the CURL; a
 * transfer that a callback has stopped is told so again, without entering Python; otherwise Python
 * gets what was gathered for it (sinks.c) and is called with the id. They run in the thread that drives the transfer, inside its libcurl call. */
#include "internal.h"

static size_t on_write(char *data, size_t size, size_t count, void *p)
{
  easy *e = p;

  size *= count;
  if(e->stopped || (e->lines && e->lines->count && !deliver(e)))
    return CURL_WRITEFUNC_ERROR;
  if(!e->writes) /* unset by itself, and libcurl has more of what it had in hand */
    return write_without(e, data, size);
  return e->gathers ? gather_body(e, data, size) : python_write(e->id, data, size);
}

static size_t on_header(char *data, size_t size, size_t count, void *p)
{
  easy *e = p;
  return e->stopped ? CURL_WRITEFUNC_ERROR : gather_line(e, data, size * count);
}

static size_t on_interleave(void *data, size_t size, size_t count, void *p)
{
  easy *e = p;
  return ready(e) ? python_interleave(e->id, data, size * count) : CURL_WRITEFUNC_ERROR;
}

static size_t on_read(char *data, size_t size, size_t count, void *p)
{
  easy *e = p;
  return ready(e) ? python_read(e->id, data, size * count) : CURL_READFUNC_ABORT;
}

static int on_seek(void *p, curl_off_t offset, int origin)
{
  easy *e = p;
  return ready(e) ? python_seek(e->id, offset, origin) : CURL_SEEKFUNC_FAIL;
}

static curlioerr on_ioctl(CURL *curl, int command, void *p)
{
  easy *e = p;
  (void)curl;
  return ready(e) ? (curlioerr)python_ioctl(e->id, command) : CURLIOE_FAILRESTART;
}

static int on_xferinfo(void *p, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
                       curl_off_t ulnow)
{
  easy *e = p;
  return ready(e) ? python_xferinfo(e->id, dltotal, dlnow, ultotal, ulnow) : 1;
}

static int on_progress(void *p, double dltotal, double dlnow, double ultotal, double ulnow)
{
  easy *e = p;
  return ready(e) ? python_progress(e->id, dltotal, dlnow, ultotal, ulnow) : 1;
}

static int on_debug(CURL *curl, curl_infotype type, char *data, size_t size, void *p)
{
  easy *e = p;
  (void)curl;
  return ready(e) ? python_debug(e->id, type, data, size) : 0;
}

static int on_prereq(void *p, char *primary_ip, char *local_ip, int primary_port, int local_port)
{
  easy *e = p;
  int answer = CURL_PREREQFUNC_OK;

  if(!ready(e))
    return CURL_PREREQFUNC_ABORT;
  if(!e->verdicts || !verdicts_allow_request(e->verdicts, e->curl, primary_ip, primary_port))
    answer = python_prereq(e->id, primary_ip, local_ip, primary_port, local_port);
  e->fresh = e->refusing = 0;
  return answer;
}

static int on_resolver_start(void *resolver, void *reserved, void *p)
{
  easy *e = p;
  (void)reserved;
  return ready(e) ? python_resolver_start(e->id, resolver) : 1;
}

static int on_trailer(struct curl_slist **list, void *p)
{
  easy *e = p;
  return ready(e) ? python_trailer(e->id, list) : CURL_TRAILERFUNC_ABORT;
}

/* Also where Python has no callback, to see that there is TLS (watch_tls). */
static CURLcode on_ssl_ctx(CURL *curl, void *ssl_ctx, void *p)
{
  easy *e = p;
  (void)curl;
  e->leaves_more = 1;
  if(!e->secures)
    return CURLE_OK;
  return ready(e) ? (CURLcode)python_ssl_ctx(e->id, ssl_ctx) : CURLE_ABORTED_BY_CALLBACK;
}

static int on_sshkey(CURL *curl, const struct curl_khkey *known, const struct curl_khkey *found,
                     enum curl_khmatch match, void *p)
{
  easy *e = p;
  (void)curl;
  return ready(e) ? python_sshkey(e->id, known, found, match) : CURLKHSTAT_REJECT;
}

static int on_sshhostkey(void *p, int type, const char *key, size_t size)
{
  easy *e = p;
  return ready(e) ? python_sshhostkey(e->id, type, key, size) : CURLKHMATCH_MISMATCH;
}

static int on_fnmatch(void *p, const char *pattern, const char *string)
{
  easy *e = p;
  return ready(e) ? python_fnmatch(e->id, pattern, string) : CURL_FNMATCHFUNC_FAIL;
}

static long on_chunk_bgn(const void *info, void *p, int remains)
{
  easy *e = p;
  return ready(e) ? python_chunk_bgn(e->id, (struct curl_fileinfo *)info, remains) : CURL_CHUNK_BGN_FUNC_FAIL;
}

static long on_chunk_end(void *p)
{
  easy *e = p;
  return ready(e) ? python_chunk_end(e->id) : CURL_CHUNK_END_FUNC_FAIL;
}

static CURLSTScode on_hstsread(CURL *curl, struct curl_hstsentry *entry, void *p)
{
  easy *e = p;
  (void)curl;
  return ready(e) ? (CURLSTScode)python_hstsread(e->id, entry) : CURLSTS_FAIL;
}

static CURLSTScode on_hstswrite(CURL *curl, struct curl_hstsentry *entry, struct curl_index *index,
                                void *p)
{
  easy *e = p;
  (void)curl;
  return ready(e) ? (CURLSTScode)python_hstswrite(e->id, entry, index) : CURLSTS_FAIL;
}

typedef void (*any_function)(void);

/* CBPTR options may serve two functions; an unset function leaves the pointer, which nothing then
 * reads. CURLOPT_CLOSESOCKETFUNCTION is not here: its data is a closer, not the easy (sockets.c). */
static const struct {
  CURLoption function, data;
  any_function on;
} callbacks[] = {
  { CURLOPT_WRITEFUNCTION, CURLOPT_WRITEDATA, (any_function)on_write },
  { CURLOPT_HEADERFUNCTION, CURLOPT_HEADERDATA, (any_function)on_header },
  { CURLOPT_READFUNCTION, CURLOPT_READDATA, (any_function)on_read },
  { CURLOPT_SEEKFUNCTION, CURLOPT_SEEKDATA, (any_function)on_seek },
  { CURLOPT_XFERINFOFUNCTION, CURLOPT_XFERINFODATA, (any_function)on_xferinfo },
  { CURLOPT_DEBUGFUNCTION, CURLOPT_DEBUGDATA, (any_function)on_debug },
  { CURLOPT_OPENSOCKETFUNCTION, CURLOPT_OPENSOCKETDATA, (any_function)on_open_socket },
  { CURLOPT_SOCKOPTFUNCTION, CURLOPT_SOCKOPTDATA, (any_function)on_socket_options },
  { CURLOPT_PREREQFUNCTION, CURLOPT_PREREQDATA, (any_function)on_prereq },
  { CURLOPT_PROGRESSFUNCTION, CURLOPT_XFERINFODATA, (any_function)on_progress },
  { CURLOPT_IOCTLFUNCTION, CURLOPT_IOCTLDATA, (any_function)on_ioctl },
  { CURLOPT_INTERLEAVEFUNCTION, CURLOPT_INTERLEAVEDATA, (any_function)on_interleave },
  { CURLOPT_RESOLVER_START_FUNCTION, CURLOPT_RESOLVER_START_DATA, (any_function)on_resolver_start },
  { CURLOPT_TRAILERFUNCTION, CURLOPT_TRAILERDATA, (any_function)on_trailer },
  { CURLOPT_SSL_CTX_FUNCTION, CURLOPT_SSL_CTX_DATA, (any_function)on_ssl_ctx },
  { CURLOPT_SSH_KEYFUNCTION, CURLOPT_SSH_KEYDATA, (any_function)on_sshkey },
  { CURLOPT_SSH_HOSTKEYFUNCTION, CURLOPT_SSH_HOSTKEYDATA, (any_function)on_sshhostkey },
  { CURLOPT_FNMATCH_FUNCTION, CURLOPT_FNMATCH_DATA, (any_function)on_fnmatch },
  { CURLOPT_CHUNK_BGN_FUNCTION, CURLOPT_CHUNK_DATA, (any_function)on_chunk_bgn },
  { CURLOPT_CHUNK_END_FUNCTION, CURLOPT_CHUNK_DATA, (any_function)on_chunk_end },
  { CURLOPT_HSTSREADFUNCTION, CURLOPT_HSTSREADDATA, (any_function)on_hstsread },
  { CURLOPT_HSTSWRITEFUNCTION, CURLOPT_HSTSWRITEDATA, (any_function)on_hstswrite },
};

/* Point `option` at our callback, or at nothing. Without a write callback the body is collected,
 * without an opener one is still needed to book sockets for a closer: what libcurl has when Python
 * has nothing is in fallback(). */
static any_function fallback(const easy *e, CURLoption option)
{
  if(option == CURLOPT_WRITEFUNCTION && !e->classic)
    return (any_function)collect;
  if(option == CURLOPT_READFUNCTION && !e->classic)
    return (any_function)read_nothing;
  if(option == CURLOPT_OPENSOCKETFUNCTION && e->closer)
    return (any_function)on_open_socket;
  if(option == CURLOPT_SSL_CTX_FUNCTION && e->cache)
    return (any_function)on_ssl_ctx;
  return NULL;
}

/* What a fallback gets: libcurl would take our `easy` for the FILE that these name without a function. */
static void *fallback_data(easy *e, CURLoption option)
{
  if(option == CURLOPT_READFUNCTION)
    return stdin;
  if(option == CURLOPT_WRITEFUNCTION && e->classic)
    return stdout;
  return option == CURLOPT_HEADERFUNCTION ? NULL : e;
}

int easy_set_callback(easy *e, int option, int present)
{
  size_t i;
  int code = easy_enter(e);

  if(code)
    return code;
  code = CURLE_UNKNOWN_OPTION;
  for(i = 0; i < sizeof(callbacks) / sizeof(*callbacks); i++) {
    if((int)callbacks[i].function == option) {
      code = curl_easy_setopt(e->curl, callbacks[i].data, present ? e : fallback_data(e, option));
      if(!code)
        code = curl_easy_setopt(e->curl, option, present ? callbacks[i].on : fallback(e, option));
      if(!code && option == CURLOPT_OPENSOCKETFUNCTION)
        e->opens = present != 0;
      if(!code && option == CURLOPT_WRITEFUNCTION)
        e->writes = present != 0;
      if(!code && option == CURLOPT_SSL_CTX_FUNCTION)
        e->secures = present != 0;
      if(!code && option == CURLOPT_WRITEFUNCTION)
        sink_close(e);
      if(!code && option == CURLOPT_READFUNCTION)
        source_close(e);
      break;
    }
  }
  easy_leave(e);
  return code;
}

/* Have `leaves_more` tell of TLS, with a proxy too: OpenSSL's certificates are cached in the multi. Where
 * libcurl has another TLS it knows no such option, and caches none. */
void watch_tls(easy *e)
{
  curl_easy_setopt(e->curl, CURLOPT_SSL_CTX_DATA, e);
  curl_easy_setopt(e->curl, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
}

/* A classic handle collects its body as others do, for a transfer; and then what there was again. */
CURLcode collect_instead(easy *e)
{
  CURLcode code = easy_first(e) ? CURLE_OK : CURLE_OUT_OF_MEMORY;

  if(!code)
    code = curl_easy_setopt(e->curl, CURLOPT_WRITEDATA, e);
  if(!code)
    code = curl_easy_setopt(e->curl, CURLOPT_WRITEFUNCTION, collect);
  e->collects = 1;
  e->gathered = e->gathers;
  e->gathers = 0;
  return code;
}

void collect_no_more(easy *e)
{
  curl_easy_setopt(e->curl, CURLOPT_WRITEDATA, e->writes ? (void *)e : stdout);
  curl_easy_setopt(e->curl, CURLOPT_WRITEFUNCTION, e->writes ? (any_function)on_write : NULL);
  e->gathers = e->gathered;
  e->collects = 0;
}

/* For lists that a callback fills and libcurl frees. Answers 0 when out of memory. */
int list_append(struct curl_slist **list, const char *item)
{
  struct curl_slist *longer = curl_slist_append(*list, item);

  if(longer)
    *list = longer;
  return longer != NULL;
}
